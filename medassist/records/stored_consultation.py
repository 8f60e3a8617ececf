"""Loads a stored consultation from the tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from medassist.consult.answer import Answer, Conditions, ModelFile, Source
from medassist.consult.consultation import Consultation
from medassist.consult.sides import Sides
from medassist.consult.turn import Turn
from medassist.consult.verdict import Verdict
from medassist.core.validated import validated
from medassist.core.values import PANES, Figures, PaneInfo, PaneName, Sampling
from medassist.records.cipher import Connection
from medassist.records.errors import NotThere
from medassist.records.record import FlagShown, Record, WarningGiven
from medassist.records.sql_writes import moment, pieces

NOT_YET_OVER = "This answer was still being written when it was read."


@dataclass(frozen=True)
class Saved:
    """A consultation loaded from the records.

    Attributes:
        id: its number in the records.
        record: the branch that was shown last, or the one asked for.
        turns: the number of each of its turns, those of other branches too.
        answers: the number of each of its answers.
        branches: for each turn, all that follow the same turn as it does, itself
            included, the oldest first: more than one where a question was edited.
    """

    id: int
    record: Record
    turns: Mapping[Turn, int]
    answers: Mapping[Answer, int]
    branches: tuple[tuple[int, ...], ...]


def reopen(db: Connection, consultation: int, branch: int | None = None) -> Saved:
    """Load a whole consultation.

    Args:
        db: the database.
        consultation: its number.
        branch: a turn; what is read is the latest branch that goes through it.

    Raises:
        NotThere: it is not there.
    """
    row = db.execute(
        "SELECT title, created, leaf, blind, side_a, revealed, signed_off"
        " FROM consultation WHERE id = ?",
        (consultation,),
    ).fetchone()
    if row is None:
        raise NotThere(
            "This consultation is not in the records any more; another window may "
            "have deleted it."
        )
    title, created, leaf, blind, side_a, revealed, signed_off = row
    path, branches, others = _path(db, consultation, leaf, branch)
    record = Record(
        Consultation(),
        title,
        moment(created),
        _moment(signed_off),
        warnings=_warnings(db, consultation),
    )
    record.sides = Sides(side_a, bool(blind), _moment(revealed))
    answers: dict[Answer, int] = {}
    read: dict[int, Turn] = {}
    for number in (n for branch in (path, *others) for n in branch):
        if number in read:
            continue
        turn = read[number] = _turn(db, number, answers)
        if flags := _flags(db, number):
            record.flags[turn] = flags
        turn.verdicts = verdicts_of(db, number)
    record.consultation.turns.extend(read[number] for number in path)
    for other in others:
        record.consultation.add_branch([read[number] for number in other])
    turns = {turn: number for number, turn in read.items()}
    record.hashes.update(_hashes(db, answers))
    return Saved(consultation, record, turns, answers, branches)


def _path(
    db: Connection, consultation: int, leaf: int | None, branch: int | None
) -> tuple[list[int], tuple[tuple[int, ...], ...], list[list[int]]]:
    """The branch that is read, what branches off from it, and the other branches."""
    rows = db.execute(
        "SELECT id, after FROM turn WHERE consultation = ? ORDER BY id", (consultation,)
    ).fetchall()
    before: dict[int, int | None] = {int(t): after for t, after in rows}
    following: dict[int | None, list[int]] = {}
    for turn, after in before.items():
        following.setdefault(after, []).append(turn)
    if branch is not None and branch in before:
        leaf = branch
        while leaf in following:
            leaf = following[leaf][-1]
    if leaf not in before:
        leaf = max(before, default=None)
    path = _to(leaf, before)
    others = [
        _to(turn, before) for turn in before if turn not in following and turn != leaf
    ]
    return path, tuple(tuple(following[before[turn]]) for turn in path), others


def _to(leaf: int | None, before: Mapping[int, int | None]) -> list[int]:
    path: list[int] = []
    while leaf is not None and leaf not in path:  # a damaged file may hold a circle
        path.append(leaf)
        leaf = before.get(leaf)
    path.reverse()
    return path


def _turn(db: Connection, number: int, answers: dict[Answer, int]) -> Turn:
    question, left_out = db.execute(
        "SELECT passage.text, left_out FROM turn JOIN passage ON passage.turn = turn.id"
        " WHERE turn.id = ?",
        (number,),
    ).fetchone()
    turn = Turn(question, {})
    turn.left_out = bool(left_out)
    shown: dict[PaneName, int] = {}
    rows = db.execute(
        "SELECT answer.id, pane, seed, state, shown, tokens, failure, conditions,"
        " figures, thought, passage.text, name, quantization, demonstration, adapter,"
        " files FROM answer JOIN source ON source.id = answer.source"
        " LEFT JOIN passage ON passage.answer = answer.id"
        " WHERE answer.turn = ? ORDER BY answer.id",
        (number,),
    )
    for row in rows.fetchall():
        pane: PaneName = row[1]
        answer = _answer(db, row)
        answers[answer] = int(row[0])
        turn.add(pane, answer)
        if row[4]:
            shown[pane] = len(turn.answers(pane)) - 1
    for pane in PANES:
        while pane in shown and turn.place(pane) != shown[pane]:
            turn.show_earlier(pane)
    return turn


def _answer(db: Connection, row: Any) -> Answer:
    number, _, seed, state, _, tokens, failure, conditions, figures = row[:9]
    thought, text, *source = row[9:]
    answer = Answer(_source(*source), seed)
    answer.text = text if text is not None else pieces(db, number)
    answer.tokens = tokens
    answer.thought = thought
    answer.failure = failure
    answer.conditions = _conditions(conditions)
    answer.figures = None if figures is None else _figures(figures)
    answer.thought_tokens = answer.figures.tokens_thought if answer.figures else 0
    match state:
        case "ended":
            answer.state = "finished"
        case "stopped":
            answer.state = "stopped"
        case "writing":
            answer.state, answer.failure = "failed", NOT_YET_OVER
        case _:
            answer.state = "failed"
    return answer


def _figures(stored: str) -> Figures:
    held = Figures(**json.loads(stored))
    return replace(held, gone_on_at=tuple(held.gone_on_at))  # JSON knows lists alone


def _source(
    name: str, quantization: str, demonstration: int, adapter: str, files: str
) -> Source:
    stored = cast("list[tuple[str, int, int]]", json.loads(files))
    return Source(
        name,
        quantization,
        bool(demonstration),
        adapter,
        tuple(ModelFile(Path(path), size, mtime) for path, size, mtime in stored),
    )


def _conditions(stored: str | None) -> Conditions | None:
    if stored is None:
        return None
    from pydantic import ValidationError

    held = json.loads(stored)
    try:
        return Conditions(
            validated(PaneInfo, held["setup"]),
            validated(Sampling, held["sampling"]),
            str(held["confined"]),
            str(held.get("system", "")),  # not in records of before it was kept
        )
    except (ValidationError, KeyError):
        return None  # of another version: what it was cannot be said


def _flags(db: Connection, turn: int) -> tuple[FlagShown, ...]:
    rows = db.execute(
        "SELECT rule, title, text, source FROM flag WHERE turn = ? ORDER BY id", (turn,)
    )
    return tuple(FlagShown(*row) for row in rows)


def verdicts_of(db: Connection, turn: int) -> tuple[Verdict, ...]:
    """The verdicts on a turn, the oldest first."""
    rows = db.execute(
        "SELECT choice, side_a, blind, given, reasons, note FROM verdict"
        " WHERE turn = ? ORDER BY id",
        (turn,),
    )
    return tuple(verdict(*row) for row in rows)


def verdict(
    choice: Any, side_a: Any, blind: int, given: int, reasons: str, note: str
) -> Verdict:
    """Make a verdict from its row."""
    return Verdict(
        choice, side_a, bool(blind), moment(given), tuple(json.loads(reasons)), note
    )


def _warnings(db: Connection, consultation: int) -> tuple[WarningGiven, ...]:
    rows = db.execute(
        "SELECT kind, count, occasion, outcome, given FROM warning"
        " WHERE consultation = ? ORDER BY id",
        (consultation,),
    )
    return tuple(WarningGiven(*row[:4], given=moment(row[4])) for row in rows)


def _hashes(db: Connection, answers: Mapping[Answer, int]) -> dict[ModelFile, str]:
    found: dict[ModelFile, str] = {}
    for file in {file for answer in answers for file in answer.source.files}:
        if sha256 := hash_of(db, file):
            found[file] = sha256
    return found


def hash_of(db: Connection, file: ModelFile) -> str | None:
    """The sha256 of `file` at loading, if it has been computed."""
    row = db.execute(
        "SELECT sha256 FROM fingerprint WHERE path = ? AND size = ? AND mtime_ns = ?",
        (str(file.path), file.size, file.mtime_ns),
    ).fetchone()
    return row[0] if row else None


def _moment(stored: int | None) -> Any:
    return None if stored is None else moment(stored)
