from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path

import pytest

from medassist.bench import llama_bench
from tests.bench.lines import model, speed

FIXTURE = Path(__file__).parent / "fixtures" / "llama_bench_fields.txt"
NAMES = FIXTURE.read_text("ascii").split()
ODD = model('it\'s "odd"')
LINES = [*speed(model("Q4_0"), [10, 20, 30]), *speed(ODD, [5.0, 5.0], prompt=512)]


def test_the_fields_are_those_of_llama_bench_in_their_order():
    assert list(llama_bench.FIELDS) == NAMES


def test_the_mean_is_that_of_the_rates_and_the_spread_that_of_a_sample():
    row = llama_bench.rows(LINES)[0]
    assert row["avg_ts"] == pytest.approx(20)
    assert row["stddev_ts"] == pytest.approx(10)
    assert row["avg_ns"] == round(sum(1e9 * 128 / r for r in (10, 20, 30)) / 3)
    assert (row["n_prompt"], row["n_gen"], row["n_threads"]) == (0, 128, 4)
    assert row["test_time"] == "2026-11-01T12:00:00Z"


def test_json_and_jsonl_have_every_sample():
    found = json.loads(llama_bench.as_json(LINES))
    assert found[0]["samples_ts"] == pytest.approx([10, 20, 30])
    assert found[1]["samples_ns"] == [round(1e9 * 640 / 5)] * 2
    lines = [json.loads(text) for text in llama_bench.as_jsonl(LINES).splitlines()]
    assert lines == found
    # What is on or off is written as llama-bench writes it in JSON.
    assert (found[0]["repack"], found[0]["embeddings"]) == (True, False)
    assert all(isinstance(found[0][name], bool) for name in llama_bench.SWITCHES)


def test_csv_is_read_back_as_it_was():
    text = llama_bench.as_csv(LINES)
    found = list(csv.DictReader(io.StringIO(text)))
    assert list(found[0]) == NAMES
    assert found[1]["model_filename"] == ODD.name
    assert float(found[1]["avg_ts"]) == pytest.approx(5)


def test_sql_fills_a_table_that_sqlite_takes():
    database = sqlite3.connect(":memory:")
    database.executescript(llama_bench.as_sql(LINES))
    found = database.execute(
        "SELECT model_filename, avg_ts FROM llama_bench"
    ).fetchall()
    assert found == [("Q4_0.gguf", pytest.approx(20)), (ODD.name, pytest.approx(5))]
    columns = [row[1] for row in database.execute("PRAGMA table_info(llama_bench)")]
    assert columns == NAMES


def test_the_table_for_forums_has_a_row_a_test():
    lines = llama_bench.as_markdown(LINES).splitlines()
    assert len(lines) == 4
    assert lines[2].endswith("| tg128 | 20.00 ± 10.00 |")
