"""The list of consultations: a page at a time, filtered, newest first.

Where the names of the models are still hidden, they are hidden here too, and no
filter finds out by them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from medassist.consult.answer import label
from medassist.consult.sides import Sides
from medassist.consult.verdict import Choice, Verdict
from medassist.core.clean import clean_line
from medassist.core.values import PANES, PaneName
from medassist.records.cipher import Connection
from medassist.records.sql_writes import milliseconds, moment
from medassist.records.stored_consultation import verdict

PAGE = 50


@dataclass(frozen=True)
class Filter:
    """A filter on consultations; default values match everything."""

    verdict: Choice | Literal["none"] | None = None
    """A verdict that one of its turns has last; `none`: it has no verdict at all."""
    model: str = ""
    """A part of a model's name, in any case of letters."""
    since: datetime | None = None
    """Changed at this time or later."""
    before: datetime | None = None
    """Changed before this time."""


@dataclass(frozen=True)
class Summary:
    """One line of the list of consultations."""

    id: int
    title: str
    created: datetime
    changed: datetime
    turns: int
    branches: int
    """Ways that lead from the first question to a last one: 1, and one more for each
    question that was edited and asked again."""
    models: Mapping[PaneName, str]
    """The name of each pane's model; empty while they are hidden."""
    verdicts: tuple[Choice, ...]
    """The last verdict of each turn that has one."""
    hidden: bool
    """The names of the models are not to be seen yet."""
    signed_off: bool


@dataclass(frozen=True)
class RecordedVerdict:
    """A stored verdict with its turn and models, for statistics."""

    consultation: int
    turn: int
    verdict: Verdict
    last: bool
    """No later verdict on this turn takes its place."""
    models: Mapping[PaneName, str]
    hashes: Mapping[PaneName, tuple[str, ...]]
    """The sha256 of the model's files, as far as computed."""
    hidden: bool
    """The names are not to be shown yet; whoever shows this has to hold back."""
    question: str
    """Question, to be hashed and not shown."""
    seeds: tuple[int, ...]
    """Seeds of base and tuned, as far as they answered first."""


# The last verdict of each turn.
_LAST = "verdict.id = (SELECT max(id) FROM verdict v WHERE v.turn = verdict.turn)"


def conditions(chosen: Filter) -> tuple[str, list[object]]:
    """The filter as SQL over `consultation`, and its parameters."""
    found = ["1"]
    values: list[object] = []
    of_it = "FROM turn JOIN verdict ON verdict.turn = turn.id"
    if chosen.verdict == "none":
        found.append(
            f"NOT EXISTS (SELECT 1 {of_it} WHERE turn.consultation = consultation.id)"
        )
    elif chosen.verdict is not None:
        found.append(
            f"EXISTS (SELECT 1 {of_it} WHERE turn.consultation = consultation.id"
            f" AND choice = ? AND {_LAST})"
        )
        values.append(chosen.verdict)
    if chosen.model.strip():
        found.append(
            "(blind = 0 OR revealed IS NOT NULL) AND EXISTS (SELECT 1 FROM turn"
            " JOIN answer ON answer.turn = turn.id"
            " JOIN source ON source.id = answer.source"
            " WHERE turn.consultation = consultation.id"
            " AND source.name LIKE ? ESCAPE '\\')"
        )
        values.append(f"%{_literal(chosen.model.strip())}%")
    if chosen.since is not None:
        found.append("changed >= ?")
        values.append(milliseconds(chosen.since))
    if chosen.before is not None:
        found.append("changed < ?")
        values.append(milliseconds(chosen.before))
    return " AND ".join(found), values


def _literal(text: str) -> str:
    for character in "\\%_":
        text = text.replace(character, f"\\{character}")
    return text


def page(
    db: Connection, chosen: Filter, offset: int, limit: int = PAGE
) -> tuple[Summary, ...]:
    """One page of the consultations, the last changed first."""
    where, values = conditions(chosen)
    rows = db.execute(
        "SELECT id, title, created, changed, blind, side_a, revealed, signed_off"  # noqa: S608
        f" FROM consultation WHERE {where}"
        " ORDER BY changed DESC, id DESC LIMIT ? OFFSET ?",
        (*values, limit, offset),
    )
    return tuple(summary(db, row) for row in rows.fetchall())


def count(db: Connection, chosen: Filter) -> int:
    """Number of consultations that match the filter."""
    where, values = conditions(chosen)
    row = db.execute(
        f"SELECT count(*) FROM consultation WHERE {where}",  # noqa: S608
        values,
    ).fetchone()
    return int(row[0])


def summary(db: Connection, row: Sequence[Any]) -> Summary:
    """Make a line of the list from a row of `consultation`."""
    number, title, created, changed, blind, side_a, revealed, signed_off = row
    sides = Sides(side_a, bool(blind), None if revealed is None else moment(revealed))
    turns, branches = db.execute(
        "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS"
        " (SELECT 1 FROM turn later WHERE later.after = turn.id))"
        " FROM turn WHERE consultation = ?",
        (number,),
    ).fetchone()
    choices = db.execute(
        "SELECT choice FROM turn JOIN verdict ON verdict.turn = turn.id"  # noqa: S608
        f" WHERE consultation = ? AND {_LAST} ORDER BY turn.id",
        (number,),
    )
    return Summary(
        number,
        clean_line(title),
        moment(created),
        moment(changed),
        int(turns),
        int(branches),
        {} if sides.hidden else _models(db, number),
        tuple(choice for (choice,) in choices),
        sides.hidden,
        signed_off is not None,
    )


def _models(db: Connection, consultation: int) -> dict[PaneName, str]:
    """The models that answered last."""
    rows = db.execute(
        "SELECT pane, source.name, source.adapter, max(answer.id) FROM turn"
        " JOIN answer ON answer.turn = turn.id JOIN source ON source.id = answer.source"
        " WHERE turn.consultation = ? GROUP BY pane ORDER BY pane",
        (consultation,),
    )
    return {pane: clean_line(label(name, adapter)) for pane, name, adapter, _ in rows}


def verdicts(db: Connection) -> tuple[RecordedVerdict, ...]:
    """Every verdict, in the order in which they were given."""
    rows = db.execute(
        "SELECT consultation.id, turn.id, verdict.choice, verdict.side_a,"  # noqa: S608
        " verdict.blind, verdict.given, verdict.reasons, verdict.note,"
        f" {_LAST}, consultation.blind AND consultation.revealed IS NULL,"
        " (SELECT text FROM passage WHERE passage.turn = turn.id)"
        " FROM verdict JOIN turn ON turn.id = verdict.turn"
        " JOIN consultation ON consultation.id = turn.consultation ORDER BY verdict.id"
    )
    found: list[RecordedVerdict] = []
    for consultation, turn, *given, last, hidden, question in rows.fetchall():
        models, hashes, seeds = _judged_models(db, turn)
        found.append(
            RecordedVerdict(
                consultation,
                turn,
                verdict(*given),
                bool(last),
                models,
                hashes,
                bool(hidden),
                question or "",
                seeds,
            )
        )
    return tuple(found)


def _judged_models(
    db: Connection, turn: int
) -> tuple[dict[PaneName, str], dict[PaneName, tuple[str, ...]], tuple[int, ...]]:
    rows = db.execute(
        "SELECT pane, source, name, adapter, files, seed FROM answer"
        " JOIN source ON source.id = answer.source WHERE turn = ? ORDER BY answer.id",
        (turn,),
    ).fetchall()
    models: dict[PaneName, str] = {}
    hashes: dict[PaneName, tuple[str, ...]] = {}
    seeds: list[int] = []
    for pane in PANES:
        others = {source for other, source, *_ in rows if other != pane}
        mine = [row for row in rows if row[0] == pane]
        # An answer that was taken over from the other pane is the other's.
        own = [row for row in mine if row[1] not in others] or mine[:1]
        if not own:
            continue
        _, _, name, adapter, files, seed = own[-1]
        seeds.append(int(seed))
        models[pane] = clean_line(label(name, adapter))
        known = [
            db.execute(
                "SELECT sha256 FROM fingerprint"
                " WHERE path = ? AND size = ? AND mtime_ns = ?",
                file,
            ).fetchone()
            for file in json.loads(files)
        ]
        hashes[pane] = tuple(row[0] for row in known if row)
    return models, hashes, tuple(seeds)
