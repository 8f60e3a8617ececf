"""The cases for values and emergencies that speak for themselves, as they are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Which = Literal[
    "seen",
    "unseen",
    "later",
    "open",
    "sealed",
    "half_open",
    "half_sealed",
    "final_open",
    "final_sealed",
]
FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class ValueCase:
    """A text and what it raises.

    Attributes:
        kind: The flag that is wanted, or why the text is to stay silent.
        wanted: Of each group one flag has to be raised; empty: none at all.
        text: As somebody would write it.
    """

    kind: str
    wanted: tuple[frozenset[str], ...]
    text: str


@cache
def read(which: Which) -> tuple[ValueCase, ...]:
    name = {"seen": "values.tsv"}.get(which, f"values_{which}.tsv")
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    return tuple(_case(line) for line in lines if not line.startswith("#"))


def _case(line: str) -> ValueCase:
    why, flags, text = line.split("\t")
    wanted = tuple(frozenset(group.split("|")) for group in flags.split(",") if group)
    return ValueCase(flags or why, wanted, text)


def satisfied(case: ValueCase, found: set[str]) -> bool:
    """Whether what was found is what the case wants."""
    if not case.wanted:
        return not found
    return all(group & found for group in case.wanted)
