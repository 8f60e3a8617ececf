"""Tables of your own: JSON lines, JSON, CSV or Parquet, by a map of their columns.

`{"question": "Patient", "answer": "Doctor"}` makes dialogues, `{"text": "body"}`
running text, `{"messages": "conversation"}` whole conversations of {role, content}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from finetune.data.records import DialogueRecord, Licence, Message, TextRecord
from finetune.data.sources.contract import Broken, Read, SourceInfo
from finetune.data.sources.csv_rows import check_columns, csv_rows
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.json_items import json_items
from finetune.data.sources.nearest import did_you_mean
from finetune.data.sources.text_lines import lines
from finetune.errors import FinetuneError

NAME = "table"
WHAT = "the column map"
FIELDS = (
    *("text", "question", "answer", "context", "system", "messages"),
    *("id", "group", "title", "licence"),
)
KINDS = (("messages",), ("question", "answer"), ("text",))
# Names that speak for themselves, where no map is given; the first that is there.
USUAL: Mapping[str, tuple[str, ...]] = {
    "messages": ("messages", "conversations", "conversation"),
    "question": ("question", "input", "prompt", "instruction", "patient", "query"),
    "answer": ("answer", "output", "response", "completion", "doctor", "chosen"),
    "text": ("text", "content", "body", "document"),
    "context": ("context",),
    "system": ("system",),
    "id": ("id",),
    "group": ("group", "patient_id", "subject_id", "document_id"),
    "title": ("title",),
    "licence": ("licence", "license"),
}
BATCH = 512  # rows of a Parquet file that are held at a time
_ROLES: Mapping[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    **dict.fromkeys(("user", "human", "patient", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "doctor", "model", "bot"), "assistant"),
}


@dataclass(frozen=True)
class Table:
    """Records from the rows of tables.

    Attributes:
        columns: the table's column for each of our fields: text; question, answer,
            context, system; messages; id, group, title, licence. Without it, columns
            with usual names are taken.
        licence: of all rows that name none of their own.
        encoding: of CSV and JSON lines; by default it is found out line by line.
    """

    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    licence: str = "unknown"
    encoding: str = ""

    def __post_init__(self) -> None:
        for name in self.columns:
            if name not in FIELDS:
                raise FinetuneError(
                    f"{NAME}: a column map has no field {name}"
                    f"{did_you_mean(name, FIELDS)} (there are {', '.join(FIELDS)})"
                )
        if self.columns and _kind(self.columns) is None:
            raise FinetuneError(
                f"{NAME}: the column map names neither `text`, nor `question` and "
                "`answer`, nor `messages`"
            )

    def files(self, root: Path) -> list[Path]:
        endings = compressed(".jsonl", ".ndjson", ".json", ".csv", ".tsv")
        return inputs(root, (*endings, ".parquet"), "a table")

    def read(self, file: Path) -> Iterator[Read]:
        columns: Mapping[str, str] | None = None
        for key, row in self._rows(file):
            if isinstance(row, Broken):
                yield row
                continue
            if columns is None:
                columns = self._map(file, list(row))
            yield self._record(f"{file.name}:{key}", row, columns, file)

    def _rows(self, file: Path) -> Iterator[tuple[str, dict[str, Any] | Broken]]:
        name = file.name.lower()
        if name.endswith(".parquet"):
            yield from _parquet(file, list(self.columns.values()))
        elif ".jsonl" in name or ".ndjson" in name:
            yield from _json_lines(file, self.encoding)
        elif ".json" in name:
            for key, row in json_items(file, "a table"):
                if isinstance(row, dict):
                    yield key, row
                else:
                    yield key, Broken(f"item {key}", str(file), "is no JSON object")
        else:
            required = list(self.columns.values())
            for row in csv_rows(file, required, WHAT, self.encoding):
                if isinstance(row, Broken):
                    yield row.id, row
                else:
                    yield str(row.number), row.cells

    def _map(self, file: Path, found: list[str]) -> Mapping[str, str]:
        if self.columns:
            check_columns(file, found, list(self.columns.values()), WHAT)
            return self.columns
        folded = {name.strip().casefold(): name for name in found}
        guessed: dict[str, str] = {}
        for ours, names in USUAL.items():
            for name in names:
                if name in folded and folded[name] not in guessed.values():
                    guessed[ours] = folded[name]
                    break
        if (kind := _kind(guessed)) is None:
            raise FinetuneError(
                f"{file} has the columns {', '.join(found[:30])}, none of which says "
                "by its name what it is; name them, for example columns: {question: "
                f"{found[0] if found else 'Patient'}, answer: "
                f"{found[-1] if found else 'Doctor'}}}"
            )
        others = {name for each in KINDS if each != kind for name in each}
        return {ours: name for ours, name in guessed.items() if ours not in others}

    def _record(
        self, key: str, row: dict[str, Any], columns: Mapping[str, str], file: Path
    ) -> Read:
        if lacking := [name for name in columns.values() if name not in row]:
            reason = f"has no {', '.join(lacking)}; did others of the file have it?"
            return Broken(key, str(file), reason)
        cells = {ours: row[name] for ours, name in columns.items()}
        texts = {
            ours: _text(value) for ours, value in cells.items() if ours != "messages"
        }
        for ours, text in texts.items():
            if text is None:
                reason = (
                    f"{columns[ours]} holds no text but a {type(cells[ours]).__name__}"
                )
                return Broken(key, str(file), reason)
        said: dict[str, str] = {ours: text or "" for ours, text in texts.items()}
        own = said.get("licence", "")
        licence = Licence(
            name=own or self.licence,
            evidence=f"column {columns['licence']}: {own}"
            if own
            else "said by whoever made the recipe"
            if self.licence != "unknown"
            else "neither a column nor the option `licence` names one",
        )
        # A user's own ids need not be unique in the file; the place is.
        meta = {"own_id": said["id"]} if said.get("id") else {}
        group = said.get("group") or key
        if "messages" in cells:
            return self._conversation(
                key, cells["messages"], said, licence, group, file
            )
        if "text" in cells:
            return TextRecord(
                id=key,
                source=NAME,
                group=group,
                licence=licence,
                title=said.get("title", ""),
                meta=meta,
                text=said["text"],
            )
        question = said["question"]
        if question and said.get("context"):
            question = f"{said['context']}\n\n{question}"
        return dialogue(
            NAME,
            key,
            question,
            said["answer"],
            licence,
            group=group,
            title=said.get("title", ""),
            system=said.get("system", ""),
            meta=meta,
        )

    def _conversation(
        self,
        key: str,
        found: Any,
        said: Mapping[str, str],
        licence: Licence,
        group: str,
        file: Path,
    ) -> Read:
        try:
            turns = json.loads(found) if isinstance(found, str) else found
            messages = [_message(turn) for turn in turns]
            if said.get("system"):
                messages.insert(0, Message(role="system", content=said["system"]))
            return DialogueRecord(
                id=key,
                source=NAME,
                group=group,
                licence=licence,
                title=said.get("title", ""),
                messages=tuple(messages),
            )
        except (ValidationError, ValueError, TypeError, KeyError, AttributeError):
            reason = (
                "is no conversation: expected a list of {role, content} that ends with "
                "the assistant's"
            )
            return Broken(key, str(file), reason)


def _kind(columns: Mapping[str, str]) -> tuple[str, ...] | None:
    return next((k for k in KINDS if all(name in columns for name in k)), None)


def _message(turn: Any) -> Message:
    """A turn of {role, content}, or {from, value} as some sets have it."""
    role = str(turn.get("role") or turn["from"]).lower()
    content = turn["content"] if "content" in turn else turn["value"]
    if not isinstance(content, str):
        raise TypeError("content")
    return Message(role=_ROLES[role], content=content)


def _text(value: Any) -> str | None:
    """A cell as text; none if it holds something that is none."""
    match value:
        case None:
            return ""
        case str():
            return value.strip()
        case bool() | int() | float():
            # An empty cell of pandas.
            return "" if value != value else str(value)
        case _:
            return None


def _json_lines(file: Path, encoding: str) -> Iterator[tuple[str, Any]]:
    for line in lines(file, encoding):
        place = f"line {line.number}"
        if line.problem:
            yield place, Broken(place, str(file), line.problem)
            continue
        if not line.text.strip():
            continue
        try:
            row = json.loads(line.text)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            yield str(line.number), row
        else:
            yield place, Broken(place, str(file), "is no JSON object")


def _parquet(file: Path, wanted: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            check_columns(file, opened.schema_arrow.names, wanted, WHAT)
            number = 0
            for batch in opened.iter_batches(BATCH, columns=wanted or None):
                for row in batch.to_pylist():
                    number += 1
                    yield str(number), row
    except (pa.ArrowException, OSError) as error:
        raise FinetuneError(
            f"{file} cannot be read as Parquet ({error}); copy it anew"
        ) from error


INFO = SourceInfo(
    name=NAME,
    title="Tables of your own",
    about="JSON lines, JSON, CSV, TSV or Parquet by a map of their columns: question "
    "and answer, messages, or text; with group, licence, title if they are there.",
    licence="as you say, or by a column",
    terms="Name the licence by the option `licence` or by a column, or the records are "
    "left out as unknown.",
    kind="either",
    open_source=Table,
    options=("columns", "licence", "encoding"),
    fetch="hub",
)
