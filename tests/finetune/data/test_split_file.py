from __future__ import annotations

from pathlib import Path

import pytest

from finetune.data.split_file import count_records, read_records
from finetune.errors import FinetuneError
from tests.finetune.data.pipeline.own_source import text


def split_of(folder: Path, *texts: str) -> Path:
    file = folder / "run" / "data" / "test.jsonl"
    file.parent.mkdir(parents=True)
    lines = [text(each, each).model_dump_json() if each else "" for each in texts]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def test_blank_lines_are_no_records(tmp_path) -> None:
    file = split_of(tmp_path, "one", "", "two", "three")
    assert count_records(file) == 3
    assert [record.id for record in read_records(file)] == ["one", "two", "three"]


def test_records_are_taken_by_their_number(tmp_path) -> None:
    file = split_of(tmp_path, "one", "", "two", "three")
    assert [record.id for record in read_records(file, {0, 2})] == ["one", "three"]


def test_a_line_that_is_no_record_is_named_with_its_number(tmp_path) -> None:
    file = split_of(tmp_path, "one", "")
    with file.open("a", encoding="utf-8") as lines:
        lines.write("{}\n")
    with pytest.raises(FinetuneError, match=r"test\.jsonl, line 3 is no record"):
        list(read_records(file))


def test_a_split_that_is_not_there_has_no_records(tmp_path) -> None:
    file = tmp_path / "run" / "data" / "test.jsonl"
    assert count_records(file) == 0
    with pytest.raises(FinetuneError, match="prepare the data with"):
        list(read_records(file))
