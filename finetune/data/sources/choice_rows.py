"""The multiple choice of a table's rows: question with options, answer in full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from finetune.data.sources.choices import (
    FEWEST,
    POINTING,
    AnswerColumn,
    Options,
    Way,
    in_full,
    is_answered,
    judge,
    options_of,
    points,
    right_options,
    with_options,
)
from finetune.data.sources.column_map import ColumnMap
from finetune.data.sources.data_source import Broken
from finetune.data.sources.row import TableRow
from finetune.errors import FinetuneError

Rows = Callable[[], Iterator[TableRow | Broken]]


@dataclass(frozen=True)
class Put:
    """A row's question and answer, as they are learned."""

    question: str
    answer: str


@dataclass(frozen=True)
class ChoiceRows:
    """Facts about a file's options, from one pass over its rows for each map.

    Attributes:
        file: for errors.
        rows: begins to read the file anew.
        first: from which the number of a right option counts, if the user says so.
        mapped: whether the user said which column is what.
    """

    file: Path
    rows: Rows
    first: int | None
    mapped: bool
    _known: dict[tuple[str, ...], AnswerColumn | None] = field(
        default_factory=dict[tuple[str, ...], AnswerColumn | None]
    )

    def put(
        self, row: TableRow, known: ColumnMap, question: str, answer: str
    ) -> Put | str | None:
        """The row with its options, or why it has none.

        Args:
            row: the row.
            known: what its columns are.
            question: without the options.
            answer: as it stands in its column.

        Returns:
            None where the row is no multiple choice; a reason where it is a broken one.

        Raises:
            FinetuneError: the numbers of right options count from 0 or from 1, and
                nothing tells which.
        """
        judged = self._judged(known)
        if judged is None or not any(row.cells.get(name) for name in known.options):
            return None
        name = known.fields["answer"]
        value, options = row.cells[name], options_of(row.cells, known.options)
        if options is None:
            return f"{', '.join(known.options)}: no options of a multiple choice"
        if not is_answered(value):
            answer = ""
        elif judged.way or points(value):
            right = right_options(value, options, judged.way) if judged.way else None
            if right is None:
                return f"{name} names none of the row's options"
            answer = in_full(options, right)
        return Put(with_options(question, options) if question else "", answer)

    def _judged(self, known: ColumnMap) -> AnswerColumn | None:
        """Finds how the right option is named; none if there is no multiple choice."""
        if not known.options:
            return None
        name = known.fields["answer"]
        key = (name, *known.options)
        if key not in self._known:
            found = judge(self._answers(name, known.options))
            self._known[key] = self._settled(found, name, known)
        return self._known[key]

    def _settled(
        self, found: AnswerColumn, name: str, known: ColumnMap
    ) -> AnswerColumn | None:
        if not found.rows:
            return None
        counts = found.differ or found.way in ("from 0", "from 1")
        if counts and self.first is not None:
            way: Way = "from 1" if self.first else "from 0"
            found = replace(found, way=way, differ=None)
        if found.differ:
            numbers = ", ".join(map(str, found.numbers))
            raise FinetuneError(
                f"{self.file}: {name} has the numbers {numbers}, which do not tell "
                "whether they count the options from 0 or from 1; say it by --option "
                "first_choice=0 or first_choice=1"
            )
        if known.asked:
            return found
        if self.mapped:
            # They come along where the answer that was asked for needs them.
            return found if found.way in POINTING else None
        # Columns that are called A, B, C can be anything; the answers tell. Those that
        # only point at something are not learned, whether it can be read or not.
        needed = found.pointing > FEWEST * found.rows
        alone = len(known.options) == 1 and found.readable
        return found if found.way or needed or alone else None

    def _answers(
        self, name: str, columns: tuple[str, ...]
    ) -> Iterator[tuple[Any, Options | None]]:
        try:
            for row in self.rows():
                if isinstance(row, Broken):
                    continue
                if any(row.cells.get(column) for column in columns):
                    yield row.cells.get(name), options_of(row.cells, columns)
        except FinetuneError:
            return  # the reading proper tells it
