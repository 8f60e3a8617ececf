"""Cleans a record's text: damaged encoding, boilerplate, references, tables.

References, tables, captions of figures, boilerplate, control bytes, and letters that
were decoded in the wrong encoding. Sources of structured documents (JATS) leave the
first three out by themselves; here they are known by their looks, for plain text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from finetune.data.prepared_records import TextRecord
from finetune.data.steps.step_result import (
    AnyRecord,
    Dropped,
    Kept,
    StepResult,
    rewritten,
)
from medassist.frozen_model import FrozenModel

BOILERPLATE = Path(__file__).with_name("boilerplate.yaml")
MOST_DAMAGE = 0.01  # share of letters that are lost, from which a text is unreadable

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\u200b\u2060\u00ad]")
_LOST = "\ufffd"
# UTF-8 read as Windows-1252: a lead byte's letter, then letters of continuation bytes.
_CONTINUATION = "\x80-\xbf" + "".join(
    bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0xA0)
).replace("-", r"\-").replace("^", r"\^")
_MISREAD = re.compile(
    f"[Â-ß][{_CONTINUATION}]|[à-ï][{_CONTINUATION}]{{2}}|[ð-ô][{_CONTINUATION}]{{3}}"
)
_BLANKS = re.compile(r"[^\S\n]{2,}|[^\S\n ]")  # all that is not one plain blank
# A search for each of these costs less than one for the pattern: most texts have none.
_OTHER_BLANKS = (
    *("  ", "\t", "\xa0", "\u1680", "\u202f", "\u205f", "\u3000"),
    *map(chr, range(0x2000, 0x200B)),
)
_EDGES = re.compile(r" +\n *|\n +")
_EMPTY_LINES = re.compile(r"\n{3,}")

_REFERENCES = re.compile(
    r"(?im)^\s*(?:\d+\.?\s*|#+\s*)?(?:references|bibliography|literature cited|"
    r"works cited)\s*:?\s*$"
)
_REFERENCE_LINE = re.compile(
    r"^\s*(?:\[?\d{1,3}[\].)]\s|[A-Z][\w'\u2019-]+,? [A-Z]{1,3}[,.])|\b(?:19|20)\d\d\b"
)
_CAPTION = re.compile(
    r"(?m)^\s*(?:(?:supplementary|extended data)\s+)?(?:figure|fig\.|table)\s+"
    r"[A-Z]?\d+[A-Za-z]?\s*[.:|\u2013\u2014].*$",
    re.IGNORECASE,
)
_TABLE_LINE = re.compile(r"(?m)^(?:.*(?:\t.*){2,}|\s*\|.*\|.*\|\s*)$\n?")
_RULE_LINE = re.compile(r"(?m)^\s*[-=_|+*~]{4,}\s*$\n?")
_CITATION = re.compile(r"\s?\[\d{1,3}(?:\s?[,\u2013-]\s?\d{1,3})*\](?!\()")
_EMPTY = re.compile(r"[(\[][\s,;\u2013-]*[)\]]")
_NOTHING_IN_BRACKETS = re.compile(r"\s?[(\[][\s,;\u2013-]*[)\]]")


class _Boilerplate(FrozenModel):
    name: str
    phrase: str
    pattern: re.Pattern[str]


@cache
def _boilerplate() -> tuple[_Boilerplate, ...]:
    rows = yaml.safe_load(BOILERPLATE.read_text("utf-8"))
    return TypeAdapter(tuple[_Boilerplate, ...]).validate_python(rows)


def clean_text(text: str, *, running: bool, changed: set[str]) -> str:
    r"""`text`, cleaned.

    "Fever [1,2] is common.\nTable 1. Signs." of a document -> "Fever is common."

    Args:
        text: of a document or a message.
        running: whether it is a document: references, tables, captions and numbers in
            brackets go as well, which in a question can be what is asked about.
        changed: gets the names of what was found.
    """
    new = _repaired(text, changed)
    for row in _boilerplate():
        if row.phrase in new:
            new = _cut(row.pattern, new, "boilerplate", changed)
    if running:
        new = _without_references(new, changed)
        new = _cut(_CAPTION, new, "captions", changed)
        if "\t" in new or "|" in new:
            new = _cut(_TABLE_LINE, new, "tables", changed)
        new = _cut(_RULE_LINE, new, "tables", changed)
        if "[" in new:
            new = _cut(_CITATION, new, "citation numbers", changed)
        if _EMPTY.search(new):
            new = _cut(_NOTHING_IN_BRACKETS, new, "empty brackets", changed)
    if any(blank in new for blank in _OTHER_BLANKS):
        new = _BLANKS.sub(" ", new)
    if " \n" in new or "\n " in new:
        new = _EDGES.sub("\n", new)
    if "\n\n\n" in new:
        new = _EMPTY_LINES.sub("\n\n", new)
    return new.strip()


def _repaired(text: str, changed: set[str]) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        if _MISREAD.search(text):
            repaired = _MISREAD.sub(_as_it_was, text)
            if repaired != text:
                changed.add("encoding damage")
                text = repaired
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
            changed.add("letters in pieces")
    return _cut(_CONTROL, text, "control characters", changed)


def _as_it_was(match: re.Match[str]) -> str:
    """The letter that a run of misread ones stands for, or the run where none does."""
    raw = bytearray()
    for letter in match[0]:
        try:
            raw += letter.encode("cp1252")
        except UnicodeEncodeError:
            # The five bytes that Windows-1252 leaves open come through as they are.
            raw.append(ord(letter))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return match[0]


def _without_references(text: str, changed: set[str]) -> str:
    """Without the list after the last heading `References`, if it is a list.

    What follows the heading is looked at: a chapter that happens to be called so stays.
    """
    headings = list(_REFERENCES.finditer(text))
    if not headings:
        return text
    start, end = headings[-1].span()
    lines = [line for line in text[end:].split("\n") if line.strip()]
    alike = sum(_REFERENCE_LINE.search(line) is not None for line in lines)
    if alike * 2 < len(lines):
        return text
    changed.add("references")
    return text[:start]


def _cut(pattern: re.Pattern[str], text: str, name: str, changed: set[str]) -> str:
    new, times = pattern.subn("", text)
    if times:
        changed.add(name)
    return new


class CleanStep:
    """Cleans every text of a record; what is damaged beyond repair is taken out."""

    name = "clean"

    def __call__(self, record: AnyRecord) -> StepResult:
        changed: set[str] = set()
        rewrite: Callable[[str], str] = partial(
            clean_text, running=isinstance(record, TextRecord), changed=changed
        )
        cleaned = rewritten(record, rewrite)
        text = (
            cleaned.text
            if isinstance(cleaned, TextRecord)
            else "".join(message.content for message in cleaned.messages)
        )
        lost = text.count(_LOST)
        if lost > MOST_DAMAGE * len(text):
            return Dropped("letters lost in decoding", f"{lost} of {len(text)}")
        if _LOST in cleaned.title or _CONTROL.search(cleaned.title):
            title = _CONTROL.sub("", cleaned.title).replace(_LOST, "")
            cleaned = cleaned.model_copy(update={"title": title})
        return Kept(cleaned, tuple(sorted(changed)))
