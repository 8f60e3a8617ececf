from __future__ import annotations

import errno
import os
from io import FileIO
from pathlib import Path

import pytest

from medassist.bench.errors import BenchError, UsageError
from medassist.bench.results import ResultsFile, folded, read_results
from tests.bench.lines import exam, model, speed

LINES = speed(model("Q4_0"), [10, 20, 30])


def written(file: Path) -> Path:
    with ResultsFile(file) as results:
        for line in LINES:
            results.append(line)
    return file


def test_what_is_written_is_read_back(tmp_path):
    file = written(tmp_path / "r.jsonl")
    assert read_results(file) == LINES
    assert file.stat().st_mode & 0o077 == 0
    assert all(
        b'"schema":"medassist-bench/1"' in t
        for t in file.read_bytes().split(b"\n")[:-1]
    )


@pytest.mark.parametrize("cut", [1, 2, 40, 300])
def test_a_line_that_a_kill_cut_off_is_dropped_and_the_next_one_stands_whole(
    tmp_path, cut
):
    file = written(tmp_path / "r.jsonl")
    file.write_bytes(file.read_bytes()[:-cut])
    with ResultsFile(file, resume=True) as results:
        assert results.lines == LINES[:2]
        assert not results.having(LINES[2].key)
        results.append(LINES[2])
    assert read_results(file) == LINES


def test_a_line_is_on_the_disk_before_the_next_measurement(tmp_path, monkeypatch):
    synced: list[int] = []
    file = tmp_path / "r.jsonl"
    with ResultsFile(file) as results:
        monkeypatch.setattr(os, "fsync", lambda _n: synced.append(file.stat().st_size))
        results.append(LINES[0])
        assert synced == [file.stat().st_size] and synced[0] > 0


def test_results_are_not_written_over(tmp_path):
    file = written(tmp_path / "r.jsonl")
    with pytest.raises(UsageError, match="--resume"):
        ResultsFile(file)
    assert read_results(file) == LINES


def test_two_do_not_write_to_one_file(tmp_path):
    first = ResultsFile(tmp_path / "r.jsonl")
    with pytest.raises(UsageError, match="being written"):
        ResultsFile(tmp_path / "r.jsonl", resume=True)
    first.close()
    with ResultsFile(tmp_path / "r.jsonl", resume=True):
        pass


@pytest.mark.parametrize("what", ["open_own", "Lock.take"])
def test_a_disk_that_is_full_at_the_start_is_told_with_the_file(
    tmp_path, monkeypatch, what
):
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"medassist.bench.results.{what}", full)
        with pytest.raises(BenchError, match=r"r\.jsonl cannot be made: No space left"):
            ResultsFile(tmp_path / "r.jsonl")
    ResultsFile(tmp_path / "r.jsonl").close()  # nothing holds it


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_and_leaves_no_half_line(tmp_path):
    file = written(tmp_path / "r.jsonl")
    with ResultsFile(file, resume=True) as results:
        good = results._out
        with FileIO("/dev/full", "r+b") as full:
            results._out = full
            with pytest.raises(BenchError, match=r"No space left.*--resume"):
                results.append(LINES[0])
        results._out = good
    assert read_results(file) == LINES


def test_another_file_is_refused_with_its_line(tmp_path):
    file = tmp_path / "r.jsonl"
    file.write_text('{"a": 1}\n')
    with pytest.raises(BenchError, match=r"r\.jsonl, line 1 is no result"):
        read_results(file)
    with pytest.raises(BenchError, match="cannot be read"):
        read_results(tmp_path / "none.jsonl")


def test_repetitions_and_blocks_are_put_together():
    lines = [*LINES, *exam(model("Q8_0"), [True, False] * 60)]
    rates, answers = folded(lines)
    assert [round(128e9 / ns) for ns in rates.samples["ns"]] == [10, 20, 30]
    assert "round" not in rates.test
    assert len(answers.items) == 120
