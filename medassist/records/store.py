"""The open records: every write is awaited until it is on disk.

Reading has a connection and a thread of its own, so that a search does not wait for
what is being written, nor the screen for either.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from medassist.records import deletion, history, search, sql_writes, stored_consultation
from medassist.records.cipher import Connection, database_error
from medassist.records.errors import InUse, Locked, of_database
from medassist.records.history import PAGE, Filter, RecordedVerdict, Summary
from medassist.records.search import SearchHit
from medassist.records.sql_writes import StoredState
from medassist.records.stored_consultation import Saved
from medassist.records.writer import Change, Writer

if TYPE_CHECKING:
    from medassist.consult.answer import ModelFile, Source
    from medassist.consult.sides import Sides
    from medassist.consult.verdict import Verdict
    from medassist.core.values import Figures, PaneName
    from medassist.records.record import FlagShown, WarningGiven

T = TypeVar("T")
NOTHING = Filter()


class Store:
    """The unlocked records; made and closed by `Vault`.

    Every coroutine that writes returns when what it wrote outlasts the death of the
    program and of the computer, and raises:
        NotSaved: the disk is full, read-only or gone; nothing of this call is kept.
        Locked: the records were locked meanwhile.
        InUse: another window writes; this one can only read.
        RecordsError: what it is about is not there, or the file is damaged.
    """

    def __init__(
        self, file: Path, reading: Connection, writing: Connection | None
    ) -> None:
        self.file = file
        self.broken_off = 0
        """Answers that a program that was ended was still writing."""
        self._failure = database_error()
        self._reading = reading
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="records-reading")
        self._closed = False
        self._ids = itertools.count(_largest_id(reading) + 1)
        self._writer = Writer(writing, file) if writing else None

    @property
    def read_only(self) -> bool:
        """Whether another window writes, so that nothing can be changed here."""
        return self._writer is None

    def new_id(self) -> int:
        """A new id for a consultation, turn or answer."""
        return next(self._ids)

    async def write(self, changes: Sequence[Change]) -> None:
        """Make all `changes` (of `sql_writes`), in this order, or none of them."""

        def all_of_them(db: Connection) -> None:
            for change in changes:
                change(db)

        await self._submit(all_of_them)

    # A consultation as it grows

    async def begin(self, title: str, created: datetime) -> int:
        """Insert a consultation without turns; returns its id."""
        number = self.new_id()
        await self._submit(lambda db: sql_writes.begin(db, number, title, created))
        return number

    async def add_turn(
        self, consultation: int, question: str, after: int | None, time: datetime
    ) -> int:
        """Insert a turn after another one, or as the first; returns its id."""
        turn = self.new_id()
        await self.write(
            [
                lambda db: sql_writes.add_turn(
                    db, consultation, turn, after, question, time
                ),
                lambda db: sql_writes.set_leaf(db, consultation, turn),
                lambda db: sql_writes.touch(db, consultation, time),
            ]
        )
        return turn

    async def add_answer(
        self, turn: int, pane: PaneName, source: Source, seed: int
    ) -> int:
        """Insert an answer that will be written; returns its id."""
        answer = self.new_id()
        await self._submit(
            lambda db: sql_writes.add_answer(db, answer, turn, pane, source, seed)
        )
        return answer

    async def append(self, answer: int, start: int, piece: str, tokens: int) -> None:
        """Append a piece at character `start` of an answer."""
        await self._submit(
            lambda db: sql_writes.append(db, answer, start, piece, tokens)
        )

    async def end(
        self,
        answer: int,
        state: StoredState,
        text: str,
        tokens: int,
        figures: Figures | None = None,
        failure: str = "",
    ) -> None:
        """Finish an answer whose whole text is `text`."""
        await self._submit(
            lambda db: sql_writes.end(db, answer, state, text, tokens, figures, failure)
        )

    # What others say about it

    async def set_flags(self, turn: int, flags: Sequence[FlagShown]) -> None:
        """Set the red flags shown with a turn."""
        await self._submit(lambda db: sql_writes.set_flags(db, turn, flags))

    async def add_verdict(self, turn: int, verdict: Verdict) -> None:
        """Insert a verdict on a turn; earlier ones stay."""
        await self._submit(lambda db: sql_writes.add_verdict(db, turn, verdict))

    async def add_warning(self, consultation: int, warning: WarningGiven) -> None:
        """Insert a warning of identifiers."""
        await self._submit(lambda db: sql_writes.add_warning(db, consultation, warning))

    async def set_sides(self, consultation: int, sides: Sides) -> None:
        """Set which pane is A, whether names are hidden, and when revealed."""
        await self._submit(lambda db: sql_writes.set_sides(db, consultation, sides))

    async def set_fingerprint(self, file: ModelFile, sha256: str) -> None:
        """Set the sha256 of a model file."""
        await self._submit(lambda db: sql_writes.set_fingerprint(db, file, sha256))

    async def sign_off(self, consultation: int, time: datetime | None) -> None:
        """Mark as reviewed at `time`; `None` takes it back."""
        await self._submit(lambda db: sql_writes.sign_off(db, consultation, time))

    # History

    async def rename(self, consultation: int, title: str) -> None:
        """Change the title of a consultation."""
        await self._submit(lambda db: sql_writes.rename(db, consultation, title))

    async def delete(self, consultations: Sequence[int]) -> int:
        """Delete consultations for good; returns how many there were.

        `deletion.WHAT_DELETION_MEANS` is what the user has to know before.
        """
        chosen = tuple(consultations)
        removed = await self._submit(lambda db: deletion.delete(db, chosen))
        await self._submit(deletion.rewrite, alone=True)
        return removed

    async def count(self, chosen: Filter = NOTHING) -> int:
        """Number of consultations that match the filter."""
        return await self._read(lambda db: history.count(db, chosen))

    async def page(
        self, chosen: Filter = NOTHING, offset: int = 0, limit: int = PAGE
    ) -> tuple[Summary, ...]:
        """One page of the consultations, the last changed first."""
        return await self._read(lambda db: history.page(db, chosen, offset, limit))

    async def search(
        self, typed: str, chosen: Filter = NOTHING, offset: int = 0, limit: int = PAGE
    ) -> tuple[SearchHit, ...]:
        """Find the consultations that contain all terms."""
        return await self._read(
            lambda db: search.search(db, typed, chosen, offset, limit)
        )

    async def reopen(self, consultation: int, branch: int | None = None) -> Saved:
        """Load a consultation: its shown branch, or the one through turn `branch`."""
        return await self._read(
            lambda db: stored_consultation.reopen(db, consultation, branch)
        )

    async def verdicts(self) -> tuple[RecordedVerdict, ...]:
        """Every verdict, in the order in which they were given."""
        return await self._read(history.verdicts)

    def close(self) -> None:
        """Write what is queued and forget the key. Blocks; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._reader.shutdown(wait=True)
        # Before the writer's, whose connection empties the log as the last one.
        with suppress(self._failure):
            self._reading.close()
        if self._writer:
            self._writer.close()

    async def _submit(
        self, change: Callable[[Connection], T], *, alone: bool = False
    ) -> T:
        if self._writer is None:
            raise InUse(
                "The records can only be read here, because another window of "
                "medassist writes them. Close that window to write in this one."
            )
        future = self._writer.submit(change, alone=alone)
        # Who stops waiting does not stop the writing.
        return await asyncio.shield(asyncio.wrap_future(future))

    async def _read(self, query: Callable[[Connection], T]) -> T:
        def work() -> T:
            try:
                # One state of the records for all that is asked in it.
                self._reading.execute("BEGIN")
                try:
                    return query(self._reading)
                finally:
                    self._reading.execute("ROLLBACK")
            except self._failure as error:
                raise of_database(error, self.file) from None

        try:
            future = self._reader.submit(work)
        except RuntimeError:  # after `close`
            raise Locked("The records are locked.") from None
        return await asyncio.wrap_future(future)


def _largest_id(db: Connection) -> int:
    row = db.execute(
        "SELECT max((SELECT coalesce(max(id), 0) FROM consultation),"
        " (SELECT coalesce(max(id), 0) FROM turn),"
        " (SELECT coalesce(max(id), 0) FROM answer))"
    ).fetchone()
    return int(row[0])
