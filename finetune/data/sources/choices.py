"""Multiple choice out of tables: the options of a row, and which of them is right.

The column that names the right one does it by its letter, by its number from 0 or from
1, or by its text, and only the rows tell which: MMLU counts from 0, MedMCQA from 1 in
its authors' files and from 0 on the hub. So the whole file is looked through first, and
the way that fits most rows is the one.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from string import ascii_uppercase
from typing import Any, Literal, cast

from finetune.data.sources.missing_words import DASHES, is_missing

Way = Literal["letter", "text", "from 0", "from 1"]
WAYS: tuple[Way, Way, Way, Way] = ("letter", "text", "from 0", "from 1")
POINTING: tuple[Way, ...] = ("letter", "from 0", "from 1")
"""Ways whose answer says nothing without the options."""
FEWEST = 0.5  # share of the answered rows that a way must fit
_LETTERED = re.compile(r"\(?([A-Za-z])[).:]\s*(.+)", re.DOTALL)
_A_LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
_CALLED = re.compile(
    r"(?:option|choice|answer)s?\s*:?\s*(?=\(?[a-z0-9]\b)", re.IGNORECASE
)
_SEVERAL = re.compile(r"\(?(?:[A-Za-z]|\d)\)?(?:\s*[,;/&+]\s*\(?(?:[A-Za-z]|\d)\)?)+")
_QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_ARRAY = re.compile(rf"\[\s*{_QUOTED}(?:\s+{_QUOTED})+\s*\]")


@dataclass(frozen=True)
class Option:
    """One of a row's options.

    Attributes:
        mark: a letter, or what the table calls it.
        text: what it says.
        column: where it stands, if it has a column of its own.
    """

    mark: str
    text: str
    column: str = ""


Options = Sequence[Option]


def options_of(row: Mapping[str, Any], columns: Sequence[str]) -> Options | None:
    """The options that stand in `columns` of a row; none if these hold no options."""
    if len(columns) == 1:
        return _listed(row.get(columns[0]))
    texts = [_text(row.get(name)) for name in columns]
    while texts and not texts[-1]:
        texts.pop()  # a row with fewer options than the table has columns
    return _lettered(texts, columns)


def with_options(question: str, options: Options) -> str:
    """The question, and below it its options, a line each, if they are not in it."""
    own = [line.strip().casefold() for line in question.splitlines()[1:]]
    if all(
        any(line.endswith(each.text.casefold()) for line in own) for each in options
    ):
        return question
    lines = (f"{ascii_uppercase[i]}. {each.text}" for i, each in enumerate(options))
    return f"{question}\n\n" + "\n".join(lines)


def in_full(options: Options, right: Sequence[int]) -> str:
    """The right option with its letter: `B. Rest`; of several, a line each."""
    return "\n".join(f"{ascii_uppercase[at]}. {options[at].text}" for at in right)


def is_answered(value: Any) -> bool:
    """Whether a cell says anything; test sets give -1 where they keep the answer."""
    if isinstance(value, list):
        return bool(value)
    found = _text(value)
    return bool(found) and not is_missing(found) and _number(value) != -1


def points(value: Any) -> bool:
    """Whether an answer is no more than numbers or letters, and says nothing alone."""
    parts = _parts(value)
    return all(
        _number(part) is not None or _A_LETTER.fullmatch(_text(part)) for part in parts
    )


def right_options(value: Any, options: Options, way: Way) -> tuple[int, ...] | None:
    """The places of the options that `value` names in that way; none if it does not."""
    found = _by_text(_text(value), options) if isinstance(value, str) else None
    if way == "text":
        return None if found is None else (found,)
    places = [_right(part, options, way) for part in _parts(value)]
    named = [place for place in places if place is not None]
    return tuple(named) if named and len(named) == len(places) else None


def _parts(value: Any) -> list[Any]:
    """The cell, or its parts where it names several options: `A, C`."""
    if isinstance(value, list):
        return cast("list[Any]", value)
    if not isinstance(value, str):
        return [value]
    text = _CALLED.sub("", value.strip())
    if _SEVERAL.fullmatch(text):
        return re.findall(r"[A-Za-z]|\d", text)
    return [text]


def _right(part: Any, options: Options, way: Way) -> int | None:
    number = _number(part)
    if way == "letter":
        return _by_letter(_text(part) if number is None else f"{number}", options)
    if number is None:
        return None
    at = number - (way == "from 1")
    return at if 0 <= at < len(options) else None


@dataclass(frozen=True)
class AnswerColumn:
    """Facts about a file's column of right answers, from all its rows.

    Attributes:
        rows: that have options and an answer.
        pointing: of these, answers that are no more than numbers or letters.
        readable: whether the options of most can be read.
        way: the one that fits; none if no way does, or two do that differ.
        differ: two ways that fit alike and name other options.
        numbers: that stood in the column, at most ten.
    """

    rows: int
    pointing: int
    readable: bool
    way: Way | None
    differ: tuple[Way, Way] | None = None
    numbers: tuple[int, ...] = ()


def judge(rows: Iterable[tuple[Any, Options | None]]) -> AnswerColumn:
    """Find the way in which the answers of a file name their options.

    Args:
        rows: the cell with the answer, and the options; none where they are there and
            cannot be read.
    """
    fits: Counter[Way] = Counter()
    apart: Counter[tuple[Way, Way]] = Counter()
    numbers: set[int] = set()
    answered = pointing = readable = 0
    for value, options in rows:
        if not is_answered(value):
            continue
        answered += 1
        pointing += points(value)
        if options is None:
            continue
        readable += 1
        number = _number(value)
        if number is not None and len(numbers) < 10:
            numbers.add(number)
        named: dict[Way, tuple[int, ...] | None] = {
            way: right_options(value, options, way) for way in WAYS
        }
        fits.update(way for way, at in named.items() if at is not None)
        apart.update(
            (one, other)
            for one, other in combinations(WAYS, 2)
            if named[one] is not None
            and named[other] is not None
            and named[one] != named[other]
        )
    told = AnswerColumn(answered, pointing, readable > FEWEST * answered, None)
    most = max(fits.values(), default=0)
    if not answered or most < FEWEST * answered:
        return told
    best: list[Way] = [way for way in WAYS if fits[way] == most]
    # A letter or a text that fits every row is no chance; a number can be.
    if best[0] in ("letter", "text"):
        return replace(told, way=best[0])
    if len(best) == 2 and apart["from 0", "from 1"]:
        differ: tuple[Way, Way] = ("from 0", "from 1")
        return replace(told, differ=differ, numbers=tuple(sorted(numbers)))
    return replace(told, way=best[0])


def _listed(value: Any) -> Options | None:
    match value:
        case str():
            return _written_out(value)
        case {"text": list(texts), "label": list(marks)} if len(texts) == len(marks):
            both = zip(cast("list[Any]", marks), cast("list[Any]", texts), strict=True)
            return _checked([Option(_text(mark), _text(text)) for mark, text in both])
        case dict():
            pairs = cast("dict[str, Any]", value).items()
            # Parquet gives every key that any of its rows has.
            return _checked([Option(k, _text(v)) for k, v in pairs if v is not None])
        case [dict(), *_]:
            return _checked([_keyed(each) for each in cast("list[Any]", value)])
        case list():
            return _lettered([_text(each) for each in cast("list[Any]", value)])
        case _:
            return None


def _written_out(text: str) -> Options | None:
    """Options in a list or map that stands in a cell as text, as JSON or Python."""
    text = text.strip()
    if not text.startswith(("[", "{")):
        return None
    if _ARRAY.fullmatch(text):  # as pandas writes an array of numpy into CSV
        quoted = re.findall(_QUOTED, text)
        return _lettered([str(ast.literal_eval(each)) for each in quoted])
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return None if isinstance(value, str) else _listed(value)
    return None


def _keyed(each: Any) -> Option:
    """Options of {key, value} or {label, text}; empty of anything else."""
    if not isinstance(each, dict):
        return Option("", "")
    found = cast("dict[str, Any]", each)
    mark = found.get("key", found.get("label"))
    return Option(_text(mark), _text(found.get("value", found.get("text"))))


def _lettered(texts: Sequence[str], columns: Sequence[str] = ()) -> Options | None:
    if len(texts) > len(ascii_uppercase):
        return None
    names = list(columns[: len(texts)]) or [""] * len(texts)
    marked = zip(ascii_uppercase, texts, names, strict=False)
    return _checked([Option(mark, text, name) for mark, text, name in marked])


def _checked(options: Options) -> Options | None:
    """None of what is no multiple choice."""
    marks = {each.mark.casefold() for each in options}
    whole = all(each.text and each.mark for each in options)
    fits = 2 <= len(options) <= len(ascii_uppercase) and len(marks) == len(options)
    return _without_letters(options) if whole and fits else None


def _without_letters(options: Options) -> Options:
    """The options, whose texts may all begin with their letters: `A. Rest`."""
    found = [_LETTERED.fullmatch(each.text) for each in options]
    letters = "".join(each[1].upper() for each in found if each is not None)
    if letters != ascii_uppercase[: len(options)]:
        return options
    return [
        replace(option, text=each[2].strip())
        for option, each in zip(options, found, strict=True)
        if each is not None
    ]


def _by_letter(found: str, options: Options) -> int | None:
    folded = found.casefold()
    marks = [each.mark.casefold() for each in options]
    columns = [each.column.casefold() for each in options]
    for names in (marks, columns):
        if folded and folded in names:
            return names.index(folded)
    letter = _A_LETTER.fullmatch(found)
    mark = letter[1].casefold() if letter else ""
    if mark in marks:
        return marks.index(mark)
    # By its place, where the table marks its options otherwise (1, 2, 3).
    at = ord(mark) - ord("a") if mark else -1
    numbered = all(each.isdigit() for each in marks)
    return at if numbered and 0 <= at < len(marks) else None


def _by_text(found: str, options: Options) -> int | None:
    lettered = _LETTERED.fullmatch(found)
    for text in (found, lettered[2].strip() if lettered else ""):
        folded = text.casefold()
        alike = [i for i, each in enumerate(options) if each.text.casefold() == folded]
        if len(alike) == 1:
            return alike[0]
    return None


def _number(value: Any) -> int | None:
    """A whole number, also as pandas writes it (`1.0`) and as text."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() and abs(number) < 1000 else None


def _text(value: Any) -> str:
    """A cell as text, "" where it is missing; an option can be `None` or a sign."""
    if value is None or value != value or isinstance(value, (list, dict)):
        return ""
    text = str(value).strip()
    return "" if is_missing(text) and text not in ("None", *DASHES) else text
