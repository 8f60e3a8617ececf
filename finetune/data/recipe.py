"""The recipe's key `data`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from medassist.frozen_model import FrozenModel

ALLOWED_LICENCES = (
    "public domain",
    "CC0",
    "CC BY",
    "CC BY-SA",
    "MIT",
    "Apache",
)
"""Licences that let everybody train, change and pass on, commerce included."""

Scalar = str | int | float | bool
Option = Scalar | list[Scalar] | dict[str, Scalar] | None


class SourcePart(FrozenModel):
    """A data set and its place."""

    name: str
    """Name in `medassist finetune prepare --list`: medquad, pmc-oa, table, text."""
    path: str
    """A file or a folder; a relative one is sought from the recipe's own folder."""
    options: dict[str, Option] = Field(default_factory=dict)
    """Options of the source: a column map, a part of the set."""
    licence: str | None = None
    """Licence by its owner, where the files name none; yours to know."""


class Lengths(FrozenModel):
    """Minimum and maximum characters of a record."""

    text_shortest: int = Field(default=200, ge=0)
    """Data sets whose texts are short by their nature have a bound of their own, unless
    another number than the usual one is given here."""
    text_longest: int = Field(default=1_000_000, ge=1)
    question_longest: int = Field(default=20_000, ge=1)
    """All that is not the assistant's, the earlier turns included."""
    answer_shortest: int = Field(default=1, ge=0)
    answer_longest: int = Field(default=20_000, ge=1)
    """All of the assistant's turns together."""


class Duplicates(FrozenModel):
    """Bounds at which records count as duplicates."""

    exact: bool = True
    """The same words in the same order; blanks and line ends do not count."""
    near: bool = True
    """Found by MinHash, then compared word by word."""
    similarity: float = Field(default=0.8, gt=0.3, le=1)
    """Share of common runs of five words from which two texts are near duplicates. Of
    dialogues, questions and answers must both be that much alike: one answer to two
    questions is no duplicate."""


class Overlap(FrozenModel):
    """Exam questions that must not occur in the data."""

    exams: tuple[str, ...] = ()
    """Files of exams, or folders with them: JSON, JSON lines, CSV, Parquet or text."""
    words: int = Field(default=13, ge=5, le=50)
    """A record with so many words in a row of an exam's question is taken out. Shorter
    questions of six words and more count as a whole."""


class Split(FrozenModel):
    """Shares of the groups (documents or patients); together 1."""

    train: float = Field(default=0.8, gt=0, le=1)
    validation: float = Field(default=0.1, ge=0, lt=1)
    test: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        together = self.train + self.validation + self.test
        if abs(together - 1) > 1e-6:
            raise ValueError(
                f"train, validation and test must be 1 together, not {together:g}"
            )
        return self


class DataPart(FrozenModel):
    """Data sets, filters and splits."""

    sources: tuple[SourcePart, ...] = Field(min_length=1)
    """Sources in order of preference: of two duplicates the one read first stays."""
    licences: tuple[str, ...] = ALLOWED_LICENCES
    """What may be used. `unknown`, `retracted`, `CC BY-NC`, `TDM`, ... only where they
    are named here; `CC BY` stands for all its versions."""
    languages: tuple[str, ...] = ()
    """Only these, as `en`; by default all. Articles say theirs; of records that say
    none, English alone can be told from the rest."""
    lengths: Lengths = Lengths()
    duplicates: Duplicates = Duplicates()
    overlap: Overlap = Overlap()
    identifiers: Literal["warn", "drop"] = "warn"
    """Treatment of records in which something looks like a patient's identifier."""
    split: Split = Split()
    seed: int = 0
    """Another seed, another split."""

    @field_validator("languages")
    @classmethod
    def _short(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not re.fullmatch(r"[A-Za-z]{2,3}([-_]\w+)*", name):
                raise ValueError(
                    f"{name!r} is no language; expected its short name, as en, pt-BR"
                )
        return names

    @field_validator("licences")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not all(name.strip() for name in names):
            raise ValueError("a licence has no name")
        return names


def absolute(base: Path, path: str) -> Path:
    """A path of a recipe, made absolute from `base`."""
    return (base / Path(path).expanduser()).absolute()
