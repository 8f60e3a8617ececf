"""Full-text search over titles, questions and answers that are over.

A consultation is found if each word stands somewhere in it, in whichever of its
texts. What the user types is never a query language: each word becomes a quoted
string of FTS5, so no sign in it can be an error or an operator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from medassist.privacy.clean import clean
from medassist.records.cipher import Connection
from medassist.records.history import PAGE, Filter, Summary, conditions, summary

MOST_TERMS = 16
SNIPPET_WORDS = 24
_BEGIN, _END = "\x02", "\x03"
_TERM = re.compile(r'"([^"]*)"?(\*?)|([^\s"]+)')


@dataclass(frozen=True)
class Piece:
    """A part of a snippet."""

    text: str
    found: bool
    """It is what was searched for."""


@dataclass(frozen=True)
class Hit:
    """A consultation that was found, and a place in it."""

    summary: Summary
    turn: int | None
    """The number of the turn that the snippet is from; `None`: it is the title."""
    snippet: tuple[Piece, ...]


def terms(typed: str) -> tuple[str, ...]:
    """What is searched for, as FTS5 strings; none if nothing typed is a word.

    A word that ends in * stands for all that begin so, and so does the last word, which
    may not be finished. Words in double quotes are searched for together.
    """
    found: list[str] = []
    typed = typed.replace("\0", " ")
    matches = list(_TERM.finditer(typed))
    for match in matches:
        quoted, star, word = match.groups()
        if word is None:
            open_ = star or not match.group().endswith('"')
        else:
            open_ = word.endswith("*") or match.end() == len(typed)
        text = quoted if word is None else word.rstrip("*")
        text = text.encode("utf-8", "ignore").decode()
        if any(c.isalnum() for c in text):
            found.append(f'"{text}"' + ("*" if open_ else ""))
    return tuple(dict.fromkeys(found))[:MOST_TERMS]


def search(
    db: Connection, typed: str, chosen: Filter, offset: int, limit: int = PAGE
) -> tuple[Hit, ...]:
    """The consultations in which all that is typed stands, the latest first."""
    wanted = terms(typed)
    if not wanted:
        return ()
    where, values = conditions(chosen)
    each = " INTERSECT ".join(
        "SELECT consultation FROM passage WHERE id IN"
        " (SELECT rowid FROM passage_index WHERE passage_index MATCH ?)"
        for _ in wanted
    )
    rows = db.execute(
        "SELECT id, title, created, changed, blind, side_a, revealed, signed_off"  # noqa: S608
        f" FROM consultation WHERE id IN ({each}) AND {where}"
        " ORDER BY changed DESC, id DESC LIMIT ? OFFSET ?",
        (*wanted, *values, limit, offset),
    )
    return tuple(_hit(db, summary(db, row), wanted) for row in rows.fetchall())


def _hit(db: Connection, line: Summary, wanted: tuple[str, ...]) -> Hit:
    """The first place where all of it stands, else the first with a part of it.

    Not the best by FTS5's `rank`: that counts each word in all of the records again
    for every passage, which took ten times as long as everything else.
    """
    for query in (" AND ".join(wanted), " OR ".join(wanted)):
        # Which passages match is asked once: a snippet costs more than that.
        row = db.execute(
            "SELECT passage.id, coalesce(passage.turn, answer.turn)"
            " FROM passage LEFT JOIN answer ON answer.id = passage.answer"
            " WHERE passage.consultation = ? AND passage.id IN"
            " (SELECT rowid FROM passage_index WHERE passage_index MATCH ?)"
            # The title repeats the first question: another place says more.
            " ORDER BY coalesce(passage.turn, passage.answer) IS NULL, passage.id"
            " LIMIT 1",
            (line.id, query),
        ).fetchone()
        if row:
            (text,) = db.execute(
                f"SELECT snippet(passage_index, 0, ?, ?, '…', {SNIPPET_WORDS})"  # noqa: S608
                " FROM passage_index WHERE passage_index MATCH ? AND rowid = ?",
                (_BEGIN, _END, query, row[0]),
            ).fetchone()
            return Hit(line, row[1], _pieces(text))
    return Hit(line, None, ())


def _pieces(text: str) -> tuple[Piece, ...]:
    found: list[Piece] = []
    for number, part in enumerate(text.split(_BEGIN)):
        inside, _, outside = part.rpartition(_END) if number else ("", "", part)
        found.append(Piece(_one_line(inside), True))
        found.append(Piece(_one_line(outside), False))
    return tuple(piece for piece in found if piece.text)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", clean(text))
