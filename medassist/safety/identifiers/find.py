"""Identifiers of a text, by patterns, name lists and what stands before a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from medassist.safety.identifiers import (
    dates,
    electronic,
    names,
    numbers,
    places,
    telephones,
)
from medassist.safety.identifiers.drugs import is_drug
from medassist.safety.identifiers.text_page import Found, TextPage
from medassist.safety.letters import folded, plain

KINDS: Final = {
    "NAME": "a name",
    "PLACE": "a place or address",
    "DATE": "a date",
    "AGE": "an age over 89",
    "PHONE": "a telephone number",
    "FAX": "a fax number",
    "EMAIL": "an e-mail address",
    "SSN": "a social security number",
    "RECORD": "a medical record number",
    "PLAN": "an insurance number",
    "ACCOUNT": "an account number",
    "LICENCE": "a licence or certificate number",
    "VEHICLE": "a vehicle number or plate",
    "DEVICE": "a device number",
    "URL": "a web address",
    "IP": "an internet address",
    "BIOMETRIC": "a biometric identifier",
    "PHOTO": "a photograph",
    "CODE": "another unique number or code",
}
"""The kinds, each in words: Safe Harbor's eighteen, with ages over 89, which it counts
among the dates, as a kind of their own."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A part of a text that may tell who a person is.

    Attributes:
        kind: One of `KINDS`.
        span: Its characters.
        text: What stands there.
        sure: By its form or what stands before it; else it only looks like one.
    """

    kind: str
    span: tuple[int, int]
    text: str
    sure: bool


def find_identifiers(text: str) -> tuple[Identifier, ...]:
    """The identifiers of `text`, in order and not overlapping; never raises.

    Where two overlap, the surer one stays, then the longer one; of a name what the
    other does not cover stays too. No drug of the table of doses is among them. The
    time is proportional to the length.
    """
    seen = plain(text)
    page = TextPage(seen.text)
    found = [one for room in _ROOMS for one in room(page)]
    found = [*_no_drugs(seen.text, found)]
    found.sort(key=lambda one: (not one[3], one[1] - one[2], one[1]))
    spans = (
        (kind, seen.span(start, end), sure)
        for kind, start, end, sure in _apart(seen.text, found)
    )
    return tuple(
        Identifier(kind, span, text[span[0] : span[1]], sure)
        for kind, span, sure in sorted(spans, key=lambda one: one[1])
    )


def replace(text: str, found: Iterable[Identifier]) -> str:
    """`text` with each identifier of `found` as its kind: [NAME], [DATE 2].

    The same words of one kind get the same number; the first of a kind has none.
    """
    numbers: dict[str, dict[str, int]] = {}
    pieces: list[str] = []
    last = 0
    for one in sorted(found, key=lambda one: one.span):
        start, end = one.span
        if start < last:
            continue
        of_kind = numbers.setdefault(one.kind, {})
        key = folded(" ".join(plain(one.text).text.split()))
        number = of_kind.setdefault(key, len(of_kind) + 1)
        mark = f"[{one.kind}]" if number == 1 else f"[{one.kind} {number}]"
        pieces += [text[last:start], mark]
        last = end
    return "".join([*pieces, text[last:]])


_ROOMS: Final = (
    electronic.find,
    dates.find,
    numbers.find,
    telephones.find,
    places.find,
    names.find,
)


def _no_drugs(text: str, found: Iterable[Found]) -> Iterator[Found]:
    """Without the places that are a drug's: the Warfarin Clinic."""
    for one in found:
        kind, start, end, sure = one
        named = kind == "PLACE" and not text[start].isdigit()
        if not (named and is_drug(text[start:end])):
            yield kind, start, end, sure


def _apart(text: str, found: Iterable[Found]) -> Iterator[Found]:
    """Those that overlap none that came before them, and what is left of a name."""
    covered: set[int] = set()
    for kind, start, end, sure in found:
        free = [at for at in range(start, end) if at not in covered]
        covered.update(free)
        if len(free) == end - start:
            yield kind, start, end, sure
        elif kind == "NAME" and sure:
            for first, last in _runs(free):
                piece = text[first:last]
                if any(sign.isalpha() for sign in piece):
                    first += len(piece) - len(piece.lstrip(" ,"))
                    yield kind, first, last - len(piece) + len(piece.rstrip(" ,")), sure


def _runs(places: list[int]) -> Iterator[tuple[int, int]]:
    """Places that follow each other: the first, and one after the last."""
    start = 0
    for i in range(1, len(places) + 1):
        if i == len(places) or places[i] != places[i - 1] + 1:
            yield places[start], places[i - 1] + 1
            start = i
