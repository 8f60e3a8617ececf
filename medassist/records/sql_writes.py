"""SQL writes of the records: each function is one change in a transaction.

They run in the writer's thread. None of them opens or ends a transaction.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from medassist.core.validated import as_json
from medassist.records.cipher import Connection
from medassist.records.errors import RecordsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medassist.consult.answer import Conditions, ModelFile, Source
    from medassist.consult.sides import Sides
    from medassist.consult.verdict import Verdict
    from medassist.core.values import Figures, PaneName
    from medassist.records.record import FlagShown, WarningGiven

StoredState = Literal["writing", "ended", "stopped", "failed", "broken off"]
BROKEN_OFF = (
    "The program ended before this answer was whole. What had come of it is kept, but "
    "is not sent with later questions; ask again for a whole answer."
)


def milliseconds(time: datetime) -> int:
    """Milliseconds since 1970."""
    return round(time.timestamp() * 1000)


def moment(stored: int) -> datetime:
    """The time at `stored` milliseconds since 1970."""
    return datetime.fromtimestamp(stored / 1000, UTC)


def storable(text: str) -> str:
    """`text` with lone surrogates replaced, since UTF-8 cannot hold them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def begin(db: Connection, consultation: int, title: str, created: datetime) -> None:
    """Insert a consultation without turns."""
    time = milliseconds(created)
    db.execute(
        "INSERT INTO consultation (id, title, created, changed) VALUES (?, ?, ?, ?)",
        (consultation, storable(title), time, time),
    )
    db.execute(
        "INSERT INTO passage (consultation, text) VALUES (?, ?)",
        (consultation, storable(title)),
    )


def touch(db: Connection, consultation: int, time: datetime) -> None:
    """Mark a consultation as changed now, and as not signed off any more."""
    db.execute(
        "UPDATE consultation SET changed = ?, signed_off = NULL WHERE id = ?",
        (milliseconds(time), consultation),
    )


def rename(db: Connection, consultation: int, title: str) -> None:
    """Change the title of a consultation."""
    title = storable(title)
    changed = db.execute(
        "UPDATE consultation SET title = ? WHERE id = ?", (title, consultation)
    )
    _expect_one(changed.rowcount, "The consultation is not in the records any more.")
    db.execute(
        "UPDATE passage SET text = ?"
        " WHERE consultation = ? AND turn IS NULL AND answer IS NULL",
        (title, consultation),
    )


def set_sides(db: Connection, consultation: int, sides: Sides) -> None:
    """Set which pane is A, whether names are hidden, and when they were revealed."""
    revealed = milliseconds(sides.revealed) if sides.revealed else None
    db.execute(
        "UPDATE consultation SET side_a = ?, blind = ?, revealed = ? WHERE id = ?",
        (sides.side_a, sides.blind, revealed, consultation),
    )


def sign_off(db: Connection, consultation: int, time: datetime | None) -> None:
    """Mark as reviewed, or take that back."""
    db.execute(
        "UPDATE consultation SET signed_off = ? WHERE id = ?",
        (milliseconds(time) if time else None, consultation),
    )


def add_turn(
    db: Connection,
    consultation: int,
    turn: int,
    after: int | None,
    question: str,
    time: datetime,
) -> None:
    """Insert a question after another turn, or as the first."""
    db.execute(
        "INSERT INTO turn (id, consultation, after, created) VALUES (?, ?, ?, ?)",
        (turn, consultation, after, milliseconds(time)),
    )
    db.execute(
        "INSERT INTO passage (consultation, turn, text) VALUES (?, ?, ?)",
        (consultation, turn, storable(question)),
    )


def set_leaf(db: Connection, consultation: int, turn: int | None) -> None:
    """Set the branch that is shown."""
    db.execute("UPDATE consultation SET leaf = ? WHERE id = ?", (turn, consultation))


def leave_out(db: Connection, turn: int, left_out: bool) -> None:
    """Set whether a turn is sent with later questions."""
    db.execute("UPDATE turn SET left_out = ? WHERE id = ?", (left_out, turn))


def remove_turn(db: Connection, turn: int) -> None:
    """Delete a turn that was taken back before it was answered."""
    db.execute("DELETE FROM turn WHERE id = ?", (turn,))


def add_answer(
    db: Connection, answer: int, turn: int, pane: PaneName, source: Source, seed: int
) -> None:
    """Insert an answer that will be written, and show it."""
    db.execute(
        "INSERT INTO answer (id, turn, pane, source, seed) VALUES (?, ?, ?, ?, ?)",
        (answer, turn, pane, _source(db, source), seed),
    )
    show(db, turn, pane, answer)


def show(db: Connection, turn: int, pane: PaneName, answer: int) -> None:
    """Set which answer of `pane` is shown."""
    db.execute(
        "UPDATE answer SET shown = (id = ?) WHERE turn = ? AND pane = ?",
        (answer, turn, pane),
    )


def remove_answer(db: Connection, answer: int) -> None:
    """Delete an answer that was taken back before it began."""
    db.execute("DELETE FROM answer WHERE id = ?", (answer,))


def set_conditions(db: Connection, answer: int, conditions: Conditions) -> None:
    """Set the conditions under which an answer is written."""
    stored = {
        "setup": as_json(conditions.setup),
        "sampling": as_json(conditions.sampling),
        "confined": conditions.confined,
        "system": conditions.system,
    }
    db.execute(
        "UPDATE answer SET conditions = ? WHERE id = ?", (json.dumps(stored), answer)
    )


def append(db: Connection, answer: int, start: int, piece: str, tokens: int) -> None:
    """Append a piece to an answer.

    Args:
        db: the database.
        answer: the answer.
        start: characters of the answer before this piece.
        piece: the text.
        tokens: tokens of the answer so far, this piece included.

    Raises:
        RecordsError: a piece before it is missing, or the answer is over.
    """
    _go_on(db, answer)
    done = db.execute(
        "UPDATE answer SET length = length + ?, tokens = ?"
        " WHERE id = ? AND length = ? AND state = 'writing'",
        (len(piece), tokens, answer, start),
    )
    _expect_one(
        done.rowcount,
        "A piece of an answer was not saved, because the one before it is missing or "
        "the answer is over.",
    )
    if piece:
        db.execute(
            "INSERT INTO piece (answer, start, text) VALUES (?, ?, ?)",
            (answer, start, storable(piece)),
        )


def set_thought(db: Connection, answer: int, thought: str) -> None:
    """Set the text of the model's thought so far."""
    db.execute(
        "UPDATE answer SET thought = ? WHERE id = ?", (storable(thought), answer)
    )


def begin_anew(db: Connection, answer: int) -> None:
    """Discard an answer's text, which turned out to be a thought."""
    _go_on(db, answer)
    db.execute("DELETE FROM piece WHERE answer = ?", (answer,))
    db.execute(
        "UPDATE answer SET length = 0 WHERE id = ? AND state = 'writing'", (answer,)
    )


def end(
    db: Connection,
    answer: int,
    state: StoredState,
    text: str,
    tokens: int,
    figures: Figures | None,
    failure: str = "",
) -> None:
    """Finish an answer whose whole text is `text`."""
    numbers = None if figures is None else json.dumps(vars(figures))
    done = db.execute(
        "UPDATE answer SET state = ?, tokens = ?, length = ?, figures = ?, failure = ?"
        " WHERE id = ?",
        (state, tokens, len(text), numbers, storable(failure), answer),
    )
    _expect_one(done.rowcount, "The answer is not in the records any more.")
    db.execute("DELETE FROM piece WHERE answer = ?", (answer,))
    db.execute("DELETE FROM passage WHERE answer = ?", (answer,))
    db.execute(
        "INSERT INTO passage (consultation, answer, text)"
        " SELECT consultation, answer.id, ? FROM answer"
        " JOIN turn ON turn.id = answer.turn WHERE answer.id = ?",
        (storable(text), answer),
    )


def _go_on(db: Connection, answer: int) -> None:
    """An answer that counted as broken off is written on after all.

    The records were locked and unlocked while its model went on writing it.
    """
    broken = db.execute(
        "SELECT 1 FROM answer WHERE id = ? AND state = 'broken off'", (answer,)
    ).fetchone()
    if broken is not None:
        write_on(db, answer)


def write_on(db: Connection, answer: int) -> None:
    """An answer that was over is being written again, from where it ended."""
    stored = db.execute(
        "SELECT text FROM passage WHERE answer = ?", (answer,)
    ).fetchone()
    if stored is None:
        return  # it is being written still
    db.execute(
        "UPDATE answer SET state = 'writing', failure = '' WHERE id = ?", (answer,)
    )
    db.execute("DELETE FROM passage WHERE answer = ?", (answer,))
    if stored[0]:
        db.execute(
            "INSERT INTO piece (answer, start, text) VALUES (?, 0, ?)",
            (answer, stored[0]),
        )


def end_broken_off(db: Connection) -> int:
    """Finish the answers of a program that is gone; returns their number."""
    left = db.execute("SELECT id, tokens FROM answer WHERE state = 'writing'")
    found = left.fetchall()
    for answer, tokens in found:
        text = pieces(db, answer)
        end(db, answer, "broken off", text, tokens, None, BROKEN_OFF)
    return len(found)


def pieces(db: Connection, answer: int) -> str:
    """The pieces of an unfinished answer."""
    rows = db.execute(
        "SELECT text FROM piece WHERE answer = ? ORDER BY start", (answer,)
    )
    return "".join(text for (text,) in rows)


def set_flags(db: Connection, turn: int, flags: Sequence[FlagShown]) -> None:
    """Set the red flags shown with a turn."""
    db.execute("DELETE FROM flag WHERE turn = ?", (turn,))
    db.executemany(
        "INSERT INTO flag (turn, rule, title, text, source) VALUES (?, ?, ?, ?, ?)",
        [
            (turn, f.rule, storable(f.title), storable(f.text), storable(f.source))
            for f in flags
        ],
    )


def add_verdict(db: Connection, turn: int, verdict: Verdict) -> None:
    """Insert a verdict on a turn; earlier ones stay."""
    db.execute(
        "INSERT INTO verdict (turn, given, choice, reasons, note, side_a, blind)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            turn,
            milliseconds(verdict.given),
            verdict.choice,
            json.dumps(verdict.reasons),
            storable(verdict.note),
            verdict.side_a,
            verdict.blind,
        ),
    )


def add_warning(db: Connection, consultation: int, warning: WarningGiven) -> None:
    """Insert a warning of identifiers: kind and number alone."""
    db.execute(
        "INSERT INTO warning (consultation, given, kind, count, occasion, outcome)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            consultation,
            milliseconds(warning.given),
            warning.kind,
            warning.count,
            warning.occasion,
            warning.outcome,
        ),
    )


def set_fingerprint(db: Connection, file: ModelFile, sha256: str) -> None:
    """Set the sha256 of a model file, as of its loading."""
    db.execute(
        "INSERT INTO fingerprint (path, size, mtime_ns, sha256) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET sha256 = excluded.sha256",
        (storable(str(file.path)), file.size, file.mtime_ns, sha256),
    )


def _source(db: Connection, source: Source) -> int:
    values = (
        storable(source.name),
        storable(source.quantization),
        source.demonstration,
        storable(source.adapter),
        json.dumps([[str(f.path), f.size, f.mtime_ns] for f in source.files]),
    )
    db.execute(
        "INSERT INTO source (name, quantization, demonstration, adapter, files)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        values,
    )
    row = db.execute(
        "SELECT id FROM source WHERE name = ? AND quantization = ?"
        " AND demonstration = ? AND adapter = ? AND files = ?",
        values,
    ).fetchone()
    return int(row[0])


def _expect_one(count: int, sentence: str) -> None:
    if count != 1:
        raise RecordsError(sentence)
