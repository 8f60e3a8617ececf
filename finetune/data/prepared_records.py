"""Records of a prepared data set: running text and dialogues.

They are the lines of `data/train.jsonl`, `validation.jsonl` and `test.jsonl` of a run
folder, and what trainings and evaluations read. `VERSION` rises when a field changes
its meaning or goes.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from medassist.frozen_model import FrozenModel

VERSION = 1


class Licence(FrozenModel):
    """A record's licence, and the evidence for it."""

    name: str
    """`CC BY 4.0`, `CC0 1.0`, `public domain`, `MIT`, ...; `unknown`; `TDM`."""
    evidence: str
    """Evidence with its place: an element with its value, a column, the set's own."""


class RecordMessage(FrozenModel):
    """One turn of a dialogue."""

    role: Literal["system", "user", "assistant"]
    content: str


class _Record(FrozenModel):
    version: Literal[1] = VERSION
    id: str
    """Unique within its source: a PMCID with a section, a question's number."""
    source: str
    """The name of the data set: `medquad`, `pmc-oa`."""
    group: str
    """The document or patient that it comes from; a split keeps a group together."""
    licence: Licence
    title: str = ""
    meta: dict[str, str] = Field(default_factory=dict)
    """Further facts by the source: kind of question, date, section."""


class TextRecord(_Record):
    """Running text, for adaptation to a field."""

    kind: Literal["text"] = "text"
    text: str


class DialogueRecord(_Record):
    """A dialogue that ends with an answer; the answers are what is learned."""

    kind: Literal["dialogue"] = "dialogue"
    messages: tuple[RecordMessage, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _ends_with_an_answer(self) -> Self:
        if self.messages[-1].role != "assistant":
            raise ValueError("the last message must be the assistant's")
        return self


Record = Annotated[TextRecord | DialogueRecord, Field(discriminator="kind")]
RECORD: TypeAdapter[TextRecord | DialogueRecord] = TypeAdapter(Record)
"""Reads a line: `RECORD.validate_json(line)`."""
