"""Tables in the files that people have: their rows, whatever the file is written as."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from finetune.data.recognise import recognise
from finetune.data.sources import sheet_rows
from finetune.errors import FinetuneError
from tests.finetune.data.sources.test_sets import broken, read, said, write
from tests.finetune.data.sources.test_tables import lines

ROWS: list[dict[str, Any]] = [
    {"question": f"What helps against {illness}?", "answer": f"Rest, {days} days."}
    for illness, days in (("fever", 2), ("cough", 3), ("gout", 4))
]
AS_SAID = [(row["question"], row["answer"]) for row in ROWS]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}


def pretty(rows: list[dict[str, Any]]) -> str:
    return "\n".join(json.dumps(row, indent=2) for row in rows)


JSON_SHAPES: dict[str, object] = {
    "a list": ROWS,
    "a list over lines": "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]",
    "rows under keys": {f"q{i}": row for i, row in enumerate(ROWS)},
    "data": {"data": ROWS},
    "data beside other things": {"version": "1", "n": [1, 2], "data": ROWS},
    "data over lines": '{"data": [\n' + ",\n".join(map(json.dumps, ROWS)) + "\n]}",
    "splits": {"train": ROWS[:2], "test": ROWS[2:]},
    "the hub's server": {
        "features": [{"feature_idx": 0, "name": "question"}],
        "rows": [{"row_idx": i, "row": row} for i, row in enumerate(ROWS)],
    },
    "a list for each column": COLUMNS,
    "an object for each column": {
        name: {str(i): cell for i, cell in enumerate(cells)}
        for name, cells in COLUMNS.items()
    },
    "columns and data": {
        "columns": list(COLUMNS),
        "index": [0, 1, 2],
        "data": [list(row.values()) for row in ROWS],
    },
    "pandas' table": {"schema": {"fields": [{"name": "question"}]}, "data": ROWS},
    "printed prettily": pretty(ROWS),
    "lists after lists": f"{json.dumps(ROWS[:2])}\n{json.dumps(ROWS[2:])}",
    "lines": "\n".join(map(json.dumps, ROWS)),
}


@pytest.mark.parametrize("ending", ["json", "jsonl", "ndjson"])
@pytest.mark.parametrize("shape", JSON_SHAPES)
def test_json_is_read_however_a_table_was_written_in_it(tmp_path, shape, ending):
    content = JSON_SHAPES[shape]
    text = content if isinstance(content, str) else json.dumps(content)
    file = write(tmp_path / f"a.{ending}", text)
    assert recognise(file) == "table"
    assert said(read("table", file)) == AS_SAID


def test_json_in_columns_of_different_lengths_is_refused(tmp_path):
    file = write(tmp_path / "a.json", {"question": ["A?", "B?"], "answer": ["C."]})
    with pytest.raises(FinetuneError, match="question 2, answer 1"):
        read("table", file)


def test_a_talk_that_is_printed_prettily_is_one_row(tmp_path):
    turns = [{"role": "user", "content": "A?"}, {"role": "assistant", "content": "B."}]
    file = write(
        tmp_path / "a.jsonl", pretty([{"messages": turns}, {"messages": turns}])
    )
    assert said(read("table", file)) == [("A?", "B."), ("A?", "B.")]
    write(file, json.dumps({"id": 7, "talk": turns}))
    assert said(read("table", file)) == [("A?", "B.")]


def test_a_broken_line_does_not_make_json_of_json_lines(tmp_path):
    file = lines(tmp_path / "a.jsonl", *ROWS)
    text = file.read_text("utf-8")
    write(file, '{"question": \n' + text)
    records = read("table", file)
    assert len(broken(records)) == 1
    assert said(records[1:]) == AS_SAID


def test_excel_can_name_what_stands_between_the_columns(tmp_path):
    rows = "".join(f"{row['question']};{row['answer']}\n" for row in ROWS)
    file = write(tmp_path / "a.csv", f"sep=;\nquestion;answer\n{rows}")
    assert said(read("table", file)) == AS_SAID
    write(file, f'"sep=;"\nquestion;answer\n{rows}')
    assert said(read("table", file)) == AS_SAID


def test_a_sign_that_has_a_blank_behind_it_is_of_the_text(tmp_path):
    text = "question;answer\nWhat helps; and when?;Rest; sleep; tea.\nA;b;c\n"
    file = write(tmp_path / "a.csv", text)
    first, second = read("table", file)
    assert said([first]) == [("What helps; and when?", "Rest; sleep; tea.")]
    assert "3 cells for 2 columns" in broken([second])[0].reason


def test_quotes_within_quotes_may_have_a_backslash(tmp_path):
    asked, answer = 'He said "help", twice.', 'A "\\d" and C:\\'
    row = ",".join(
        '"' + cell.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for cell in (asked, "Rest.")
    )
    file = write(tmp_path / "a.csv", f"question,answer\n{row}\n" * 1)
    assert said(read("table", file)) == [(asked, "Rest.")]
    doubled = '"' + answer.replace('"', '""') + '"'
    write(file, f'question,answer\n"A?",{doubled}\n"B?","x"\n')
    assert said(read("table", file)) == [("A?", answer), ("B?", "x")]


def test_texts_that_parquet_holds_as_bytes_are_texts(tmp_path):
    file = tmp_path / "a.parquet"
    table = {name: [cell.encode() for cell in cells] for name, cells in COLUMNS.items()}
    pq.write_table(pa.table(table), file)
    assert said(read("table", file)) == AS_SAID
    pq.write_table(pa.table(table | {"answer": [b"\xff\xfe\xfd"] * 3}), file)
    assert {each.reason for each in broken(read("table", file))} == {
        "answer holds no text but a bytes"
    }


def test_a_folder_of_save_to_disk_is_read(tmp_path):
    whole = Dataset.from_list(ROWS)
    whole.save_to_disk(tmp_path / "one")
    assert recognise(tmp_path / "one") == "table"
    assert said(read("table", tmp_path / "one")) == AS_SAID
    parts = {"train": whole.select([0, 1]), "test": whole.select([2])}
    DatasetDict(**parts).save_to_disk(tmp_path / "parts")
    assert recognise(tmp_path / "parts") == "table"
    assert sorted(said(read("table", tmp_path / "parts"))) == sorted(AS_SAID)


def test_feather_is_read_and_a_broken_file_is_told(tmp_path):
    file = tmp_path / "a.feather"
    feather.write_feather(pa.Table.from_pylist(ROWS), file)
    assert said(read("table", file)) == AS_SAID
    write(file, "ARROW1 and no more")
    with pytest.raises(FinetuneError, match="cannot be read as Arrow"):
        read("table", file)


def book(file: Path, **sheets: list[list[object]]) -> Path:
    made = openpyxl.Workbook()
    for title, rows in sheets.items():
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    del made["Sheet"]
    made.save(file)
    return file


SHEET: list[list[object]] = [["question", "answer"], *(list(row) for row in AS_SAID)]


def test_a_workbook_that_is_not_meqsum_is_a_table(tmp_path):
    file = book(tmp_path / "a.xlsx", Rows=SHEET)
    assert recognise(file) == "table"
    assert said(read("table", file)) == AS_SAID
    letters = book(
        tmp_path / "b.xlsx", Rows=[["File", "CHQ", "Summary"], [1, "A", "B"]]
    )
    assert recognise(letters) == "meqsum"


def test_all_sheets_with_records_are_read_and_others_are_told(tmp_path):
    titled = [["Collected in 2020"], [], *SHEET]
    notes: list[list[object]] = [["Who", "When"], ["we", "then"]]
    file = book(tmp_path / "a.xlsx", Notes=notes, Train=SHEET, Test=titled)
    records = read("table", file)
    assert [each.reason for each in broken(records)] == [
        "its columns make no records: Who, When"
    ]
    assert said(records[1:]) == [*AS_SAID, *AS_SAID]
    assert len({each.id for each in records}) == 7


def test_a_workbook_without_records_names_its_columns(tmp_path):
    file = book(tmp_path / "a.xlsx", Rows=[["Frage", "Antwort"], ["A?", "B."]])
    with pytest.raises(FinetuneError, match=r'Frage, Antwort.*"question": "Frage"'):
        read("table", file)
    wish = {"question": "Frage", "answer": "Antwort"}
    assert said(read("table", file, columns=wish)) == [("A?", "B.")]


def test_a_workbook_that_unpacks_beyond_measure_is_refused(tmp_path, monkeypatch):
    file = book(tmp_path / "a.xlsx", Rows=SHEET)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/media/blank.bin", bytes(4_000_000))
    with pytest.raises(FinetuneError, match="save it as CSV"):
        read("table", file)
    write(tmp_path / "b.xlsx", "no workbook")
    with pytest.raises(FinetuneError, match="cannot be read as an Excel workbook"):
        read("table", tmp_path / "b.xlsx")
    monkeypatch.setattr(sheet_rows, "LARGEST_BOOK", 100)
    with pytest.raises(FinetuneError, match="save it as CSV"):
        read("table", book(tmp_path / "c.xlsx", Rows=SHEET))


def test_what_is_no_heading_is_told_to_be_none(tmp_path):
    file = write(tmp_path / "a.csv", f"What helps?,{'Rest and tea. ' * 6}\nA?,B.\n")
    with pytest.raises(FinetuneError, match="put a line with names above it"):
        read("table", file)
