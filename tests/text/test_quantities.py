"""Amounts are read as people write them, and said to be in doubt where they are."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from medassist.text import frequencies
from medassist.text import quantities as amounts
from medassist.text.quantities import quantities
from tests.growth import IN_PROPORTION, growth
from tests.safety.test_cases import joined_cases

CASES = Path(__file__).with_name("cases")


def cases(name: str) -> list[tuple[str, str]]:
    lines = (CASES / name).read_text("utf-8").splitlines()
    rows = [line.rsplit("|", 1) for line in lines if not line.startswith("#")]
    return [(_spaces(text), expected) for text, expected in rows]


def _spaces(text: str) -> str:
    """Spaces and signs that cannot be told apart stand in the file by their numbers."""
    head, *rest = text.split("\\u")
    return head + "".join(chr(int(part[:4], 16)) + part[4:] for part in rest)


def said(text: str) -> str:
    """Every amount with a unit, as the case files write it."""
    found: list[str] = []
    for one in quantities(text):
        if one.unit is not None:
            ends = [one.low] if one.low == one.high else [one.low, one.high]
            values = (" or ".join(f"{v:.12g}" for v in end) for end in ends)
            found.append(f"{' to '.join(values)} {one.unit.name}")
    return "; ".join(found)


@pytest.mark.parametrize(("text", "expected"), cases("quantities.txt"))
def test_an_amount_is_read_however_it_is_written(text: str, expected: str) -> None:
    assert said(text) == expected


HOSTILE = ("1", "1 mg ", "1,000", "1 000 ", "½", "every ", "1/", "1 a half to ", "*")


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_takes_time_in_proportion(piece: str) -> None:
    assert growth(quantities, piece * (30_000 // len(piece))) < IN_PROPORTION


@pytest.mark.parametrize(("text", "expected"), cases("quantities_unseen.txt"))
def test_cases_that_were_set_aside_are_read_too(text: str, expected: str) -> None:
    assert said(text) == expected


def composed(count: int) -> list[str]:
    """Texts of what amounts and frequencies are made of, the same ones each time."""
    pieces: dict[str, list[str]] = {}
    for line in (CASES / "pieces.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            kind, piece, _ = line.split("|")
            pieces.setdefault(kind, []).append(_spaces(piece))
    kinds = [*pieces.values(), pieces["between"]]
    chosen = random.Random(7)
    return [
        "".join(
            chosen.choice(chosen.choice(kinds)) for _ in range(chosen.randint(2, 14))
        )
        for _ in range(count)
    ]


TEXTS = (
    *(text for name in ("", "_unseen") for text, _ in cases(f"quantities{name}.txt")),
    joined_cases(100_000),
    *composed(4_000),
)


def test_nothing_is_missed_for_being_sought_only_where_it_can_begin() -> None:
    for text in TEXTS:
        often = [match.span() for match in frequencies.matches(text)]
        assert often == [
            m.span() for m in frequencies.pattern_of(text).finditer(text)
        ], text
        some = {match.span() for match in amounts.matches(text)}
        assert some >= {m.span() for m in amounts.QUANTITY.finditer(text)}, text


def test_no_letter_that_is_taken_for_another_stops_the_reading() -> None:
    text = "\u017fix mg, f\u0131ve mg, 2 m\u0131ll\u0131on units"
    assert said(text) == "6 mg; 5 mg; 2000000 unit"
    for text in TEXTS:
        quantities(text)
