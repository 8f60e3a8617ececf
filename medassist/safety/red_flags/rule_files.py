"""Schemas of the rule files: what each line of them may be."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from medassist.frozen_model import FrozenModel

FOLDER: Final = Path(__file__).parent
Urgency = Literal["minutes", "hours", "today"]
Sex = Literal["female", "male"]
Units = tuple[tuple[str, float, float, float], ...]
"""Unit, factor to the first one, lowest and highest number in it."""


class FlagRow(FrozenModel):
    """A flag, as a rule file has it."""

    title: str = Field(min_length=5, max_length=80)
    say: str = Field(min_length=40, max_length=600)
    urgency: Urgency
    """How soon harm may be done; it orders flags and is never shown: no triage."""
    panel: bool = False
    """A fixed panel: self-harm, harm to others, abuse."""
    source: str = ""
    """Where it differs from the file's."""
    sex: Sex | None = None
    """The only sex that can have it; where it differs from the file's."""
    when: tuple[tuple[str, ...], ...] = Field(min_length=1)
    unless: tuple[str, ...] = ()


class FieldFile(FrozenModel):
    """One rule file."""

    field: str
    source: str = Field(min_length=10)
    """What the rules of this file stand on."""
    sex: Sex | None = None
    """The only sex that can have what its flags name."""
    flags: dict[str, FlagRow]
    concepts: dict[str, list[str]] = {}
    background: tuple[str, ...] = ()
    """Concepts that count although they lie in the past: what puts at risk."""
    of_relatives: tuple[str, ...] = Field((), alias="of-relatives")
    """Concepts that count although they are told of a relative."""


class ConceptFile(FrozenModel):
    """concepts.toml."""

    concepts: dict[str, list[str]]
    background: tuple[str, ...] = ()
    contradicted: dict[str, str] = {}
    """Concepts that do not count where every value of a kind says otherwise."""


class CueFile(FrozenModel):
    """cues.toml."""

    numbers: str
    words: dict[str, str]
    phrases: dict[str, list[str]]


class LimitRow(FrozenModel):
    """A limit of measures.toml beyond which a value speaks for itself."""

    holds: str = Field(alias="is", pattern=r"^[<>]=?\d")
    ages: tuple[float, float] = (0, 200)
    unless: tuple[str, ...] = ()
    source: str


class KindRow(FrozenModel):
    """A row of measures.toml; what each line means is said at its head."""

    names: tuple[str, ...]
    base: str = Field("", alias="is")
    units: Units = ()
    reach: int = 5
    whole: bool = False
    written: str = ""
    with_unit: bool = Field(False, alias="with-unit")
    loose: bool = False
    called: str = ""
    laboratory: bool = False
    alone: tuple[LimitRow, ...] = ()


class ValueFlagRow(FrozenModel):
    """The flag of values that speak for themselves."""

    title: str = Field(min_length=5, max_length=80)
    say: str = Field(min_length=40, max_length=400)
    urgency: Urgency


class MeasureFile(FrozenModel):
    """measures.toml."""

    sources: dict[str, str]
    not_a_pressure: str = Field(alias="not-a-pressure")
    flags: dict[str, ValueFlagRow]
    said: dict[str, list[str]] = {}
    """Words that are a value by themselves: "responds to pain only" is "gcs=8"."""
    measures: dict[str, KindRow]


class LanguageFile(FrozenModel):
    """Words of another language than English for what the rules look for."""

    words: dict[str, str]
    heads: str = ""
    """Last parts of words that the language puts together as it needs them."""
    shades: str = ""
    """Last parts of such words that say all: kohlrabenschwarz is black."""
    endings: tuple[tuple[str, str], ...] = ()
    """Endings of a word of the rules, each with what stands there in the rules."""
    verb_last: bool = Field(False, alias="verb-last")
    """Two words of a phrase with a gap between them may change places in a clause."""
    cues: CueFile
    concepts: dict[str, list[str]]
    names: dict[str, list[str]]
    """What values are called beside their English names."""
    said: dict[str, list[str]] = {}
    """Words that are a value by themselves, as in measures.toml."""
    other_names: tuple[str, ...] = Field(alias="other-names")
    """English names of values that mean something else: RR is a pressure in German."""
    units: dict[str, Units] = {}
    """Units of values that are more usual there; they are tried first."""
    spelt: dict[str, str] = {}
    """Other spellings of a word: dialects as they are typed, short forms."""


def read(name: str) -> dict[str, object]:
    """Read and check a file of this folder."""
    return tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))
