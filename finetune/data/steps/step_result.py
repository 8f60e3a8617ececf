"""Result of a step for a record (kept or dropped), and the record's texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from finetune.data.prepared_records import DialogueRecord, RecordMessage, TextRecord

AnyRecord = TextRecord | DialogueRecord


@dataclass(frozen=True)
class Dropped:
    """The record is removed.

    Attributes:
        reason: counted in the manifest, so it is one of few.
        detail: what is particular to this record, for the list of what was dropped.
    """

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class RecordFinding:
    """Something the user should look at, in a record that stays."""

    rule: str
    where: str


@dataclass(frozen=True)
class Kept:
    """The record stays, perhaps changed."""

    record: AnyRecord
    changed: tuple[str, ...] = ()
    found: tuple[RecordFinding, ...] = ()


StepResult = Kept | Dropped
Step = Callable[[AnyRecord], StepResult]


def asked(record: DialogueRecord) -> str:
    """Text of all messages but the assistant's, joined by line ends."""
    return "\n".join(m.content for m in record.messages if m.role != "assistant")


def answered(record: DialogueRecord) -> str:
    """Text of the assistant's messages, joined by line ends."""
    return "\n".join(m.content for m in record.messages if m.role == "assistant")


def whole(record: AnyRecord) -> str:
    """All text of a record."""
    if isinstance(record, TextRecord):
        return record.text
    return "\n".join(message.content for message in record.messages)


def rewritten(record: AnyRecord, rewrite: Callable[[str], str]) -> AnyRecord:
    """The record with `rewrite` applied to its text, or to each of its messages."""
    if isinstance(record, TextRecord):
        text = rewrite(record.text)
        return (
            record if text is record.text else record.model_copy(update={"text": text})
        )
    messages = tuple(
        RecordMessage(role=message.role, content=rewrite(message.content))
        for message in record.messages
    )
    if messages == record.messages:
        return record
    return record.model_copy(update={"messages": messages})
