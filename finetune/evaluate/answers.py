"""Answers to held-out questions, whoever wrote them: here or on an endpoint."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter

from finetune.data.prepared_records import DialogueRecord, TextRecord
from finetune.errors import Interrupted
from finetune.evaluate.result import AnsweredItem, Example, evaluation_file
from finetune.evaluate.rouge import rouge_l

ANSWER: TypeAdapter[AnsweredItem | str] = TypeAdapter(AnsweredItem | str)
"""An answer, or why there is none."""
EXAMPLE = TypeAdapter(Example)


class ModelText(Protocol):
    """Text that a model wrote."""

    @property
    def text(self) -> str: ...
    @property
    def ended(self) -> bool: ...


def questions(
    records: Sequence[TextRecord | DialogueRecord], most: int
) -> list[DialogueRecord]:
    """The dialogues whose last question is answered, spread over all of them."""
    dialogues = [each for each in records if isinstance(each, DialogueRecord)]
    count = min(most, len(dialogues))
    return [dialogues[i * len(dialogues) // count] for i in range(count)]


def answer_of(
    record: DialogueRecord, base: ModelText, tuned: ModelText
) -> AnsweredItem:
    """Answers of both to the last question of a record, beside its reference."""
    reference = record.messages[-1].content
    return AnsweredItem(
        id=record.id,
        source=record.source,
        group=record.group,
        prompt=record.messages[-2].content,
        reference=reference,
        base=base.text,
        tuned=tuned.text,
        base_ended=base.ended,
        tuned_ended=tuned.ended,
        base_rouge_l=rouge_l(base.text, reference),
        tuned_rouge_l=rouge_l(tuned.text, reference),
    )


@contextlib.contextmanager
def stoppable(run: Path, verb: str, more: str = "") -> Generator[None]:
    """Ctrl-C and SIGTERM end the work with a word on how to go on.

    Args:
        run: the run folder.
        verb: of `medassist finetune`, that goes on.
        more: what is said behind the run folder.
    """

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    first = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if first else None
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"Stopped. What was found so far is kept in {run}; go on with: medassist "
            f"finetune {verb} {run} {more}".rstrip(),
            evaluation_file(run),
        ) from None
    finally:
        if first:
            signal.signal(signal.SIGTERM, before)
