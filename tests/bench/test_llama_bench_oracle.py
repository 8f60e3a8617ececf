"""llama-bench's fields, read in its source, and its rows beside ours on one model."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3

import pytest

from medassist.bench import llama_bench
from medassist.bench.events import Ended
from medassist.bench.targets import targets
from medassist.bench.work import Wishes
from tests.bench.measured import measure
from tests.llama_source import llama_source, run_tool

pytestmark = pytest.mark.oracle
MEASURED = {
    *("test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts"),
    *("samples_ns", "samples_ts"),
}
# Ours on purpose:
# - build_number: the bindings do not know it.
# - model_filename: a name, since a path tells who measured.
# - load_mode: the app maps a file, which llama-bench does too and calls auto.
# - the rest: settings of llama-bench's own loading that the app has not.
OWN = {
    *("build_number", "build_commit", "cpu_info", "gpu_info", "model_filename"),
    *("cpu_mask", "fit_target", "fit_min_ctx", "tensor_split", "lazy_mode"),
    *("n_gpu_layers", "load_mode"),
}
IN_SQL = {"INT": "INTEGER", "BOOL": "INTEGER", "FLOAT": "REAL", "STRING": "TEXT"}


@pytest.fixture(scope="module")
def source() -> str:
    file = llama_source() / "tools" / "llama-bench" / "llama-bench.cpp"
    return file.read_text("utf-8")


def fields_of(source: str) -> list[str]:
    listed = re.search(r"get_fields\(\).*?fields = \{(.*?)\};", source, re.DOTALL)
    assert listed is not None
    return re.findall(r'"(\w+)"', listed[1])


def kinds_of(source: str) -> dict[str, str]:
    """The kind of each field, as `get_field_type` has it."""
    body = re.search(
        r"field_type get_field_type\(.*?\{(.*?)\n    \}", source, re.DOTALL
    )
    assert body is not None
    found = dict.fromkeys(fields_of(source), "STRING")
    for names, kind in re.findall(r"if \((.*?)\) \{\s*return (\w+);", body[1], re.S):
        for name in re.findall(r'"(\w+)"', names):
            if name in found:
                found[name] = kind
    return found


@pytest.fixture(scope="module")
def both(files, tmp_path_factory, request):
    """Rows of llama-bench in every form, and ours, of the same tests."""
    folder = tmp_path_factory.mktemp("both")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDASSIST_HOME", str(folder / "home"))
        wishes = Wishes(
            tests=frozenset(("speed",)), prompts=(16,), written=(4,), depths=(0, 32),
            threads=(1,), repetitions=3,
        )  # fmt: skip
        events = measure(wishes, targets([files.base]), folder / "r.jsonl")
    ended = next(event for event in events if isinstance(event, Ended))
    theirs = {
        form: run_tool(
            "llama-bench",
            *("-m", files.base, "-b", 128, "-ub", 128, "-fa", "off", "-t", 1),
            *("-ctk", "f16", "-ctv", "f16", "-p", 16, "-n", 4, "-d", "0,32"),
            *("-r", 3, "-o", form),
        )
        for form in ("json", "jsonl", "csv", "sql")
    }
    return ended.lines, theirs


def test_the_fields_and_their_kinds_are_those_of_the_source(source):
    assert list(llama_bench.FIELDS) == fields_of(source)
    kinds = kinds_of(source)
    assert {name: IN_SQL[kind] for name, kind in kinds.items()} == llama_bench.FIELDS
    switches = [name for name, kind in kinds.items() if kind == "BOOL"]
    assert sorted(llama_bench.SWITCHES) == sorted(switches)


def test_a_row_says_of_model_and_settings_what_llama_bench_says(both):
    lines, theirs = both
    ours = json.loads(llama_bench.as_json(lines))
    others = json.loads(theirs["json"])
    first = json.loads(theirs["jsonl"].splitlines()[0])
    assert list(first) == list(others[0])
    tests = ("n_prompt", "n_gen", "n_depth")
    by_test = {tuple(row[name] for name in tests): row for row in ours}
    assert len(by_test) == len(ours) == len(others) == 4
    for other in others:
        own = by_test[tuple(other[name] for name in tests)]
        assert set(other) <= set(own)
        same = set(other) - MEASURED - OWN
        said = {name: (own[name], type(own[name])) for name in same}
        assert said == {name: (other[name], type(other[name])) for name in same}
        assert len(own["samples_ns"]) == len(other["samples_ns"]) == 3
        assert own["samples_ts"] == pytest.approx(
            [
                1e9 * (other["n_prompt"] + other["n_gen"]) / ns
                for ns in own["samples_ns"]
            ]
        )
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", other["test_time"])


def test_its_mean_and_spread_are_what_ours_are_of_its_own_samples(both):
    for other in json.loads(both[1]["json"]):
        samples = other["samples_ts"]
        mean = sum(samples) / len(samples)
        spread = (sum((s - mean) ** 2 for s in samples) / (len(samples) - 1)) ** 0.5
        assert other["avg_ts"] == pytest.approx(mean, rel=1e-4)
        assert other["stddev_ts"] == pytest.approx(spread, rel=1e-2, abs=1e-3)


def test_both_tables_lie_in_one_database(both):
    lines, theirs = both
    database = sqlite3.connect(":memory:")
    database.executescript(theirs["sql"])
    database.executescript(llama_bench.as_sql(lines))
    (count,) = database.execute("SELECT count(*) FROM llama_bench").fetchone()
    assert count == 8


def test_both_have_one_head_in_csv(both):
    lines, theirs = both
    heads = [
        next(csv.reader(io.StringIO(text)))
        for text in (theirs["csv"], llama_bench.as_csv(lines))
    ]
    assert heads[0] == heads[1]
