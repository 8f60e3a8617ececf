"""Shapes of a table in JSON: a list of rows, rows under keys, or its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from finetune.errors import FinetuneError

KindOfRecord = Callable[[tuple[str, ...], tuple[str, ...]], tuple[str, ...] | None]
"""The fields of the record that columns make, by their names and which hold turns."""
Shape = Literal[
    "rows",
    "under keys",
    "lists at keys",
    "lists of wrapped rows at keys",
    "columns and data",
    "a list for each column",
    "an object for each column",
]


def shape_of(members: Mapping[str, str], kind_of_record: KindOfRecord) -> Shape:
    """Shape of a table whose first object has these members."""
    kinds = set(members.values())
    talks = tuple(name for name, kind in members.items() if kind == "list of turns")
    if members.get("columns") == "list of values" and (
        members.get("data") in ("list of lists", "list of nothing")
    ):
        return "columns and data"
    kind = kind_of_record(tuple(members), talks)
    record, talk = kind is not None, kind == ("messages",)
    lists = {kind for kind in kinds if kind.startswith("list")}
    # A talk can be a list of texts, so that a list says nothing there.
    of_lists = "list of lists" in kinds or ("list of values" in kinds and not talk)
    if record and lists == kinds and of_lists:
        return "a list for each column"
    objects = {kind for kind in kinds if kind.startswith("object")}
    if record and objects == kinds:
        return "an object for each column"
    if record:
        return "rows"
    if "list of wrapped rows" in kinds:
        return "lists of wrapped rows at keys"
    if "list of objects" in kinds:
        return "lists at keys"
    return "under keys" if objects or lists else "rows"


def by_columns(
    whole: Mapping[str, Any], shape: Shape, file: Path
) -> Iterator[dict[str, Any]]:
    """The rows of a table that was written by its columns.

    Raises:
        FinetuneError: the columns are of different lengths.
    """
    if shape == "columns and data":
        names = [str(name) for name in whole["columns"]]
        if len(set(names)) < len(names):
            raise FinetuneError(f"{file} has two columns of one name; rename one")
        for cells in whole["data"]:
            yield dict(zip(names, cells, strict=False))
        return
    if shape == "an object for each column":
        keys = list(dict.fromkeys(key for column in whole.values() for key in column))
        for key in keys:
            yield {name: column.get(key) for name, column in whole.items()}
        return
    lengths = {name: len(column) for name, column in whole.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise FinetuneError(
            f"{file}: its columns are lists of different lengths ({told}); a table has "
            "as many cells in each"
        )
    for cells in zip(*whole.values(), strict=True):
        yield dict(zip(whole, cells, strict=True))
