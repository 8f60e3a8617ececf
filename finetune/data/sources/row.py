"""A row of a table, and what its readers ask of those who know its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Names = tuple[str, ...]


@dataclass(frozen=True)
class TableRow:
    """A row.

    Attributes:
        key: its number or its key within the file.
        cells: by their columns; of Parquet and Arrow only those that were chosen.
        columns: the names of all its columns, in their order; a name can stand twice.
    """

    key: str
    cells: dict[str, Any]
    columns: Names


@dataclass(frozen=True)
class WantedColumns:
    """Wanted columns by name, and which of them may hold turns of a conversation.

    Attributes:
        choose: which are read; asked once a file.
        kind: the fields that a record of them has; none if they make no record.
    """

    choose: Callable[[Names, Names], Sequence[str]]
    kind: Callable[[Names, Names], Names | None]
