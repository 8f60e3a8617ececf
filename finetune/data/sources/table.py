"""Tables of your own: JSON, CSV, Excel, Arrow or Parquet, by a map of their columns.

`{"question": "Patient", "answer": "Doctor"}` makes dialogues, `{"text": "body"}`
running text, `{"messages": "conversation"}` whole conversations of {role, content}.
Without a map the columns' names are looked at; what they were taken for is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from finetune.data.prepared_records import DialogueRecord, Licence, TextRecord
from finetune.data.sources.choice_rows import ChoiceRows
from finetune.data.sources.column_map import (
    FIELDS,
    ColumnMap,
    asked_map,
    guessed_map,
    kind_of,
    none_known,
)
from finetune.data.sources.data_source import Broken, Columns, Read, Reading, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.missing_words import is_missing
from finetune.data.sources.nearest import did_you_mean
from finetune.data.sources.row import TableRow, WantedColumns
from finetune.data.sources.row_conversation import (
    NoConversation,
    any_turns_of,
    content_text,
    conversation,
    preferred,
    several_texts,
    turns_of,
)
from finetune.data.sources.table_rows import table_rows
from finetune.errors import FinetuneError

NAME = "table"
BINARY = (".parquet", ".arrow", ".feather", ".xlsx", ".xlsm")
FIND_OUT = -1
MOST_MAPS = 1000  # kinds of rows that are remembered
MOST_NAMES = 200  # columns that are told


@dataclass(frozen=True)
class TableSource:
    """Records from the rows of tables.

    Attributes:
        columns: the table's column for each of our fields: text; question, answer,
            context, instruction, input, system; options (one column, or several with
            commas between); messages; id, group, title, licence. Without it, columns
            with usual names are taken.
        licence: of all rows that name none of their own.
        encoding: of CSV and JSON lines; by default it is found out line by line.
        first_choice: 0 or 1, from which the number of a right option counts; by default
            the rows tell it.
    """

    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    licence: str = "unknown"
    encoding: str = ""
    first_choice: int = FIND_OUT

    def __post_init__(self) -> None:
        for name in self.columns:
            if name not in FIELDS:
                raise FinetuneError(
                    f"{NAME}: a column map has no field {name}"
                    f"{did_you_mean(name, FIELDS)} (there are {', '.join(FIELDS)})"
                )
        if self.columns and kind_of(self.columns) is None:
            raise FinetuneError(
                f"{NAME}: the column map names neither `text`, nor `question` and "
                "`answer`, nor `messages`"
            )
        if self.first_choice not in (FIND_OUT, 0, 1):
            raise FinetuneError(
                f"{NAME}: `first_choice` is {self.first_choice}; expected 0 or 1"
            )

    def files(self, root: Path) -> list[Path]:
        endings = compressed(".jsonl", ".ndjson", ".json", ".csv", ".tsv")
        return inputs(root, (*endings, *BINARY), "a table")

    def read(self, file: Path) -> Reading:
        return (yield from _TableFile(self, file).records())


@dataclass(frozen=True)
class _Facts:
    """Facts of a row beside its texts."""

    id: str
    group: str
    licence: Licence
    title: str
    meta: dict[str, str]


class _TableFile:
    """One file on its way through."""

    def __init__(self, wishes: TableSource, file: Path) -> None:
        self._wishes, self._file = wishes, file
        self._maps: dict[tuple[tuple[str, ...], ...], ColumnMap | None] = {}
        self._first: ColumnMap | None = None
        first = None if wishes.first_choice == FIND_OUT else wishes.first_choice
        mapped = bool(wishes.columns)
        self._choices = ChoiceRows(file, self._rows, first, mapped)
        self._taken: dict[str, dict[str, None]] = {}
        self._seen: dict[str, None] = {}
        self._missing: Counter[str] = Counter()
        self._changed: Counter[str] = Counter()

    def records(self) -> Reading:
        given = False
        try:
            for row in self._rows():
                if isinstance(row, Broken):
                    yield row
                else:
                    yield from self._records(row)
                given = True
        except FinetuneError as error:
            if not given:
                raise
            # What stood before the place where it is cut off has been understood.
            yield Broken(self._file.name, str(self._file), str(error))
        return self._told()

    def _rows(self) -> Iterator[TableRow | Broken]:
        def choose(columns: tuple[str, ...], talks: tuple[str, ...]) -> Sequence[str]:
            known = self._map(columns, talks)
            return known.used if known is not None else columns

        asked = WantedColumns(choose, self._kind)
        return table_rows(self._file, self._wishes.encoding, asked)

    def _kind(
        self, columns: tuple[str, ...], talks: tuple[str, ...]
    ) -> tuple[str, ...] | None:
        """The fields of a record that these columns make, whatever was seen before."""
        if wish := self._wishes.columns:
            named = kind_of(wish) or ()
            return named if all(wish[ours] in columns for ours in named) else None
        try:
            known = guessed_map(self._file, columns, talks)
        except FinetuneError:
            return ()  # two of one name: told where they are read
        return None if known is None else known.kind

    def _told(self) -> Columns:
        taken = {ours: tuple(names) for ours, names in self._taken.items()}
        used = {name for names in taken.values() for name in names}
        unused = [name or "(no name)" for name in self._seen if name not in used]
        return Columns(
            taken, tuple(unused[:MOST_NAMES]), dict(self._missing), dict(self._changed)
        )

    def _known(self, row: TableRow) -> ColumnMap | None:
        talks = tuple(name for name, value in row.cells.items() if turns_of(value))
        return self._map(row.columns, talks)

    def _map(
        self, columns: tuple[str, ...], talks: tuple[str, ...]
    ) -> ColumnMap | None:
        """Finds the columns of a row; none if the row is not like the first.

        Raises:
            FinetuneError: of the first row it cannot be known.
        """
        if (columns, talks) in self._maps:
            return self._maps[columns, talks]
        if len(self._maps) >= MOST_MAPS:
            self._maps.clear()
        if self._wishes.columns and self._first is not None:
            known: ColumnMap | None = self._first
        elif self._wishes.columns:
            known = asked_map(self._file, self._wishes.columns, columns)
        else:
            known = guessed_map(self._file, columns, talks)
            if known is None and self._first is None:
                raise none_known(self._file, columns)
        if self._first is None:
            self._first = known
        elif known is not None and known.kind != self._first.kind:
            known = None
        self._maps[columns, talks] = known
        if len(self._seen) < MOST_NAMES:
            self._seen |= dict.fromkeys(columns)
        return known

    def _records(self, row: TableRow) -> Iterator[Read]:
        """The records of a row: mostly one, of several answers one each."""
        key = f"{self._file.name}:{row.key}"
        known = self._known(row) or self._first
        assert known is not None
        lacking = [name for name in known.fields.values() if name not in row.cells]
        if lacking:
            reason = f"has no {', '.join(lacking)}; did others of the file have it?"
            yield Broken(key, str(self._file), reason)
            return
        if reason := _marked_as_bad(row.cells):
            yield Broken(key, str(self._file), reason)
            return
        talks = self._talks(known, row.cells)
        answers = self._several(known, row, talks)
        said: dict[str, str] = {}
        for ours, name in known.fields.items():
            self._taken.setdefault(ours, {})[name] = None
            # What is no text there is read in its own way.
            if ours in talks or ours == "history" or (ours == "answer" and answers):
                said[ours] = ""
                continue
            text = self._cell(row.cells[name], name)
            if text is None and ours == "system":
                text = _system_text(row.cells[name])
            if text is None:
                kind = type(row.cells[name]).__name__
                reason = f"{name} holds no text but a {kind}"
                yield Broken(key, str(self._file), reason)
                return
            said[ours] = text
        facts = self._facts(key, said, known)
        if talks:
            yield self._conversation(known, row.cells, said, facts)
        elif "text" in known.fields:
            yield TextRecord(
                id=key,
                source=NAME,
                group=facts.group,
                licence=facts.licence,
                title=facts.title,
                meta=facts.meta,
                text=said["text"],
            )
        elif answers and not known.options:
            for number, answer in enumerate(answers, start=1):
                own = replace(facts, id=key if number == 1 else f"{key}#{number}")
                yield self._dialogue(row, known, said | {"answer": answer}, own)
        else:
            yield self._dialogue(row, known, said, facts)

    def _talks(
        self, known: ColumnMap, cells: Mapping[str, Any]
    ) -> Mapping[str, list[Any]]:
        """The fields of a row that hold turns; empty where it is no conversation."""
        if "messages" in known.fields:
            return {"messages": []}
        if known.kind != ("question", "answer"):
            return {}
        found = {ours: turns_of(cells[known.fields[ours]]) for ours in known.kind}
        return {ours: turns for ours, turns in found.items() if turns is not None}

    def _several(
        self, known: ColumnMap, row: TableRow, talks: Mapping[str, Any]
    ) -> Sequence[str]:
        """The answers of a row, where they are several or a list; else none."""
        if talks or "answer" not in known.fields:
            return ()
        value = row.cells[known.fields["answer"]]
        if known.options:
            # A list of right options; what they say is found with the options.
            return ("",) if isinstance(value, list) else ()
        texts = several_texts(value)
        return () if texts is None else texts or ("",)

    def _facts(self, key: str, said: Mapping[str, str], known: ColumnMap) -> _Facts:
        own, general = said.get("licence", ""), self._wishes.licence
        evidence = (
            f"column {known.fields['licence']}: {own}"
            if own
            else "said by whoever made the recipe"
            if general != "unknown"
            else "neither a column nor the option `licence` names one"
        )
        return _Facts(
            key,
            said.get("group") or key,
            Licence(name=own or general, evidence=evidence),
            said.get("title", ""),
            # A user's own ids need not be unique in the file; the place is.
            {"own_id": said["id"]} if said.get("id") else {},
        )

    def _dialogue(
        self,
        row: TableRow,
        known: ColumnMap,
        said: Mapping[str, str],
        facts: _Facts,
    ) -> Read:
        question, answer = said["question"], said["answer"]
        matter = said.get("input", "")
        if question or matter:
            before = (said.get("context", ""), said.get("instruction", ""))
            question = "\n\n".join(part for part in (*before, question, matter) if part)
        put = self._choices.put(row, known, question, answer)
        if isinstance(put, str):
            return Broken(facts.id, str(self._file), put)
        if put is not None:
            question, answer = put.question, put.answer
            self._taken.setdefault("options", {}).update(dict.fromkeys(known.options))
        return dialogue(
            NAME,
            facts.id,
            question,
            answer,
            facts.licence,
            group=facts.group,
            title=facts.title,
            system=said.get("system", ""),
            earlier=_pairs(row.cells.get(known.fields.get("history", ""))),
            meta=facts.meta,
        )

    def _conversation(
        self,
        known: ColumnMap,
        cells: Mapping[str, Any],
        said: Mapping[str, str],
        facts: _Facts,
    ) -> Read:
        system = said.get("system", "")
        try:
            if name := known.fields.get("messages"):
                talk = conversation(any_turns_of(cells[name]), system)
            else:
                name = known.fields["answer"]
                talk = preferred(cells[known.fields["question"]], cells[name], system)
        except NoConversation as reason:
            return Broken(facts.id, str(self._file), str(reason))
        self._changed.update(+talk.changed)
        if talk.missing:
            self._missing[name] += talk.missing
        return DialogueRecord(
            id=facts.id,
            source=NAME,
            group=facts.group,
            licence=facts.licence,
            title=facts.title,
            messages=tuple(talk.messages),
            meta=facts.meta,
        )

    def _cell(self, value: Any, name: str) -> str | None:
        """A cell as text, "" if it is missing; none if it holds something that is none.

        Cells that say in a word that they are missing are counted.
        """
        match value:
            case None:
                return ""
            case str():
                text = value.strip()
            case bytes():
                # Parquet files have texts that their writer did not mark as texts.
                try:
                    text = value.decode().strip()
                except UnicodeDecodeError:
                    return None
            case bool() | int() | float() | Decimal() | date() | UUID():
                text = str(value)
            case _:
                return None
        if is_missing(text):
            self._missing[name] += 1
            return ""
        return text


def _system_text(value: Any) -> str | None:
    """A system text in parts, as Gemini's files have it."""
    try:
        return content_text(value).strip()
    except NoConversation:
        return None


def _pairs(history: Any) -> Iterator[tuple[str, str]]:
    """The questions and answers that came before, as LLaMA-Factory has them."""
    for pair in cast("list[Any]", history) if isinstance(history, list) else ():
        if isinstance(pair, list) and len(cast("list[Any]", pair)) == 2:
            asked, answered = cast("list[Any]", pair)
            yield str(asked), str(answered)


def _marked_as_bad(cells: Mapping[str, Any]) -> str:
    """Why an answer is not learned that its row calls bad (TRL's unpaired form)."""
    unpaired = {"prompt", "completion", "label"} <= cells.keys()
    if unpaired and str(cells["label"]).strip().casefold() == "false":
        return "is marked as an answer not to be given (label is false)"
    return ""


INFO = SourceInfo(
    name=NAME,
    title="Tables of your own",
    about="JSON lines, JSON, CSV, TSV, Excel, Parquet or Arrow (save_to_disk), plain, "
    "compressed or in a zip, by a map of their columns: question and answer, messages, "
    "or text; with group, licence, title if they are there. The options of a multiple "
    "choice go into the question.",
    licence="as you say, or by a column",
    terms="Name the licence by the option `licence` or by a column, or the records are "
    "left out as unknown.",
    kind="either",
    open_source=TableSource,
    options=("columns", "licence", "encoding", "first_choice"),
    text_shortest=1,  # a row of the user's own is whole, however short
    fetch="hub",
)
