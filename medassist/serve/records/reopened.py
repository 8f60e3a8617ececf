"""A kept consultation, as the page holds it and goes on with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medassist.consult.answer import Answer
from medassist.consult.turn import Turn
from medassist.core.clean import clean, clean_line
from medassist.core.values import PANES, PaneName
from medassist.records.record import Record
from medassist.records.stored_consultation import Saved
from medassist.safety.review import review
from medassist.serve.page.held import Provenance


def as_page_holds_it(saved: Saved) -> dict[str, Any]:
    """All of the branch that was shown last. Looks at each answer: for a thread.

    While names are hidden nothing in it tells which model stands on which side.
    """
    record = saved.record
    sides = record.sides
    turns = record.consultation.turns
    return {
        "created": record.created.isoformat(),
        "blind": sides.blind,
        "side_a": None if sides.hidden else sides.side_a,
        "keeps_identifiers": any(
            w.occasion == "saving" and w.outcome == "kept" for w in record.warnings
        ),
        "turns": [
            _turn(record, turn, turns[: number + 1])
            for number, turn in enumerate(turns)
        ],
    }


def answered_last(record: Record) -> dict[PaneName, str]:
    """The name of the model that answered last in each pane."""
    turns = record.consultation.turns
    found: dict[PaneName, str] = {}
    for pane in PANES if turns else ():
        answer = turns[-1].shown(pane)
        if answer is not None and answer.source.name:
            found[pane] = clean_line(answer.source.name)
    return found


def _turn(record: Record, turn: Turn, so_far: Sequence[Turn]) -> dict[str, Any]:
    sides = record.sides
    story = "\n".join(one.question for one in so_far)
    found: dict[str, Any] = {}
    for pane in turn.panes:
        shown = [turn.shown(other) for other in turn.panes if other != pane]
        others = "".join(answer.text for answer in shown if answer is not None)
        found[sides.letter(pane)] = {
            "answers": [
                _answer(record, answer, story, others) for answer in turn.answers(pane)
            ],
            "shown": turn.place(pane),
        }
    return {
        "question": clean(turn.question),
        "flags": [
            {"id": f.rule, "title": f.title, "text": f.text, "source": f.source}
            for f in record.flags.get(turn, ())
        ],
        "sides": found,
        "left_out": turn.left_out,
        "verdicts": [
            {
                "choice": verdict.choice,
                "blind": verdict.blind,
                "given": verdict.given.isoformat(),
                "reasons": list(verdict.reasons),
            }
            for verdict in turn.verdicts
        ],
    }


def _answer(record: Record, answer: Answer, story: str, others: str) -> dict[str, Any]:
    hidden = record.sides.hidden
    text = clean(answer.text)
    said = review(story, text, others) if text.strip() else None
    figures = answer.figures
    found: dict[str, Any] = {
        "text": text,
        "stop_reason": (
            figures.ending if figures is not None and answer.state != "failed" else None
        ),
        "failure": answer.failure,
        "notices": [*said.warnings, said.sources] if said else [],
    }
    if hidden:  # speed and length tell the models apart, and so does a thought
        return found
    found |= {
        "thought": clean(answer.thought),
        "seed": answer.seed,
        "provenance": _provenance(record, answer),
    }
    if figures is not None:
        found |= {
            "tokens_read": figures.tokens_read,
            "tokens_reused": figures.tokens_reused,
            "tokens_written": figures.tokens_written,
            "thought_tokens": figures.tokens_thought,
            "ttft_s": figures.ttft_s,
            "tok_per_s": figures.tok_per_s,
        }
    return found


def _provenance(record: Record, answer: Answer) -> dict[str, Any] | None:
    source = answer.source
    if not source.name:
        return None
    hashes = [record.hashes.get(file) for file in source.files]
    base, adapter = (*hashes, None, None)[:2]
    return Provenance(
        model=source.name,
        quantization=source.quantization or None,
        adapter=source.adapter or None,
        files=tuple(file.path.name for file in source.files),
        sha256=base,
        adapter_sha256=adapter,
        demonstration=source.demonstration,
    ).model_dump()
