"""Amounts are read as people write them, and said to be in doubt where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from medassist.text.quantities import quantities
from tests.growth import IN_PROPORTION, growth

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
