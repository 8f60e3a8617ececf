"""`medassist bench` as a user runs it: the real program, tiny real models."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program import medassist_said
from tests.tiny_models import TinyPair

QUICK = (
    *("-p", "16", "-n", "4", "-r", "3", "-t", "1", "--wait", "0", "--tests", "speed"),
)


@pytest.fixture
def bench(environment: dict[str, str], tmp_path: Path):
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "medassist", "bench", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd=tmp_path,
        )

    return run


def test_a_model_is_measured_printed_gone_on_with_and_compared(
    bench, pair: TinyPair, tmp_path
):
    out = tmp_path / "r.jsonl"
    first = bench(pair.base, *QUICK, "--out", out)
    assert first.returncode == 0, first.stderr
    assert "Raw speed" in first.stdout and "pp16" in first.stdout
    assert f"Result: {out}" in first.stderr
    lines = out.read_text().splitlines()
    assert len(lines) == 7  # the margin, and two speeds three times
    assert str(tmp_path) not in out.read_text()  # names, no paths
    again = bench(pair.base, *QUICK, "--out", out, "--resume", "-o", "csv")
    assert again.returncode == 0, again.stderr
    assert out.read_text().splitlines() == lines
    rows = list(csv.DictReader(io.StringIO(again.stdout)))
    assert [row["n_prompt"] for row in rows] == ["16", "0"]
    over = bench(pair.base, *QUICK, "--out", out)
    assert over.returncode == 2
    assert "--resume" in over.stderr
    compared = bench("compare", out, out)
    assert "pp16" in compared.stdout
    assert compared.returncode in (0, 5)
    against = bench(
        pair.base, *QUICK, "--out", out, "--resume", "--against", out, "-o", "json"
    )
    assert against.returncode == compared.returncode
    assert json.loads(against.stdout)[0]["samples_ts"]


def test_without_a_model_it_is_the_default_pair(bench):
    done = bench(*QUICK, "-r", "1", "-o", "jsonl")
    assert done.returncode == 0, done.stderr
    names = {json.loads(text)["model_filename"] for text in done.stdout.splitlines()}
    assert len(names) == 2
    assert any(" + " in name for name in names)


def test_slower_is_an_exit_code_of_its_own(bench, pair: TinyPair, tmp_path):
    out = tmp_path / "r.jsonl"
    assert bench(pair.base, *QUICK, "--out", out).returncode == 0
    faster = tmp_path / "faster.jsonl"
    made = []
    for number, text in enumerate(out.read_text().splitlines()):
        line = json.loads(text)
        if "samples" in line:
            line["samples"]["ns"] = [1000.0 + number % 2]
        made.append(json.dumps(line))
    faster.write_text("\n".join(made) + "\n")
    slow = out.read_text().splitlines()
    out.write_text("\n".join(_steady(text) for text in slow) + "\n")
    found = bench("compare", faster, out)
    assert found.returncode == 4, found.stdout
    assert "slower" in found.stdout


def _steady(text: str) -> str:
    line = json.loads(text)
    if "samples" in line:
        line["samples"]["ns"] = [1e6]
    return json.dumps(line)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.gguf"], "there is no such file"),
        (["notes.gguf"], "notes.gguf"),
        (["nobody-knows-this"], "no pair or model called"),
        (["--tests", "speed,luck", "notes.gguf"], "luck"),
        (["--tests", "quality", "notes.gguf"], "needs --text"),
        (["-p", "many", "notes.gguf"], "numbers are wanted"),
        (["-p", "0", "-n", "0", "notes.gguf"], "nothing to measure"),
        (["--sustained", "soon", "notes.gguf"], "such as 10m"),
        (["--against", "none.jsonl", "notes.gguf"], "none.jsonl"),
        (["--out", "no/such/folder/r.jsonl"], "no folder"),
        (["--resume"], "no result yet"),
        (["compare", "notes.gguf", "notes.gguf"], "no result of `medassist bench`"),
        (["tune", "none.gguf"], "no such file"),
    ],
)
def test_bad_input_is_a_sentence(environment, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.gguf").write_text("no model\n")
    done = medassist_said("bench", *arguments, environment=environment)
    assert done.returncode in (1, 2)
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_what_takes_long_is_not_begun_unasked(bench, pair: TinyPair):
    done = bench(pair.base, "--sustained", "2h", "--wait", "0")
    assert done.returncode == 2
    assert "Add --yes" in done.stderr


def test_ctrl_c_ends_it_in_order_and_keeps_what_was_measured(
    environment, pair: TinyPair, tmp_path
):
    out = tmp_path / "r.jsonl"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "medassist", "bench", str(pair.base), *QUICK),
            *("-r", "1000", "--yes", "--out", str(out)),
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not out.exists() or out.read_text().count("\n") < 3:
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "--resume goes on" in said and "Traceback" not in said
    assert out.read_text().endswith("\n")


def test_threads_are_tuned_and_remembered(bench, pair: TinyPair, environment):
    done = bench("tune", pair.base)
    assert done.returncode == 0, done.stderr
    assert "(default)" in done.stdout and "threads" in done.stdout
    known = Path(environment["MEDASSIST_HOME"]) / "config" / "threads.json"
    assert len(json.loads(known.read_text())) == 1
    gone = bench("tune", pair.base, "--forget")
    assert "forgotten" in gone.stdout
    assert json.loads(known.read_text()) == {}
