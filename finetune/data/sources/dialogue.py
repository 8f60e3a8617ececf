"""A question with its answer as the record that trainings read."""

from __future__ import annotations

from collections.abc import Iterable

from finetune.data.prepared_records import DialogueRecord, Licence, RecordMessage


def dialogue(
    source: str,
    key: str,
    question: str,
    answer: str,
    licence: Licence,
    *,
    group: str = "",
    title: str = "",
    system: str = "",
    earlier: Iterable[tuple[str, str]] = (),
    meta: dict[str, str] | None = None,
) -> DialogueRecord:
    """A record of one question and its answer.

    Args:
        source: the data set's name.
        key: the record's id within it.
        question: all that the user writes, what is asked about included; "" if missing.
        answer: "" if missing.
        licence: of this record.
        group: the document or patient; the record itself where there is none.
        title: of the document.
        system: what stands before the conversation.
        earlier: questions and answers before this one.
        meta: what else is known; empty values are left out.
    """
    messages = [RecordMessage(role="system", content=system)] if system else []
    for asked, answered in earlier:
        messages.append(RecordMessage(role="user", content=asked))
        messages.append(RecordMessage(role="assistant", content=answered))
    messages.append(RecordMessage(role="user", content=question))
    messages.append(RecordMessage(role="assistant", content=answer))
    return DialogueRecord(
        id=key,
        source=source,
        group=group or key,
        licence=licence,
        title=title,
        messages=tuple(messages),
        meta={name: value for name, value in (meta or {}).items() if value},
    )
