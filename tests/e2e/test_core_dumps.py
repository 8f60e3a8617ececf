"""A process that crashes leaves no picture of its memory behind."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import StartTerminal
from tests.e2e.terminal import Terminal

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
# As on a developer's computer: dumps of any size, in the folder one is in.
ALLOWED = ("sh", "-c", 'cd "$0" && ulimit -c unlimited && exec "$@"')


def allowed(folder: Path) -> Sequence[str]:
    return (*ALLOWED, str(folder))


def dumps(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which this system leaves the dump of what crashes there."""
    folder = tmp_path / "here"
    folder.mkdir()
    pattern = CORE_PATTERN.read_text().strip() if CORE_PATTERN.exists() else "|"
    if pattern.startswith(("|", "/")):
        pytest.skip(f"dumps go elsewhere here: {pattern}")
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    command = [*allowed(folder), sys.executable, "-c", crash]
    subprocess.run(command, check=False)
    found = dumps(folder)
    if not found:
        pytest.skip("this system writes no dumps at all")
    for name in found:
        (folder / name).unlink()
    return folder


def crash(process: psutil.Process) -> None:
    process.send_signal(signal.SIGSEGV)
    process.wait(20)


def started(starts: StartTerminal, folder: Path) -> Terminal:
    shown = starts(before=allowed(folder))
    shown.until_ready()
    shown.ask("What is asthma?")
    shown.until_answered()
    return shown


def test_neither_the_program_nor_its_models_leave_a_core_dump(
    starts: StartTerminal, folder: Path
) -> None:
    shown = started(starts, folder)
    model, program = shown.models[0], shown.program
    crash(model)
    assert dumps(folder) == []
    crash(program)
    assert dumps(folder) == []


@pytest.mark.skipif(shutil.which("sh") is None, reason="there is no sh")
def test_nor_does_a_question_that_is_asked_without_a_screen(
    folder: Path, home: Path
) -> None:
    command = [*allowed(folder), sys.executable, "-m", "medassist", "ask", "-"]
    command += ["--threads", "1", "--max-tokens", "0", "--temperature", "5"]
    with subprocess.Popen(
        ["env", f"MEDASSIST_HOME={home}", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as asking:
        assert asking.stdin is not None and asking.stdout is not None
        asking.stdin.write(b"What is asthma?")
        asking.stdin.close()
        asking.stdout.read(20)  # it answers
        crash(psutil.Process(asking.pid))
    assert dumps(folder) == []
