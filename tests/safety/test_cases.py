"""The cases for the red flags are sound: what the figures of the rules stand on."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from tests.safety import value_cases

FOLDER = Path(__file__).parent / "cases"
SEEN, UNSEEN = FOLDER / "red_flags.jsonl", FOLDER / "red_flags_unseen.jsonl"

Name = Literal[
    "internal medicine",
    "surgery",
    "paediatrics",
    "obstetrics",
    "neurology",
    "psychiatry",
    "toxicology",
]
FIELDS: tuple[Name, ...] = Name.__args__
KINDS = {
    "negated",
    "history",
    "family",
    "hypothetical",
    "benign look-alike",
    "unrelated",
}


class Flag(BaseModel):
    """A line of flags.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    field: Name
    meaning: str = Field(min_length=20, max_length=160)


class Case(BaseModel):
    """A line of the two files."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    id: str = Field(pattern=r"^rf-\d{4}$")
    text: str = Field(min_length=15)
    flags: list[str]
    field: Name
    why: str = Field(min_length=3)
    block: Literal[False] | None = None


@cache
def cases(file: Path) -> list[Case]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [Case.model_validate_json(line) for line in lines]


@cache
def flags() -> dict[str, Flag]:
    text = (FOLDER / "flags.toml").read_text(encoding="utf-8")
    return {name: Flag.model_validate(row) for name, row in tomllib.loads(text).items()}


def joined_cases(length: int) -> str:
    """Cases one after the other, as many characters as wanted."""
    text = " ".join(case.text for case in cases(SEEN))
    return (text * (length // len(text) + 1))[:length]


def everything() -> list[Case]:
    return [*cases(SEEN), *cases(UNSEEN)]


def kind(case: Case) -> str:
    return "positive" if case.flags else case.why


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.casefold()))


def test_every_case_has_an_id_of_its_own() -> None:
    twice = [
        name for name, n in Counter(case.id for case in everything()).items() if n > 1
    ]
    assert not twice


def test_every_flag_of_a_case_is_explained_and_named_once() -> None:
    for case in everything():
        assert set(case.flags) <= flags().keys(), case.id
        assert len(case.flags) == len(set(case.flags)), case.id


def test_the_flags_cover_every_field() -> None:
    assert 45 <= len(flags()) <= 80
    assert {flag.field for flag in flags().values()} == set(FIELDS)


def test_every_flag_has_cases_to_write_against_and_one_that_was_not_seen() -> None:
    seen, unseen = (
        Counter(name for case in cases(file) for name in case.flags)
        + Counter(case.kind for case in value_cases.read(which))
        for file, which in ((SEEN, "seen"), (UNSEEN, "unseen"))
    )
    assert {name: seen[name] for name in flags() if seen[name] < 2} == {}
    assert {name: unseen[name] for name in flags() if unseen[name] < 1} == {}


def test_what_must_stay_silent_says_of_which_kind_it_is() -> None:
    for case in everything():
        assert (case.why in KINDS) is (not case.flags), case.id


def test_there_are_cases_enough_and_more_than_half_are_emergencies() -> None:
    assert len(everything()) >= 390
    for file in (SEEN, UNSEEN):
        positive = sum(bool(case.flags) for case in cases(file))
        assert 0.50 <= positive / len(cases(file)) <= 0.60, file.name


@pytest.mark.parametrize("field", FIELDS)
def test_the_unseen_third_is_drawn_evenly_from_the_field(field: Name) -> None:
    seen, unseen = (
        Counter(kind(case) for case in cases(file) if case.field == field)
        for file in (SEEN, UNSEEN)
    )
    assert seen.keys() == unseen.keys() == {"positive", *KINDS}
    for name in seen:
        third = (seen[name] + unseen[name]) / 3
        assert abs(unseen[name] - third) <= 1.5, name


def test_no_text_stands_in_both_files_or_twice_in_one() -> None:
    rows = [(case, words(case.text)) for case in everything()]
    for i, (case, mine) in enumerate(rows):
        for other, theirs in rows[i + 1 :]:
            alike = len(mine & theirs) / len(mine | theirs)
            assert alike < 0.6, f"{case.id} and {other.id} say the same"


def test_texts_of_one_line_without_space_at_the_ends() -> None:
    for case in everything():
        assert case.text == case.text.strip()
        assert case.text.isprintable(), case.id


def test_questions_about_risk_come_with_and_without_a_patient() -> None:
    asked = [case for case in everything() if case.block is False]
    for file in (SEEN, UNSEEN):
        here = [case for case in asked if case in cases(file)]
        assert {bool(case.flags) for case in here} == {True, False}, file.name
    psychiatric = {name for name, flag in flags().items() if flag.field == "psychiatry"}
    for case in asked:
        assert case.field == "psychiatry" or psychiatric & set(case.flags), case.id
