"""Saves a consultation while it goes on.

The screen changes the `Record` and calls `save` as often as it draws. What has come
since the last time is worked out here, written as one transaction, and counts as kept
once the disk has it. If that fails, the consultation goes on unsaved, `trouble` says
why, and a later `save` writes all that is missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from medassist.consult.answer import Answer, ModelFile
from medassist.consult.sides import Sides
from medassist.consult.turn import Turn
from medassist.consult.verdict import Verdict, now
from medassist.core.values import PANES, PaneName
from medassist.records import sql_writes
from medassist.records.cipher import Connection
from medassist.records.errors import Locked, RecordsError
from medassist.records.record import FlagShown, Record
from medassist.records.sql_writes import StoredState
from medassist.records.stored_consultation import Saved
from medassist.records.writer import Change

AGAIN_S = 5.0
"""Seconds after a failure before `save` tries again."""


class Saving(Protocol):
    """The part of `medassist.records.store.Store` that is used here."""

    def new_id(self) -> int: ...

    async def write(self, changes: list[Change]) -> None: ...


class Unlockable(Protocol):
    """The part of `medassist.records.vault.Vault` that is used here."""

    @property
    def store(self) -> Saving | None: ...


@dataclass(frozen=True)
class _KeptAnswer:
    id: int
    length: int = 0
    tokens: int = 0
    conditions: bool = False
    over: bool = False
    thought: int = 0
    """Characters of the thought."""
    restarts: int = 0
    rounds: int = 0
    """Times that it was gone on with."""


@dataclass(frozen=True)
class _KeptTurn:
    id: int
    left_out: bool = False
    shown: tuple[Answer | None, ...] = (None, None)
    flags: tuple[FlagShown, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


@dataclass
class _Kept:
    """State on the disk, and what the next transaction changes of it."""

    id: int | None = None
    title: str = ""
    sides: Sides = Sides()
    signed_off: object = None
    leaf: int | None = None
    warnings: int = 0
    hashes: dict[ModelFile, str] = field(default_factory=dict["ModelFile", "str"])
    turns: dict[Turn, _KeptTurn] = field(default_factory=dict["Turn", "_KeptTurn"])
    answers: dict[Answer, _KeptAnswer] = field(
        default_factory=dict["Answer", "_KeptAnswer"]
    )

    def copy(self) -> _Kept:
        return replace(
            self,
            hashes=dict(self.hashes),
            turns=dict(self.turns),
            answers=dict(self.answers),
        )


class Recorder:
    """Saves one consultation, as far as the records are open.

    A turn that disappears from the consultation is kept as another branch if anything
    was answered in it (its question was edited and asked again); if not, it was taken
    back and is removed.
    """

    def __init__(
        self, vault: Unlockable, record: Record, saved: Saved | None = None
    ) -> None:
        """Begin to keep `record`.

        Args:
            vault: the records.
            record: the consultation, new or reopened.
            saved: what it was reopened as.
        """
        self.record = record
        self.trouble = ""
        """Why not everything is saved, in a sentence; empty: all is."""
        self._vault = vault
        self._kept = _kept_of(saved) if saved else _Kept()
        self._one_at_a_time = asyncio.Lock()
        self._again = 0.0

    @property
    def id(self) -> int | None:
        """The consultation's number in the records; `None`: nothing is saved yet."""
        return self._kept.id

    async def save(self, *, at_once: bool = False) -> bool:
        """Save all changes since the last time. Never raises `RecordsError`.

        Args:
            at_once: try even if it has failed a moment ago.

        Returns:
            Whether everything that the record held at the call is on the disk.
        """
        async with self._one_at_a_time:
            if self.trouble and not at_once and time.monotonic() < self._again:
                return False
            try:
                store = self._vault.store
                if store is None:
                    raise Locked(
                        "The records are locked. What comes now is saved when they "
                        "are unlocked."
                    )
                changes = _Changes(self.record, self._kept.copy(), store.new_id)
                found = changes.find()
                if found:
                    await store.write(found)
                self._kept = changes.kept
            except RecordsError as error:
                self.trouble = str(error)
                self._again = time.monotonic() + AGAIN_S
                return False
            self.trouble = ""
            return True


class _Changes:
    """Changes to be written, and the state once they are."""

    def __init__(self, record: Record, kept: _Kept, new_id: Callable[[], int]) -> None:
        self.record = record
        self.kept = kept
        self._new_id = new_id
        self._found: list[Change] = []
        self._content = False
        """A question or an answer has changed, not only what is said about it."""

    def find(self) -> list[Change]:
        """The changes, in an order in which they can be done."""
        turns = self.record.consultation.turns
        if not turns and self.kept.id is None:
            return []  # nothing has been asked: it is not worth a line in the list
        self._consultation()
        after: int | None = None
        # The shown branch last: of the others the turns are written, no more.
        for branch in (*self.record.consultation.branches, turns):
            after = None
            for turn in branch:
                after = self._turn(turn, after)
        if after != self.kept.leaf:
            self._add(sql_writes.set_leaf, self._id, after)
            self.kept.leaf = after
        self._vanished()
        for file, sha256 in self.record.hashes.items():
            if self.kept.hashes.get(file) != sha256:
                self._add(sql_writes.set_fingerprint, file, sha256)
                self.kept.hashes[file] = sha256
        if self._content:
            self._add(sql_writes.touch, self._id, now())
            if self.record.signed_off == self.kept.signed_off:
                # What was signed off was something else.
                self.record.signed_off = None
            self.kept.signed_off = None
        if self.record.signed_off != self.kept.signed_off:
            self._add(sql_writes.sign_off, self._id, self.record.signed_off)
            self.kept.signed_off = self.record.signed_off
        return self._found

    @property
    def _id(self) -> int:
        assert self.kept.id is not None
        return self.kept.id

    def _consultation(self) -> None:
        record, kept = self.record, self.kept
        title = record.heading
        if kept.id is None:
            kept.id, kept.title = self._new_id(), title
            self._add(sql_writes.begin, kept.id, title, record.created)
        if title != kept.title:
            self._add(sql_writes.rename, kept.id, title)
            kept.title = title
        if record.sides != kept.sides:
            self._add(sql_writes.set_sides, kept.id, record.sides)
            kept.sides = record.sides
        for warning in record.warnings[kept.warnings :]:
            self._add(sql_writes.add_warning, kept.id, warning)
        kept.warnings = len(record.warnings)

    def _turn(self, turn: Turn, after: int | None) -> int:
        kept = self.kept.turns.get(turn)
        if kept is None:
            kept = _KeptTurn(self._new_id())
            self._add(
                sql_writes.add_turn, self._id, kept.id, after, turn.question, now()
            )
            self._content = True
        grown: set[PaneName] = set()
        for pane in PANES:
            for answer in turn.answers(pane):
                if answer not in self.kept.answers:
                    grown.add(pane)  # and shows what was added last
                    number = self._new_id()
                    self._add(
                        sql_writes.add_answer,
                        number,
                        kept.id,
                        pane,
                        answer.source,
                        answer.seed,
                    )
                    self.kept.answers[answer] = _KeptAnswer(number)
                    self._content = True
                self._answer(answer)
        shown = tuple(turn.shown(pane) for pane in PANES)
        for pane, answer, before in zip(PANES, shown, kept.shown, strict=True):
            if answer is not None and (answer is not before or pane in grown):
                number = self.kept.answers[answer].id
                self._add(sql_writes.show, kept.id, pane, number)
        if turn.left_out != kept.left_out:
            self._add(sql_writes.leave_out, kept.id, turn.left_out)
        flags = self.record.flags.get(turn, ())
        if flags != kept.flags:
            self._add(sql_writes.set_flags, kept.id, flags)
        verdicts = turn.verdicts
        for verdict in verdicts[len(kept.verdicts) :]:
            self._add(sql_writes.add_verdict, kept.id, verdict)
        self.kept.turns[turn] = _KeptTurn(
            kept.id, turn.left_out, shown, flags, verdicts
        )
        return kept.id

    def _answer(self, answer: Answer) -> None:
        kept = self.kept.answers[answer]
        if kept.over and answer.rounds == kept.rounds:
            return
        if answer.rounds != kept.rounds:
            self._add(sql_writes.write_on, kept.id)
            kept = replace(kept, over=False, rounds=answer.rounds)
        if answer.conditions is not None and not kept.conditions:
            self._add(sql_writes.set_conditions, kept.id, answer.conditions)
            kept = replace(kept, conditions=True)
        text = answer.text
        if answer.over or len(answer.thought) != kept.thought:
            if answer.thought or kept.thought:
                self._add(sql_writes.set_thought, kept.id, answer.thought)
            kept = replace(kept, thought=len(answer.thought))
        if answer.restarts != kept.restarts:
            self._add(sql_writes.begin_anew, kept.id)
            kept = replace(kept, restarts=answer.restarts, length=0)
        if answer.over:
            self._add(
                sql_writes.end,
                kept.id,
                _ENDED.get(answer.state, "failed"),
                text,
                answer.tokens,
                answer.figures,
                answer.failure,
            )
            kept = replace(kept, over=True, length=len(text))
            self._content = True
        elif len(text) > kept.length:
            piece = text[kept.length :]
            self._add(sql_writes.append, kept.id, kept.length, piece, answer.tokens)
            kept = replace(kept, length=len(text), tokens=answer.tokens)
            self._content = True
        self.kept.answers[answer] = kept

    def _vanished(self) -> None:
        consultation = self.record.consultation
        present = {turn for branch in consultation.branches for turn in branch}
        there = {a for t in present for pane in PANES for a in t.answers(pane)}
        for turn, kept in list(self.kept.turns.items()):
            if turn in present:
                continue
            gone = [a for pane in PANES for a in turn.answers(pane)]
            if any(_has_begun(answer) for answer in gone):
                for answer in gone:
                    if answer in self.kept.answers:
                        self._answer(answer)
            else:
                self._add(sql_writes.remove_turn, kept.id)
                del self.kept.turns[turn]
                self._content = True
        turns = self.kept.turns
        kept_answers = {a for t in turns for pane in PANES for a in t.answers(pane)}
        for answer, kept in list(self.kept.answers.items()):
            if answer not in there and answer not in kept_answers:
                if not _has_begun(answer):
                    self._add(sql_writes.remove_answer, kept.id)
                    self._content = True
                del self.kept.answers[answer]

    def _add(self, change: Callable[..., object], *values: object) -> None:
        self._found.append(partial(_apply, change, values))


_ENDED: dict[str, StoredState] = {"finished": "ended", "stopped": "stopped"}


def _apply(
    change: Callable[..., object], values: tuple[object, ...], db: Connection
) -> None:
    change(db, *values)


def _has_begun(answer: Answer) -> bool:
    return answer.over or bool(answer.text or answer.thought)


def _kept_of(saved: Saved) -> _Kept:
    record = saved.record
    kept = _Kept(
        saved.id,
        record.heading,
        record.sides,
        record.signed_off,
        warnings=len(record.warnings),
        hashes=dict(record.hashes),
    )
    shown = record.consultation.turns
    kept.leaf = saved.turns[shown[-1]] if shown else None
    for turn, number in saved.turns.items():
        kept.turns[turn] = _KeptTurn(
            number,
            turn.left_out,
            tuple(turn.shown(pane) for pane in PANES),
            record.flags.get(turn, ()),
            turn.verdicts,
        )
    for answer, number in saved.answers.items():
        length = len(answer.text)
        kept.answers[answer] = _KeptAnswer(number, length, answer.tokens, True, True)
    return kept
