"""Red flags of a consultation: found, shown, and marked as read.

The rules run on a question when it has been sent and before a model is asked; what
they find stands above the answers until the clinician has marked it as read. What a
model writes is never looked at here, so that no answer can raise or hide a flag.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from medassist.consult.consultation import Consultation
    from medassist.consult.turn import Turn
    from medassist.safety.red_flags.conversation import Raised

    Keep = Callable[[Turn, tuple[Raised, ...]], None]

DRAWN_S = 1.0
"""The longest that a question waits for the panel to be drawn."""


def not_checked(reason: str) -> str:
    """A sentence on why questions are not checked; empty if they are."""
    return f"Questions are not checked for red flags: {reason}" if reason else ""


class Panel(Protocol):
    """Protocol of what shows red flags."""

    def show(self, raised: tuple[Raised, ...], reason: str, foreign: bool) -> None: ...

    async def wait_for_refresh(self) -> bool: ...


@dataclass(frozen=True)
class ShownFlag:
    """A red flag that was shown, its turn, and whether it was read."""

    raised: Raised
    turn: Turn
    read: bool = False


class RedFlags:
    """The flags of one consultation.

    Args:
        panel: Shows what has not been read.
        keep: Is given what was raised by the question of a turn.
    """

    def __init__(self, panel: Panel, keep: Keep) -> None:
        self._panel = panel
        self._keep = keep
        self._consultation: Consultation | None = None
        self._shown: list[ShownFlag] = []
        self._by_turn: dict[Turn, tuple[Raised, ...]] = {}
        self._drawn: tuple[tuple[Raised, ...], str, bool] = ((), "", False)
        self.foreign = False
        """The last question, or a part of it, was not English."""
        self._warming: asyncio.Task[str] | None = None
        self._catching: asyncio.Task[None] | None = None
        self.reason = ""
        """Why questions are not checked, as the end of a sentence; empty: they are."""

    def warm(self) -> None:
        """Read the rules in the background, so that the first question need not wait.

        A question that comes before they are read waits for them.
        """
        if self._warming is None:
            self._warming = asyncio.create_task(asyncio.to_thread(_read_rules))

    async def check(self, consultation: Consultation, turn: Turn) -> None:
        """Find the flags of the question of `turn`; return once they are shown.

        Never fails and never keeps a question from being asked. A turn that is
        answered again is not checked again.
        """
        self.follow(consultation)
        if turn in self._by_turn:
            return
        self.warm()
        assert self._warming is not None
        self.reason = await asyncio.shield(self._warming)
        if self.reason:
            self._not_checked()
            return
        turns = consultation.turns
        before = turns[: turns.index(turn)] if turn in turns else []
        earlier = [asked.question for asked in before]
        try:
            raised, foreign = await asyncio.to_thread(found_in, turn.question, earlier)
        except Exception as error:
            self.reason = why_not(error)
            self._not_checked()
            return
        if self._consultation is not consultation:
            return
        self._by_turn[turn] = raised
        if raised:
            self._keep(turn, raised)
        self.foreign = foreign
        known = {shown.raised.flag.id for shown in self._shown}
        # With words of an earlier question a flag is raised once; alone, each time.
        new = [r for r in raised if r.alone or r.flag.id not in known]
        again = {r.flag.id for r in new}
        self._shown = [s for s in self._shown if s.raised.flag.id not in again]
        self._shown += [ShownFlag(r, turn) for r in new]
        self._draw()
        if new or foreign:
            await self._until_drawn()

    def _not_checked(self) -> None:
        self._warming = None  # the next question tries again
        self._draw()

    @property
    def problem(self) -> str:
        """Why questions are not checked, in a sentence; empty if they are."""
        return not_checked(self.reason)

    def follow(self, consultation: Consultation) -> None:
        """Start anew if `consultation` is another than before.

        What was asked in it already, before it was saved and opened again, is checked
        in the background: whether its flags were read is not kept.
        """
        if consultation is not self._consultation:
            self._consultation = consultation
            self._shown, self._by_turn, self.foreign = [], {}, False
            self._draw()
        turns, checked = consultation.turns, self._by_turn
        behind = [turn for turn in turns if turn.over and turn not in checked]
        if behind and (self._catching is None or self._catching.done()):
            self._catching = asyncio.create_task(self._catch_up(consultation, behind))

    async def _catch_up(self, consultation: Consultation, behind: list[Turn]) -> None:
        for turn in behind:
            if self._consultation is consultation:
                await self.check(consultation, turn)

    @property
    def shown(self) -> tuple[ShownFlag, ...]:
        """All flags of the consultation: unread before read, the most urgent first."""
        order = sorted(self._shown, key=lambda s: (s.read, s.raised.flag.rank))
        return tuple(order)

    def mark_read(self, seen: Sequence[ShownFlag]) -> None:
        """Mark `seen` as read; newer flags stay unread."""
        read = [shown.raised for shown in seen]
        self._shown = [replace(s, read=s.read or s.raised in read) for s in self._shown]
        self._draw()

    def _draw(self) -> None:
        """Show how it stands, where that is another than what is shown."""
        unread = tuple(shown.raised for shown in self.shown if not shown.read)
        now = (unread, self.reason, self.foreign)
        if now != self._drawn:
            self._drawn = now
            self._panel.show(*now)

    async def _until_drawn(self) -> None:
        """Wait until the panel has been drawn, within a bound."""
        try:
            await asyncio.wait_for(self._panel.wait_for_refresh(), DRAWN_S)
        except TimeoutError:
            return


def _read_rules() -> str:
    """Read the rules; why that failed, else an empty text. Takes half a second."""
    try:
        from medassist.safety.language import is_foreign
        from medassist.safety.red_flags import find_red_flags

        find_red_flags("the rules are read here")
        is_foreign("the tables are read here")
    except Exception as error:
        return why_not(error)
    return ""


def why_not(error: Exception) -> str:
    """Why a question is not checked after `error`, as the end of a sentence."""
    # Whatever is wrong with the rules, the question is asked and this is told. Of the
    # error only its kind: its text may quote the question.
    kind = type(error).__name__
    return f"the rules could not be read ({kind}). Install medassist again."


def found_in(question: str, earlier: list[str]) -> tuple[tuple[Raised, ...], bool]:
    """The flags of `question`, and whether not all of it is English."""
    from medassist.safety.language import is_foreign
    from medassist.safety.red_flags.conversation import raised_by

    return raised_by(question, earlier), is_foreign(question)
