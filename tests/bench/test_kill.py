"""A kill at any moment costs the measurement that runs, and no other one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from medassist.bench.results import read_results
from medassist.bench.targets import targets
from tests.bench.killed import wishes
from tests.bench.measured import content, measure

KINDS = {"load", "speed", "app", "memory", "quality", "exam", "sustained"}
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")


def measured_and_killed(
    files, file: Path, step: int, half: bool, every: bool = False
) -> int:
    arguments = (file, files.base, files.adapter, files.exams, files.text, step)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.bench.killed",
            *map(str, arguments),
            "half" if half else "whole",
            "every" if every else "few",
        ],
        env=dict(os.environ),
        timeout=300,
        check=False,
    )
    return done.returncode


def measured(files, file: Path, *, resume: bool = False, every: bool = False) -> None:
    wanted = wishes(files.exams, files.text, files.base, every=every)
    measure(wanted, targets([files.base], [files.adapter]), file, resume=resume)


def in_one_sitting(
    files, folder: Path, *, every: bool
) -> dict[object, tuple[object, ...]]:
    file = folder / "whole.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDASSIST_HOME", str(folder / "home"))
        measured(files, file, every=every)
    return {content(line)[1]: content(line) for line in _lines(file)}


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory):
    return in_one_sitting(files, tmp_path_factory.mktemp("kill"), every=False)


def _lines(file: Path):
    return [line for line in read_results(file) if line.kind != "run"]


def check(
    files, tmp_path, whole, steps: list[tuple[int, bool]], every: bool = False
) -> None:
    """Kill again and again, go on, and hold the rows against those of one sitting."""
    file = tmp_path / "r.jsonl"
    for step, half in steps:
        ended = measured_and_killed(files, file, step, half, every)
        assert ended == -signal.SIGKILL
    kept = len(_lines(file))
    assert kept >= sum(step - half for step, half in steps if step)
    measured(files, file, resume=True, every=every)
    found = [content(line) for line in _lines(file)]
    assert len(found) == len({one[1] for one in found})  # nothing is there twice
    assert {one[1]: one for one in found} == whole


def test_after_kills_the_rows_are_those_of_one_sitting(files, tmp_path, whole):
    # Between the rounds of a speed, in the middle of a line, within the exams.
    check(files, tmp_path, whole, [(2, False), (4, True), (5, False)])


@pytest.mark.soak
@pytest.mark.parametrize("half", [False, True])
def test_a_kill_at_every_single_measurement_of_every_kind(files, tmp_path, half):
    whole = in_one_sitting(files, tmp_path, every=True)
    assert {row[0] for row in whole.values()} == KINDS
    for step in range(len(whole) + 1):
        folder = tmp_path / str(step)
        folder.mkdir()
        check(files, folder, whole, [(step, half)], every=True)


def test_no_child_outlives_a_kill(files, tmp_path, whole):
    before = {p.pid for p in psutil.process_iter()}
    measured_and_killed(files, tmp_path / "r.jsonl", 1, False)
    children = [
        p
        for p in psutil.process_iter(["cmdline"])
        if p.pid not in before
        and "medassist.engine.timing_worker" in (p.info["cmdline"] or [])
        and p.ppid() == 1
    ]
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
