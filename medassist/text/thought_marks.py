"""The marks between which models write what they think before they answer.

One table for all who have to know it: who tells thoughts from answers, and who asks a
model's vocabulary and template whether it thinks at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class ThoughtForm:
    """Marks around a thought in one family of models."""

    opens: str
    closes: str
    label: str = ""
    """A word that it writes first in each thought, and that is none of it."""


FORMS = (
    ThoughtForm("<think>", "</think>"),  # Qwen, DeepSeek-R1, QwQ, Magistral of 2025
    ThoughtForm("<thinking>", "</thinking>"),
    ThoughtForm("<thought>", "</thought>"),  # EXAONE Deep
    ThoughtForm("<reasoning>", "</reasoning>"),
    ThoughtForm("<seed:think>", "</seed:think>"),  # Seed-OSS
    ThoughtForm("[THINK]", "[/THINK]"),  # Magistral, Ministral
    ThoughtForm("<unused94>", "<unused95>", label="thought"),  # MedGemma
    ThoughtForm("<|channel>", "<channel|>", label="thought"),  # Gemma 4
    ThoughtForm("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    ThoughtForm("<|begin_of_thought|>", "<|end_of_thought|>"),
    ThoughtForm("◁think▷", "◁/think▷"),  # Kimi
)

# Harmony (gpt-oss) writes messages, each with a header that names its channel.
START, CHANNEL, MESSAGE = "<|start|>", "<|channel|>", "<|message|>"
ENDS_MESSAGE = "<|end|>"
ENDS_ALL = ("<|return|>", "<|call|>")
HARMONY_MARKS = (START, CHANNEL, MESSAGE, ENDS_MESSAGE, *ENDS_ALL)
ANSWERS = "final"
"""The channel that the user is to see; what is in others is thought."""
THINKS = "analysis"
HARMONY_CLOSES = f"{ENDS_MESSAGE}{START}assistant{CHANNEL}{ANSWERS}{MESSAGE}"

OPENS = {form.opens: form for form in FORMS}
CLOSES = {form.closes: form for form in FORMS}
MARKS = (*OPENS, *CLOSES, *HARMONY_MARKS)
PATTERN = re.compile("|".join(map(re.escape, sorted(MARKS, key=len, reverse=True))))


def opened_by(prompt_end: str) -> str:
    """The mark of a thought that a prompt begins and leaves open; empty: none.

    Args:
        prompt_end: what a template writes behind the conversation, for the answer.
    """
    last = None
    for found in PATTERN.finditer(prompt_end):
        last = found
    if last is None:
        return ""
    if last[0] in OPENS:
        return last[0]
    header = prompt_end.rpartition(CHANNEL)[2] if CHANNEL in prompt_end else ""
    thinks = bool(header) and not header.strip().startswith(ANSWERS)
    return CHANNEL if last[0] == MESSAGE and thinks else ""


def before_answer(opened: str, known: Collection[str], thinks: bool) -> tuple[str, str]:
    """Texts before and behind a thought, between a prompt and an answer.

    Args:
        opened: the mark of the thought that the prompt has opened; empty: none.
        known: the marks that the model's template or its tokens have.
        thinks: whether the model thought before the answer.
    """
    if opened == CHANNEL or (not opened and CHANNEL in known):
        before = "" if opened else f"{CHANNEL}{THINKS}{MESSAGE}"
        if thinks or opened:
            return before, HARMONY_CLOSES
        return f"{CHANNEL}{ANSWERS}{MESSAGE}", ""
    form = OPENS.get(opened)
    if form is None and thinks:
        form = next((form for form in FORMS if form.opens in known), FORMS[0])
    if form is None:
        return "", ""
    label = f"{form.label}\n" if form.label else ""
    before = label if opened else f"{form.opens}{label or chr(10)}"
    return before, f"\n{form.closes}\n\n"


def thinks(text: str) -> bool:
    """Whether a chat template, or the text of a token, speaks of thoughts."""
    return CHANNEL in text or any(mark in text for mark in (*OPENS, *CLOSES))
