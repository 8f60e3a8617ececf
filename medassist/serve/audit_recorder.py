"""Tells each question's outcome to the counts, and to the audit log if there is one.

A line of the log is on the disk before it counts as written, which takes a while; so
lines are written by a thread of their own, in order. Where they cannot be, no question
is taken any more: a log with gaps is none.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from medassist import __version__
from medassist.core.values import PaneName
from medassist.serve.audit import Audit, AuditError
from medassist.serve.errors import Refusal
from medassist.serve.log import tell
from medassist.serve.metrics import ROUTES, Metrics
from medassist.serve.served_pair import ServedPair
from medassist.serve.ticket import QuestionReport

MOST_WAITING: Final = 100
"""Lines that wait to be written, after which refusals are counted together."""


class AuditRecorder:
    """Keeps the counts and writes the audit log.

    Args:
        file: of the audit log; `None`: there is none.
        source: what answers.

    Raises:
        AuditError: the log cannot be written, or is not whole.
    """

    def __init__(self, file: Path | None, source: ServedPair) -> None:
        self.metrics = Metrics()
        self._source = source
        self._audit = Audit(file) if file is not None else None
        self._lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._writing: asyncio.Task[None] | None = None
        self._uncounted = 0
        """Refusals that were not written one by one."""

    def started(self) -> None:
        """The server takes requests."""
        if self._audit is not None:
            self._writing = asyncio.create_task(self._write())
        self._put(event="start", version=__version__)

    @property
    def waiting(self) -> int:
        """Lines that are not written yet."""
        return self._lines.qsize()

    def problem(self) -> str:
        """Why nothing may be answered now, in a sentence; empty: it may."""
        if self._audit is None or not self._audit.problem:
            return ""
        return "This server's audit log cannot be written, so nothing is answered."

    def done(self, report: QuestionReport) -> None:
        """A question went through the queue."""
        self.metrics.done(report)
        figures = report.figures
        hashes = {pane: self._known(pane) for pane in report.panes}
        self._put(
            event="question",
            user=report.user,
            request=report.id,
            route=report.route,
            models=hashes,
            tokens_in={p: f.tokens_read + f.tokens_reused for p, f in figures.items()},
            tokens_out={p: f.tokens_written for p, f in figures.items()},
            seconds=round(report.seconds, 3),
            outcome=report.outcome,
        )

    def _known(self, pane: PaneName) -> str | None:
        """The model of `pane`: its sha256, or what the engine elsewhere says it is."""
        found = self._source.provenance(pane)
        if host := self._source.answers_from:
            return f"{found.get('model')} at {host}"
        return found.get("sha256")

    def refused(self, user: str | None, path: str, refusal: Refusal) -> None:
        """A request was refused."""
        if self.waiting >= MOST_WAITING:
            # Who is not let in may ask as often as a disk cannot write.
            self._uncounted += 1
            return
        more, self._uncounted = self._uncounted, 0
        # The path is the client's text: only our own names of routes are kept.
        route = ROUTES.get(path, "other")
        self._put(
            event="refused",
            user=user,
            route=route,
            outcome=refusal.code,
            **({"and_more": more} if more else {}),
        )

    def records(self, user: str, outcome: str) -> None:
        """Somebody's own records were begun, opened, closed or deleted, or not."""
        self._put(event="records", user=user, outcome=outcome)

    async def close(self) -> None:
        """Write what is left, and close the log."""
        if self._audit is None:
            return
        if self._writing is not None:
            self._put(event="end")
            self._lines.put_nowait(None)
            await self._writing
        self._audit.close()

    def _put(self, **line: Any) -> None:
        if self._audit is not None:
            self._lines.put_nowait(line)

    async def _write(self) -> None:
        assert self._audit is not None
        while (line := await self._lines.get()) is not None:
            try:
                await asyncio.to_thread(self._audit.write, **line)
            except AuditError as error:
                tell(str(error))
