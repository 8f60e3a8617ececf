"""Meaning of a table's columns: by the user's map, or by names that tell it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from finetune.data.sources.csv_rows import check_columns, listed, refuse_twice
from finetune.errors import FinetuneError
from medassist.frozen_model import FrozenModel

WHAT = "the column map"
NAMES = Path(__file__).with_name("table_columns.yaml")
KINDS = (("messages",), ("question", "answer"), ("text",))
FIELDS = (
    *("text", "question", "answer", "context", "instruction", "input", "system"),
    *("options", "history", "messages", "id", "group", "title", "licence"),
)
_BETWEEN_WORDS = re.compile(r"[\s_.-]+")
_SERIES = re.compile(r"(.*?)_?([a-j]|\d)")
LONGEST_NAME = 60  # characters, above which a column's name is none
FEWEST_LETTERS = 3  # columns called by a letter alone that can be options


class _Names(FrozenModel):
    fields: Mapping[str, tuple[str, ...]]
    options: tuple[str, ...]
    option_stems: tuple[str, ...]
    right: tuple[str, ...]
    right_perhaps: tuple[str, ...]


@cache
def _names() -> _Names:
    return _Names.model_validate(yaml.safe_load(NAMES.read_text("utf-8")))


@dataclass(frozen=True)
class ColumnMap:
    """Columns of a row, by their meaning.

    Attributes:
        fields: the column of each of our fields, but for the options.
        options: the columns with the options of a multiple choice; one that holds them
            all, or one for each. Empty where there are none.
        asked: whether the user named the options; else the names said it.
    """

    fields: Mapping[str, str]
    options: tuple[str, ...] = ()
    asked: bool = False

    @property
    def used(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (*self.fields.values(), *self.options)

    @property
    def kind(self) -> tuple[str, ...]:
        """The fields that a row must have."""
        kind = kind_of(self.fields)
        assert kind is not None
        return kind


def kind_of(fields: Mapping[str, str]) -> tuple[str, ...] | None:
    """The fields that make a record, of those that are named; none if they do not."""
    return next((kind for kind in KINDS if all(name in fields for name in kind)), None)


def asked_map(file: Path, wish: Mapping[str, str], columns: Sequence[str]) -> ColumnMap:
    """The map that a user made, held against the columns that are there.

    Options that the user did not name come along if their names say what they are: an
    answer that only points at them is none without them.

    Raises:
        FinetuneError: a column that it names is missing, or is there twice.
    """
    fields = {ours: name for ours, name in wish.items() if ours != "options"}
    named = wish.get("options", "")
    options = tuple(part.strip() for part in named.split(",")) if named else ()
    if named in columns:
        options = (named,)
    check_columns(file, columns, [*fields.values(), *options], WHAT)
    asked = bool(options)
    if not asked and "answer" in fields:
        left = [name for name in columns if name not in fields.values()]
        options = _option_columns(left)
    return ColumnMap(fields, options, asked)


def guessed_map(
    file: Path, columns: Sequence[str], talks: Sequence[str] = ()
) -> ColumnMap | None:
    """The map that the columns' names make; none if they make no record.

    Args:
        file: for errors.
        columns: that are there.
        talks: those of them that hold turns of a conversation, whatever their names.

    Raises:
        FinetuneError: a column that is used is there twice.
    """
    names = _names()
    options = _option_columns(columns)
    wanted = dict(names.fields)
    if options:
        plain = names.fields["answer"]
        wanted["answer"] = (*names.right, *plain, *names.right_perhaps)
    folded: dict[str, list[str]] = {}
    for name in columns:
        if name not in options:
            folded.setdefault(_folded(name), []).append(name)
    guessed: dict[str, str] = {}
    taken: list[str] = []
    for ours, usual in wanted.items():
        found = next((n for n in usual if n in folded and n not in taken), None)
        if found is not None:
            taken.append(found)
            guessed[ours] = folded[found][0]
    kind = kind_of(guessed)
    if talks and kind in (None, ("text",)):
        # TRL's `chosen` is a whole conversation where there is no prompt beside it.
        guessed["messages"] = next(
            (t for t in talks if _folded(t) == "chosen"), talks[0]
        )
        for ours in ("question", "answer"):
            guessed.pop(ours, None)
        kind = ("messages",)
    if kind is None:
        return None
    others = {name for each in KINDS if each != kind for name in each}
    if kind != ("question", "answer"):
        others |= {"context", "instruction", "input", "history"}
        options = ()
    fields = {ours: name for ours, name in guessed.items() if ours not in others}
    for name in (*fields.values(), *options):
        refuse_twice(file, [each for each in columns if _folded(each) == _folded(name)])
    return ColumnMap(fields, options)


def none_known(file: Path, columns: Sequence[str]) -> FinetuneError:
    """Error text for a table in which no name tells what a column is."""
    wish = {
        "question": columns[0] if columns else "Patient",
        "answer": columns[-1] if len(columns) > 1 else "Doctor",
    }
    # Names come from the file, and the line is to be copied into a shell.
    typed = shlex.quote(f"columns={json.dumps(wish, ensure_ascii=False)}")
    return FinetuneError(
        f"{file} has the columns {listed(columns)}, none of which says by its name "
        "what it is: a question and its answer, a text, a conversation; name them by "
        f"--option {typed}"
        + (
            ". If these are no names but the first row, put a line with names above it"
            if any(len(name) > LONGEST_NAME for name in columns)
            else ""
        )
    )


def _folded(name: str) -> str:
    return _BETWEEN_WORDS.sub("_", name.strip().casefold())


def _option_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """The columns whose names say that they hold the options of a multiple choice."""
    names = _names()
    for usual in names.options:
        for name in columns:
            if _folded(name) == usual:
                return (name,)
    series: dict[str, dict[str, str]] = {}
    for name in columns:
        found = _SERIES.fullmatch(_folded(name))
        if found is not None and found[1] in names.option_stems:
            series.setdefault(found[1], {}).setdefault(found[2], name)
    for stem in names.option_stems:
        marks = series.get(stem, {})
        for first in "a01":
            run: list[str] = []
            while (mark := chr(ord(first) + len(run))) in marks:
                run.append(marks[mark])
            if len(run) >= (2 if stem else FEWEST_LETTERS) and (stem or first == "a"):
                return tuple(run)
    return ()
