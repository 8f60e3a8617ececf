"""A file is held by one process at a time, and by none that is gone."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medassist.core.locks import HeldError, Lock

HOLDER = """
import sys
from pathlib import Path
from medassist.core.locks import Lock
with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
posix_only = pytest.mark.skipif(
    sys.platform == "win32", reason="no fork or modes there"
)


@contextmanager
def holder(file: Path) -> Generator[subprocess.Popen[str]]:
    """Another process that holds `file` until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="who holds it is not told there")
def test_who_does_not_get_it_is_told_who_has_it(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as process, pytest.raises(HeldError) as caught:
        Lock(tmp_path / "lock").take()
    assert caught.value.holder == f" (process {process.pid})"


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as process:
        process.kill()
        process.wait()
        with Lock(tmp_path / "lock") as mine:
            assert mine.alone


def test_who_waits_gets_it_when_it_is_given_back(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as process:
        assert process.stdin is not None
        process.stdin.close()
        lock = Lock(tmp_path / "lock")
        lock.take(wait=True)
        lock.release()


def test_what_stands_in_the_file_is_told_only_where_it_is_a_process(
    tmp_path: Path,
) -> None:
    held = Lock(tmp_path / "lock", says=b"\x1b]0;title\x07")
    with held, pytest.raises(HeldError) as caught:
        Lock(tmp_path / "lock").take()
    assert caught.value.holder == ""
    assert "\x1b" not in str(caught.value)


@posix_only
def test_a_lock_file_is_for_the_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Lock(tmp_path / "lock"):
            assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600
    finally:
        os.umask(before)


@posix_only
def test_a_process_that_is_forked_off_does_not_hold_it_for_its_parent(
    tmp_path: Path,
) -> None:
    lock = Lock(tmp_path / "lock")
    lock.take()
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(told, b".")
        signal.pause()  # until it is killed
    try:
        os.read(ready, 1)
        with pytest.raises(HeldError):
            Lock(tmp_path / "lock").take()
        lock.release()
        with Lock(tmp_path / "lock") as mine:
            assert mine.alone
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(told)
