"""Removes records that lack something, or are too short or too long."""

from __future__ import annotations

from collections.abc import Mapping

from finetune.data.prepared_records import TextRecord
from finetune.data.recipe import Lengths
from finetune.data.steps.step_result import (
    AnyRecord,
    Dropped,
    Kept,
    StepResult,
    answered,
    asked,
)


class MissingStep:
    """Removes records without a text, a question or an answer."""

    name = "missing"

    def __call__(self, record: AnyRecord) -> StepResult:
        if isinstance(record, TextRecord):
            return Kept(record) if record.text.strip() else Dropped("no text")
        for message in record.messages:
            if message.role != "system" and not message.content.strip():
                what = "answer" if message.role == "assistant" else "question"
                return Dropped(f"no {what}")
        if not asked(record).strip():
            return Dropped("no question")
        return Kept(record)


class LengthStep:
    """Removes records with too few or too many characters.

    Args:
        lengths: the recipe's bounds.
        own: by the name of a data set, from how many characters its texts are whole,
            where they are short by their nature. A recipe that asks for another bound
            than the usual one goes before it.
    """

    name = "length"

    def __init__(self, lengths: Lengths, own: Mapping[str, int] | None = None) -> None:
        self._lengths = lengths
        usual = lengths.text_shortest == Lengths().text_shortest
        self._own = dict(own or {}) if usual else {}

    def __call__(self, record: AnyRecord) -> StepResult:
        lengths = self._lengths
        if isinstance(record, TextRecord):
            shortest = self._own.get(record.source, lengths.text_shortest)
            return _within(record, "text", record.text, shortest, lengths.text_longest)
        question, answer = asked(record), answered(record)
        verdict = _within(record, "question", question, 0, lengths.question_longest)
        if isinstance(verdict, Dropped):
            return verdict
        shortest, longest = lengths.answer_shortest, lengths.answer_longest
        return _within(record, "answer", answer, shortest, longest)


def _within(
    record: AnyRecord, what: str, text: str, shortest: int, longest: int
) -> StepResult:
    if len(text) < shortest:
        return Dropped(f"{what} too short", f"{len(text)} of {shortest} characters")
    if len(text) > longest:
        return Dropped(f"{what} too long", f"{len(text)} of {longest} characters")
    return Kept(record)
