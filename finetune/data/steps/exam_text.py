"""Reads the texts of exam questions, in any published format.

Nothing is known of a format's fields but that explanations are no part of an exam:
any text that is long enough counts, so that cases and abstracts which are asked about
are found as well as the questions.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from finetune.data.sources.json_items import json_items
from finetune.data.sources.text_lines import opened
from finetune.errors import FinetuneError
from medassist.core.compressed import ENDINGS

SUFFIXES = (".json", ".jsonl", ".csv", ".tsv", ".parquet", ".txt")
_EXPLANATION = re.compile(r"^(?:exp|explanation|rationale|reasoning)\w*$", re.I)
_QUESTION = re.compile(r"quest|query|sent1|stem|prompt|^input$|^q$", re.I)


@dataclass(frozen=True)
class ExamText:
    """A text of an exam."""

    exam: str
    """The file's name."""
    item: str
    """A number or an id within the file."""
    text: str
    is_question: bool
    """Whether it counts as a whole where it is short."""


def exam_files(paths: Sequence[Path]) -> list[Path]:
    """The exams' files: those named, and those in the folders that are named.

    Raises:
        FinetuneError: one is not there, is of no known format, or a folder has none.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if _format(file))
            if not found:
                raise FinetuneError(
                    f"{path} holds no exam: expected files that end in "
                    f"{', '.join(SUFFIXES)}"
                )
            files += found
        elif not path.is_file():
            raise FinetuneError(f"{path} is not there; an exam is expected in it")
        elif _format(path) is None:
            raise FinetuneError(
                f"{path} is of no format that exams are read from: expected one of "
                f"{', '.join(SUFFIXES)}, plain or compressed"
            )
        else:
            files.append(path)
    return files


def exam_texts(file: Path) -> Iterator[ExamText]:
    """All texts of an exam.

    Raises:
        FinetuneError: it cannot be read as what its name says.
    """
    try:
        match _format(file):
            case ".parquet":
                rows = _parquet(file)
            case ".jsonl":
                rows = (
                    (str(number), json.loads(line))
                    for number, line in enumerate(_text(file).split("\n"), 1)
                    if line.strip()
                )
            case ".json":
                rows = json_items(file, "an exam")
            case ".csv" | ".tsv" as suffix:
                rows = _table(_text(file), "\t" if suffix == ".tsv" else ",")
            case _:
                lines = enumerate(_text(file).splitlines(), 1)
                rows = ((str(number), {"question": line}) for number, line in lines)
        for item, row in rows:
            for text, is_question in _strings(row, False):
                yield ExamText(file.name, item, text, is_question)
    except (FinetuneError, ValueError, csv.Error, OSError) as error:
        raise FinetuneError(
            f"{file} cannot be read as an exam: {error}; expected {_format(file)} as "
            "its name says"
        ) from error


def _format(file: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in ENDINGS:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in SUFFIXES else None


def _text(file: Path) -> str:
    with opened(file) as stream:
        text = stream.read().decode("utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")  # old Macs' ends too


def _table(text: str, delimiter: str) -> Iterator[tuple[str, Any]]:
    rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    header: list[str] | None = None
    for number, row in enumerate(rows, 1):
        if number == 1 and any(_QUESTION.search(name) for name in row):
            header = row
        elif header is not None:
            yield str(number), dict(zip(header, row, strict=False))
        elif row:
            # As MMLU comes: the question, its choices, the answer's letter.
            yield str(number), {"question": row[0], "choices": row[1:]}


def _parquet(file: Path) -> Iterator[tuple[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        number = 0
        for batch in pq.ParquetFile(file).iter_batches(batch_size=1000):
            for row in batch.to_pylist():
                number += 1
                yield str(number), row
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error


def _strings(value: object, is_question: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(value, str):
        yield value, is_question
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            if not _EXPLANATION.match(str(key)):
                is_asked = _QUESTION.search(str(key)) is not None
                yield from _strings(inner, is_asked)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _strings(inner, is_question)
