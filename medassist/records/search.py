"""Full-text search over titles, questions and finished answers.

A consultation is found if each word stands somewhere in it, in whichever of its
texts. What the user types is never a query language: each word becomes a quoted
string of FTS5, so no sign in it can be an error or an operator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medassist.core.clean import clean
from medassist.records.cipher import Connection
from medassist.records.history import PAGE, Filter, Summary, conditions, summary

MOST_TERMS = 16
SNIPPET_WORDS = 24
_BEGIN, _END = "\x02", "\x03"
_TERM = re.compile(r'"([^"]*)"?(\*?)|([^\s"]+)')


@dataclass(frozen=True)
class SnippetPart:
    """A part of a snippet."""

    text: str
    found: bool
    """It is what was searched for."""


@dataclass(frozen=True)
class SearchHit:
    """A consultation that was found, with a snippet."""

    summary: Summary
    turn: int | None
    """The number of the turn that the snippet is from; `None`: it is the title."""
    snippet: tuple[SnippetPart, ...]


def terms(typed: str) -> tuple[str, ...]:
    """The search terms as FTS5 strings; empty if nothing typed is a word.

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
) -> tuple[SearchHit, ...]:
    """Find the consultations that contain all terms, the latest first.

    The index says which passages hold a word; whose they are is read once for all.
    To ask the tables for each passage took ten times as long.
    """
    wanted = terms(typed)
    if not wanted:
        return ()
    owners = dict(db.execute("SELECT id, consultation FROM passage").fetchall())
    matches = [_passages(db, term) for term in wanted]
    found = set(owners.values()).intersection(
        *({owners[p] for p in passages if p in owners} for passages in matches)
    )
    where, values = conditions(chosen)
    rows = db.execute(
        "SELECT id, title, created, changed, blind, side_a, revealed, signed_off"  # noqa: S608
        " FROM consultation WHERE id IN (SELECT value FROM json_each(?))"
        f" AND {where} ORDER BY changed DESC, id DESC LIMIT ? OFFSET ?",
        (json.dumps(list(found)), *values, limit, offset),
    )
    lines = [summary(db, row) for row in rows.fetchall()]
    candidates = _candidates(matches, owners, {line.id for line in lines})
    places = _places(db, candidates, wanted)
    return tuple(SearchHit(line, *places.get(line.id, (None, ()))) for line in lines)


def _passages(db: Connection, term: str) -> set[int]:
    """The passages in which a word stands."""
    rows = db.execute(
        "SELECT rowid FROM passage_index WHERE passage_index MATCH ?", (term,)
    )
    return {passage for (passage,) in rows.fetchall()}


def _candidates(
    matches: Sequence[set[int]], owners: Mapping[int, int], shown: set[int]
) -> dict[int, list[int]]:
    """For each consultation on the page, the places to quote it from, the best first.

    That is the first place where all stands, else the first with a part of it. Not
    the best by FTS5's `rank`, which counts each word in all of the records again for
    every passage. Two are enough: one of them is not the title.
    """
    found: dict[int, list[int]] = {number: [] for number in shown}
    for passages in (set[int].intersection(*matches), set[int].union(*matches)):
        missing = {number for number, of_it in found.items() if not of_it}
        for passage in sorted(p for p in passages if owners.get(p) in missing):
            of_it = found[owners[passage]]
            if len(of_it) < 2:
                of_it.append(passage)
    return found


def _places(
    db: Connection, candidates: Mapping[int, list[int]], wanted: tuple[str, ...]
) -> dict[int, tuple[int | None, tuple[SnippetPart, ...]]]:
    """For each consultation a turn (`None`: it is the title), and the text there."""
    rows = db.execute(
        "SELECT passage.id, coalesce(passage.turn, answer.turn) FROM passage"
        " LEFT JOIN answer ON answer.id = passage.answer"
        " WHERE passage.id IN (SELECT value FROM json_each(?))",
        (json.dumps([p for of_it in candidates.values() for p in of_it]),),
    )
    turns: dict[int, int | None] = dict(rows.fetchall())
    # The title repeats the first question: another place says more.
    chosen = {
        number: next((p for p in of_it if turns[p] is not None), of_it[0])
        for number, of_it in candidates.items()
        if of_it
    }
    rows = db.execute(
        # The plus: once through what matches, not a search for each passage.
        f"SELECT rowid, snippet(passage_index, 0, ?, ?, '…', {SNIPPET_WORDS})"  # noqa: S608
        " FROM passage_index WHERE passage_index MATCH ?"
        " AND +rowid IN (SELECT value FROM json_each(?))",
        (_BEGIN, _END, " OR ".join(wanted), json.dumps(list(chosen.values()))),
    )
    snippets = {passage: _pieces(text) for passage, text in rows.fetchall()}
    return {
        number: (turns[passage], snippets.get(passage, ()))
        for number, passage in chosen.items()
    }


def _pieces(text: str) -> tuple[SnippetPart, ...]:
    found: list[SnippetPart] = []
    for number, part in enumerate(text.split(_BEGIN)):
        inside, _, outside = part.rpartition(_END) if number else ("", "", part)
        found.append(SnippetPart(_one_line(inside), True))
        found.append(SnippetPart(_one_line(outside), False))
    return tuple(piece for piece in found if piece.text)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", clean(text))
