"""The export as JSON, for programs."""

from __future__ import annotations

import json
from typing import Any

from medassist.records.export.export_document import INTENT, ExportDocument

FORMAT = 1


def as_json(document: ExportDocument) -> str:
    """The document as JSON; signs outside of ASCII are escaped."""
    held: dict[str, Any] = {
        "format": FORMAT,
        "title": document.title,
        "created": document.created.isoformat(),
        "status": document.status,
        "reviewed": document.signed_off is not None,
        "intended_use": INTENT,
        "names_hidden": document.hidden,
        "identifiers_warned_of": [
            {"kind": w.kind, "count": w.count, "outcome": w.outcome}
            for w in document.warned
        ],
        "turns": [
            {
                "question": turn.question,
                "left_out": turn.left_out,
                "red_flags_shown": [vars(flag) for flag in turn.flags],
                "answers": [
                    {
                        "side": answer.side,
                        "pane": answer.pane,
                        "model": answer.model,
                        "state": answer.state,
                        "shown": answer.shown,
                        "facts": dict(answer.facts),
                        "text": answer.text,
                        **({"thought": answer.thought} if answer.thought else {}),
                    }
                    for answer in turn.answers
                ],
                "verdicts": [
                    {
                        "choice": verdict.choice,
                        "winner": None if document.hidden else verdict.winner,
                        "names_were_hidden": verdict.blind,
                        "reasons": list(verdict.reasons),
                        "note": verdict.note,
                        "given": verdict.given.isoformat(),
                    }
                    for verdict in turn.verdicts
                ],
            }
            for turn in document.turns
        ],
    }
    return json.dumps(held, indent=2) + "\n"
