"""Finds patient identifiers in records.

The recogniser of the app decides, where a rule (identifiers.yaml) says that it is worth
the time: it reads a third of a megabyte a second, and articles come in gigabytes. What
is found is a warning that says where to look; that nothing was found is no proof that a
text is anonymous.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import TypeAdapter

from finetune.data.prepared_records import TextRecord
from finetune.data.steps.step_result import (
    AnyRecord,
    Dropped,
    Kept,
    RecordFinding,
    StepResult,
)
from medassist.frozen_model import FrozenModel
from medassist.safety.identifiers import find_identifiers as recognised

RULES = Path(__file__).with_name("identifiers.yaml")
BEFORE = 40  # characters that a rule's `before` sees
READ_BEFORE, READ_AFTER = 60, 100  # characters that the recogniser reads with a match
MOST_FOUND = 20  # places of a record that are listed


class IdentifierPattern(FrozenModel):
    """A pattern, the phrases without which it cannot match, and the kinds it is of."""

    name: str
    phrases: tuple[str, ...]
    pattern: re.Pattern[str]
    kinds: frozenset[str]
    before: re.Pattern[str] | None = None


@cache
def rules() -> tuple[IdentifierPattern, ...]:
    """The rules of identifiers.yaml."""
    rows = yaml.safe_load(RULES.read_text("utf-8"))
    return TypeAdapter(tuple[IdentifierPattern, ...]).validate_python(rows)


def find_identifiers(text: str) -> Iterator[tuple[str, int]]:
    """The rules that match in `text`, each with the character where it does."""
    for rule in rules():
        if any(phrase in text for phrase in rule.phrases):
            for match in rule.pattern.finditer(text):
                at = match.start()
                before = text[max(0, at - BEFORE) : at]
                if (rule.before is None or rule.before.search(before)) and _is_one(
                    text, match.span(), rule.kinds
                ):
                    yield rule.name, at


def _is_one(text: str, span: tuple[int, int], kinds: frozenset[str]) -> bool:
    """The recogniser of the app finds one of `kinds` there."""
    first = max(0, span[0] - READ_BEFORE)
    window = text[first : span[1] + READ_AFTER]
    return any(
        one.kind in kinds
        and one.span[0] < span[1] - first
        and span[0] - first < one.span[1]
        for one in recognised(window)
    )


class IdentifierStep:
    """Lists what looks like an identifier, or takes out the records that have one."""

    name = "identifiers"

    def __init__(self, action: Literal["warn", "drop"]) -> None:
        self._action = action

    def __call__(self, record: AnyRecord) -> StepResult:
        found = [
            RecordFinding(rule, f"{place}, character {at}")
            for place, text in _places(record)
            for rule, at in find_identifiers(text)
        ]
        if found and self._action == "drop":
            return Dropped(found[0].rule, found[0].where)
        return Kept(record, found=tuple(found[:MOST_FOUND]))


def _places(record: AnyRecord) -> Iterator[tuple[str, str]]:
    # The words themselves are not copied into the list: it can be shown around.
    if isinstance(record, TextRecord):
        yield "text", record.text
    else:
        for number, message in enumerate(record.messages, 1):
            yield f"message {number}", message.content
