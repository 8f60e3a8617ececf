"""The export as one HTML page without scripts, links or anything to load.

All text is escaped, and a policy in the page forbids what would not be.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from medassist.records.export.export_document import (
    HIDDEN,
    INTENT,
    THOUGHT,
    AnswerPart,
    ExportDocument,
    TurnPart,
    time_line,
    verdict_line,
    warning_line,
)

STYLE = Path(__file__).with_name("page.css")


def html(document: ExportDocument) -> str:
    """The document as HTML."""
    head = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(document.status)}: {escape(document.title)}</title>",
        f"<style>{STYLE.read_text('utf-8')}</style></head><body>",
        f'<p class="status">{escape(document.status)}</p>',
        f"<h1>{escape(document.title)}</h1>",
        f"<p>{escape(INTENT)}</p>",
        f"<p>Consultation of {escape(time_line(document.created))}.</p>",
    ]
    if document.hidden:
        head.append(f"<p>{escape(HIDDEN)}</p>")
    if document.warned:
        found = ", ".join(warning_line(w) for w in document.warned)
        head.append(f"<p>Identifiers warned of: {escape(found)}.</p>")
    turns = [line for turn in document.turns for line in _turn(turn, document.hidden)]
    return "\n".join([*head, *turns, "</body></html>"]) + "\n"


def _turn(turn: TurnPart, hidden: bool) -> list[str]:
    lines = [
        "<section>",
        f"<h2>Question {turn.number}</h2>",
        f'<div class="question" dir="auto">{escape(turn.question)}</div>',
    ]
    if turn.left_out:
        lines.append("<p>Not sent with later questions.</p>")
    lines += [
        f'<div class="flag"><b>Red flag shown: {escape(flag.title)}</b> '
        f"(rule {escape(flag.rule)})\n{escape(flag.text)}\n"
        f"Source: {escape(flag.source)}</div>"
        for flag in turn.flags
    ]
    shown = [a for a in turn.answers if a.shown]
    others = [a for a in turn.answers if not a.shown]
    lines += ['<div class="panes">', *map(_answer, shown), "</div>"]
    if others:
        lines += ["<h3>Other answers to the same question</h3>", '<div class="panes">']
        lines += [*map(_answer, others), "</div>"]
    lines += [
        f'<p class="verdict"><b>Verdict:</b> {escape(verdict_line(v, hidden))}</p>'
        for v in turn.verdicts
    ]
    return [*lines, "</section>"]


def _answer(answer: AnswerPart) -> str:
    kind = f"{answer.pane} model, " if answer.pane else ""
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>"
        for name, value in answer.facts
    )
    thought = (
        f"<details><summary>{escape(THOUGHT)}</summary>"
        f'<div class="thought" dir="auto">{escape(answer.thought)}</div></details>'
        if answer.thought
        else ""
    )
    return (
        f"<article><h3>{answer.side}: {escape(kind + answer.model)}</h3>"
        f"<p>State: {escape(answer.state)}</p>"
        f'<div class="answer" dir="auto">{escape(answer.text)}</div>'
        f"{thought}<dl>{facts}</dl></article>"
    )
