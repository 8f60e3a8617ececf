"""Texts of the gate: 32 prompts for logits, medical prose for quantization loss."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parent
LONGEST = 640
"""Tokens of the last prompt, the beginning of the prose: it reaches behind a sliding
window of 512, which short prompts never do. Wider windows are not reached."""
CONTEXT = LONGEST + 32
"""Tokens of a context that holds it."""


def short_prompts() -> list[str]:
    """31 prompts of a line or a few: prose, laboratory values, code, other scripts."""
    return json.loads((FOLDER / "prompts.json").read_text("utf-8"))


def prose() -> str:
    """Twenty kilobytes of medical prose in English, written for this project."""
    return (FOLDER / "medicine.txt").read_text("utf-8")
