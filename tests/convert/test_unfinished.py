"""What a kill leaves beside a target is taken away, and what is in use is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from convert.errors import ConvertError
from convert.gguf.model import convert_model
from convert.merge import merge
from convert.quantize import quantize
from convert.run.convert import RUNNING, convert_run_folder
from convert.unfinished import MARK, folder_beside
from medassist.core.locks import HeldError, Lock

WORKER = """
import sys
from pathlib import Path
from convert.unfinished import folder_beside
with folder_beside(Path(sys.argv[1])) as folder:
    (folder / "half").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    sys.stdin.read()
"""
HOLDER = """
import sys
from pathlib import Path
from medassist.core.locks import Lock
with Lock(Path(sys.argv[1]), passing=True):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def working(program: str, target: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process at work on `target`, and what it said first."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def killed(target: Path) -> Path:
    """What a process that is killed at work on `target` leaves."""
    with working(WORKER, target) as (process, folder):
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (Path(folder) / "half").stat().st_size == 1000
    return Path(folder)


def hidden(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if file.name.startswith(".")}


def test_the_next_conversion_to_the_same_file_takes_away_what_a_killed_one_left(
    hf, tmp_path
):
    killed(tmp_path / "model.gguf")
    other = killed(tmp_path / "model.gguf.gguf")
    convert_model(hf.base, tmp_path / "model.gguf", None, "f16")
    assert hidden(tmp_path) == {other.name}, "another target's is left alone"


def test_the_next_quantization_takes_away_what_a_killed_one_left(gguf_f32, tmp_path):
    killed(tmp_path / "q.gguf")
    quantize(gguf_f32.base, tmp_path / "q.gguf", ["Q8_0"])
    assert [file.name for file in tmp_path.iterdir()] == ["q.gguf"]


def test_what_another_process_works_in_stays(tmp_path):
    target = tmp_path / "model.gguf"
    with working(WORKER, target) as (_, busy), folder_beside(target) as mine:
        assert Path(busy).is_dir()
        assert mine != Path(busy)
    assert hidden(tmp_path) == {Path(busy).name}
    with folder_beside(target) as mine:
        assert hidden(tmp_path) == {mine.name}
    assert hidden(tmp_path) == set()


def test_what_is_not_ours_stays(tmp_path):
    mine = tmp_path / ".model.gguf.notes"
    mine.mkdir()
    (mine / "thoughts.txt").write_text("keep")
    empty = tmp_path / ".model.gguf.empty"
    empty.mkdir()
    (empty / MARK).touch()  # somebody is just making it
    elsewhere = killed(tmp_path / "away" / "model.gguf")
    (tmp_path / ".model.gguf.link").symlink_to(elsewhere)
    with folder_beside(tmp_path / "model.gguf"):
        pass
    assert hidden(tmp_path) == {mine.name, empty.name, ".model.gguf.link"}
    assert (elsewhere / "half").is_file()


def test_a_file_is_held_once_and_free_when_its_holder_is_killed(tmp_path):
    file = tmp_path / "lock"
    with working(HOLDER, file) as (process, said):
        assert said == "held"
        with pytest.raises(HeldError), Lock(file, passing=True):
            pass
        assert file.exists(), "who did not get it removes nothing"
        process.kill()
        process.wait()
        with Lock(file, passing=True) as mine:
            assert mine.alone
    assert not file.exists()


def test_two_merges_into_one_folder_do_not_write_over_each_other(hf, tmp_path):
    with (
        Lock(tmp_path / ".out.merging.lock", passing=True),
        pytest.raises(ConvertError, match="another merge is writing"),
    ):
        merge(hf.base, hf.plain, tmp_path / "out")
    merge(hf.base, hf.plain, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_two_runs_on_one_folder_do_not_work_against_each_other(hf, tmp_path):
    (tmp_path / "gguf").mkdir()
    (tmp_path / "adapter").symlink_to(hf.plain)
    with (
        Lock(tmp_path / "gguf" / RUNNING, passing=True),
        pytest.raises(ConvertError, match="another `convert run` is at work"),
    ):
        convert_run_folder(tmp_path, base=hf.base)


def test_where_the_target_is_a_link_what_it_leads_to_is_written(hf, gguf_f32, tmp_path):
    disk = tmp_path / "large disk"
    (disk / "merged").mkdir(parents=True)
    for name in ("model.gguf", "small.gguf"):
        (disk / name).write_bytes(b"old")
        (tmp_path / name).symlink_to(Path("large disk") / name)
    (tmp_path / "merged").symlink_to(disk / "merged")
    convert_model(hf.base, tmp_path / "model.gguf", None, "f16", force=True)
    quantize(gguf_f32.base, tmp_path / "small.gguf", ["Q8_0"], force=True)
    merge(hf.base, hf.plain, tmp_path / "merged", force=True)
    for name in ("model.gguf", "small.gguf", "merged"):
        assert (tmp_path / name).is_symlink(), name
    assert (disk / "model.gguf").read_bytes()[:4] == b"GGUF"
    assert (disk / "small.gguf").read_bytes()[:4] == b"GGUF"
    assert (disk / "merged" / "config.json").is_file()
    assert not hidden(tmp_path) and not hidden(disk)


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes there")
def test_a_target_that_is_no_file_is_not_replaced(hf, tmp_path):
    pipe = tmp_path / "model.gguf"
    os.mkfifo(pipe)
    with pytest.raises(ConvertError, match="is no file"):
        convert_model(hf.base, pipe, None, "f16")
    assert pipe.is_fifo()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_held_file_that_is_a_link_is_refused_and_its_target_left_alone(tmp_path):
    other = tmp_path / "letter.txt"
    other.write_text("Dear colleague")
    (tmp_path / "lock").symlink_to(other)
    with pytest.raises(OSError, match="a link"), Lock(tmp_path / "lock", passing=True):
        pass
    assert other.read_text() == "Dear colleague"
