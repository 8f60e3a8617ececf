"""Identifiers of a text, by patterns, name lists and what stands before a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from medassist.safety.identifiers import names, patterns

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
    """Something that may tell who a person is.

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

    Where two overlap, the surer one stays, then the longer one. The time is
    proportional to the length.
    """
    found = [*patterns.find(text), *names.find(text)]
    found.sort(key=lambda one: (not one[3], one[1] - one[2], one[1]))
    taken = _apart(found)
    return tuple(
        Identifier(kind, (start, end), text[start:end], sure)
        for kind, start, end, sure in sorted(taken, key=lambda one: one[1])
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
        number = of_kind.setdefault(
            " ".join(one.text.split()).lower(), len(of_kind) + 1
        )
        mark = f"[{one.kind}]" if number == 1 else f"[{one.kind} {number}]"
        pieces += [text[last:start], mark]
        last = end
    return "".join([*pieces, text[last:]])


def _apart(
    found: Iterable[tuple[str, int, int, bool]],
) -> Iterator[tuple[str, int, int, bool]]:
    """Those that do not overlap one that came before them."""
    covered: set[int] = set()
    for one in found:
        _, start, end, _ = one
        if covered.isdisjoint(range(start, end)):
            covered.update(range(start, end))
            yield one
