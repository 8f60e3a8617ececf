"""Reads numbers as people write them, with all possible meanings.

Decimal signs and thousands differ between countries: "1.000" is one to some readers and
a thousand to others. Where a text does not say which it means, a number has two
readings, and what compares or checks it has to take both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal

Sign = Literal["point", "comma"]
Signs = frozenset[Sign]
"""The decimal signs that a text uses beyond doubt."""

_POINT: Final[Signs] = frozenset({"point"})
_COMMA: Final[Signs] = frozenset({"comma"})
_VULGAR: Final = "".join(
    chr(code)
    for code in (*range(0xBC, 0xBF), *range(0x2150, 0x215F), 0x2189)
    if unicodedata.category(chr(code)) == "No"
)
_GAP: Final = "\u00a0\u2002-\u200a\u202f"
"""Spaces that are no word space: a no-break space, a thin one and the like."""
_RAISED_DIGITS: Final = "\u2070\u00b9\u00b2\u00b3\u2074-\u2079"
_APOSTROPHE: Final = "'\u2019\u02bc\u2032\u00b4`"
_RAISED: Final = "\u00b7\u2027\u2219\u22c5"
"""Decimal points that are bullets of a list too."""
_DOT: Final = f"{_RAISED}\u2022\u066b\uff0e"
"""Decimal points that are neither a full stop nor a comma."""
_SLASH: Final = "\u2044"
_FRACTION: Final = rf"(?:[{_VULGAR}]|[1-9]\d?{_SLASH}[1-9]\d?)"
_HALVES: Final = r"(?:1/[23468]|2/3|[35]/[48]|7/8)(?![\d/])"
_ONE_TO_TEN: Final = "one two three four five six seven eight nine ten"
WORDS: Final[dict[str, float]] = {
    **{word: float(value) for value, word in enumerate(_ONE_TO_TEN.split(), 1)},
    "half": 0.5,
    "one and a half": 1.5,
    "two and a half": 2.5,
}


def _word_heads() -> str:
    """The first two letters of every number that is written as a word."""
    return "|".join(sorted({word[:2] for word in WORDS}))


# Every part is bounded, so that no text can make a search slow. What is written with
# two signs, or twice with one, is certain; a single sign before three digits is not.
_FORMS: Final[tuple[tuple[str, str], ...]] = (
    ("words", rf"\b(?:{'|'.join(sorted(WORDS, key=len)[::-1])})(?:\s(?:of\s)?an?)?\b"),
    (
        "power",
        rf"(?:\d{{1,4}}(?:[.,]\d{{1,4}})?\s?[x\u00d7]\s?)?10(?:\^\d{{1,2}}|[{_RAISED_DIGITS}]{{1,2}})",
    ),
    ("mixed", rf"\d{{1,3}}[ {_GAP}]?{_FRACTION}|\d{{1,3}} {_HALVES}"),
    ("fraction", rf"{_FRACTION}|{_HALVES}"),
    ("lakh", r"[1-9]\d?(?:,\d{2}){1,4},\d{3}(?:\.\d{1,6})?"),
    ("commas", r"[1-9]\d{0,2}(?:(?:,\d{3}){1,4}\.\d{1,6}|(?:,\d{3}){2,4})"),
    ("points", r"[1-9]\d{0,2}(?:(?:\.\d{3}){1,4},\d{1,6}|(?:\.\d{3}){2,4})"),
    ("comma", r"[1-9]\d{0,2},\d{3}"),
    ("point", r"[1-9]\d{0,2}\.\d{3}"),
    (
        "grouped",
        rf"[1-9]\d{{0,2}}(?:(?:[{_APOSTROPHE}]\d{{3}}){{1,4}}"
        rf"|(?:[{_GAP}]\d{{3}}){{1,4}}|(?: \d{{3}}){{1,4}})(?:[.,{_DOT}]\d{{1,6}})?",
    ),
    ("decimal", rf"\d{{1,12}}[.,{_DOT}]\d{{1,6}}"),
    ("loose", r"0[.,] \d{1,6}"),
    ("naked", rf"(?<![\w.,])[.{_RAISED}]\d{{1,6}}|(?<![^\s(|]),\d{{1,6}}"),
    ("many", r"\d{1,12}(?:[.,]\d{1,6}){2,6}"),
    ("plain", r"\d{1,12}"),
)
_LETTER: Final = "A-Za-z\u00aa\u00b5\u00ba\u00c0-\u024f\u0370-\u052f"
NO_LETTER_BEFORE: Final = rf"(?:(?<![{_LETTER}\d])|(?<=\d[xX]))"
NO_LETTER_AFTER: Final = rf"(?![{_LETTER}])"
"""End of a number in scripts that part their words; in others a letter may follow."""
NUMBER: Final = (
    rf"{NO_LETTER_BEFORE}(?<!\d[.,'])(?:"
    + "|".join(f"(?:{form})(?!\\d|[.,]\\d)" for _, form in _FORMS)
    + ")"
)
"""A number, as a part of a pattern without regard to case."""
NUMBER_OPENS: Final = rf"\d+|[{_VULGAR}]|[.,{_RAISED}](?=\d)|\b(?={_word_heads()})"
"""How a number begins, as a part of a pattern without regard to case.

It costs a small part of what `NUMBER` costs at a place where no number begins, which
most places are."""
_FORM: Final = re.compile(
    "|".join(f"(?P<{name}>{form})" for name, form in _FORMS), re.IGNORECASE
)
_NO_DIGIT: Final = re.compile(r"[^\d.]")
_TAKEN_FOR: Final = str.maketrans({"\u0131": "i", "\u0130": "i", "\u017f": "s"})


def small_letters(written: str) -> str:
    """`written` in the letters for which a search without regard to case takes it."""
    return written.translate(_TAKEN_FOR).lower()


def certain(written: str) -> Signs:
    """The decimal separator that a number shows beyond doubt; mostly none."""
    match _form(written):
        case "lakh" | "commas":
            return frozenset({"point"})
        case "points":
            return frozenset({"comma"})
        case "decimal" | "grouped":
            sign = re.search(r"[.,]\d+$", written)
            if sign:
                return frozenset({"comma" if sign.group()[0] == "," else "point"})
        case _:
            pass
    return frozenset()


def signs(numbers: Iterable[str]) -> Signs:
    """The decimal separators that the numbers of a text show beyond doubt."""
    found: set[Sign] = set()
    for written in numbers:
        found |= certain(written)
    return frozenset(found)


@lru_cache(maxsize=4096)
def readings(
    written: str, known: Signs = frozenset(), before: str = ""
) -> tuple[float, ...]:
    """Possible values of a number, the likelier first.

    "1.5" -> (1.5,), "1.000" -> (1.0, 1000.0)

    Args:
        written: A whole match of `NUMBER`.
        known: The decimal signs that the text uses beyond doubt.
        before: The two characters before it: of "aspirin.5 mg" nobody can tell whether
            the full stop ends a sentence.
    """
    digits = _NO_DIGIT.sub("", written)
    match _form(written):
        case "words":
            word = re.sub(r"\s(?:of\s)?an?$", "", small_letters(written))
            return (WORDS[" ".join(word.split())],)
        case "power":
            return (_power(written),)
        case "mixed" | "fraction":
            return (_fraction(written),)
        case "comma":
            whole = float(digits.replace(".", ""))
            if "comma" in known:
                return whole, whole / 1000
            return (whole,)
        case "point":
            part = float(digits)
            if known == _COMMA:
                return (part * 1000,)
            if known == _POINT and not written.endswith("0"):
                return (part,)
            return part, part * 1000
        case "grouped":
            return _grouped(written)
        case "lakh" | "commas":
            return (float(written.replace(",", "")),)
        case "points":
            return (float(written.replace(".", "").replace(",", ".")),)
        case "loose":
            part = written.split(" ")[1]
            return float(f"0.{part}"), float(part)
        case "naked":
            part = written[1:]
            value = float(f"0.{part}")
            return (value,) if written[0] == "." else (value, float(part))
        case "many":
            return (float(digits.replace(".", "")),)
        case "decimal":
            whole, part = re.split(r"\D", written)
            return (float(f"{whole}.{part}"),)
        case _:
            value = float(written)
            if re.fullmatch(r"[^\W\d_][.,]", before):
                return value, float(f"0.{written}")
            return (value,)


def parted(written: str) -> bool:
    """Whether a blank may part it into two numbers: "2 500"."""
    return _form(written) == "grouped" and len(_grouped(written)) > 1


def last_of(written: str) -> str:
    """The last number of "1,2,3", which is a list before a unit; else all of it."""
    return re.split("[.,]", written)[-1] if _form(written) == "many" else written


@lru_cache(maxsize=4096)
def _form(written: str) -> str:
    form = _FORM.fullmatch(written)
    return (form and form.lastgroup) or "plain"


def _grouped(written: str) -> tuple[float, ...]:
    groups = re.split(r"\D", written)
    decimals = ""
    if re.search(rf"[.,{_DOT}]\d+$", written):
        decimals = f".{groups.pop()}"
    joined = float("".join(groups) + decimals)
    # No number begins with 0: "50 000" is one, "2 500" may be two.
    if " " in written and groups[-1][0] != "0":
        return joined, float(groups[-1] + decimals)
    return (joined,)


def _power(written: str) -> float:
    """Ten to a power, or so many times that; unicodedata knows the raised digits."""
    *times, power = re.split(r"\s?[xX\u00d7]\s?", written)
    raised = "".join(str(unicodedata.digit(digit)) for digit in power[2:].lstrip("^"))
    return float(times[0].replace(",", ".") if times else 1) * 10.0 ** int(raised)


def _fraction(written: str) -> float:
    total = 0.0
    for part in re.findall(rf"\d+[/{_SLASH}]\d+|\d+|[{_VULGAR}]", written):
        above, *below = re.split(rf"[/{_SLASH}]", part)
        if below:
            total += float(above) / float(below[0])
        else:
            total += unicodedata.numeric(part) if len(part) == 1 else float(part)
    return total
