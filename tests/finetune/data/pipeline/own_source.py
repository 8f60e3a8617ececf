"""A data set of the tests' own: JSON lines with text, or with question and answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.data.prepared_records import (
    RECORD,
    DialogueRecord,
    Licence,
    RecordMessage,
    TextRecord,
)
from finetune.data.sources.data_source import RETRACTED, Broken, Read
from medassist.core.run_folder import DATA


def text(name: str, words: str, **more: str) -> TextRecord:
    return TextRecord(
        id=name,
        source=more.get("source", "own"),
        group=more.get("group", name),
        licence=Licence(name=more.get("licence", "CC BY 4.0"), evidence="own words"),
        text=words,
        meta={RETRACTED: "by the editors"} if more.get("retracted") else {},
    )


def dialogue(name: str, question: str, answer: str, **more: str) -> DialogueRecord:
    return DialogueRecord(
        id=name,
        source=more.get("source", "own"),
        group=more.get("group", name),
        licence=Licence(name=more.get("licence", "CC BY 4.0"), evidence="own words"),
        messages=(
            RecordMessage(role="user", content=question),
            RecordMessage(role="assistant", content=answer),
        ),
    )


def prose(number: int, sentences: int = 12) -> str:
    """Text like no other number's, of words that are none."""
    syllables = ("ka", "lo", "mi", "ru", "te", "sa", "no", "vi", "du", "pe")
    state = number * 7919 + 13

    def word() -> str:
        nonlocal state
        made = ""
        for _ in range(3):
            state = (state * 1103515245 + 12345) % 2**31
            made += syllables[state // 65536 % 10]
        return made

    return " ".join(
        f"The {word()} of the {word()} was {word()} and {word()} {word()}."
        for _ in range(sentences)
    )


def read_split(run: Path, split: str) -> list[TextRecord | DialogueRecord]:
    """The records of `train`, `validation` or `test` that a preparation left."""
    lines = (run / DATA / f"{split}.jsonl").read_bytes().splitlines()
    return [RECORD.validate_json(line) for line in lines]


def write(file: Path, rows: list[dict[str, str]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


@dataclass(frozen=True)
class OwnSource:
    """Reads what `write` wrote."""

    def files(self, root: Path) -> list[Path]:
        return sorted(root.glob("*.jsonl"))

    def read(self, file: Path) -> Iterator[Read]:
        for number, line in enumerate(file.read_text("utf-8").splitlines()):
            row: dict[str, str] = json.loads(line)
            name = row.pop("id", f"{file.stem}-{number}")
            if row.pop("broken", None):
                yield Broken(name, str(file), "is broken on purpose")
            elif "question" in row:
                yield dialogue(name, row.pop("question"), row.pop("answer"), **row)
            else:
                yield text(name, row.pop("text"), **row)
