"""What `make run` and `make dev` do about the base of the default pair."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="there is no make")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone where all is installed, whose Python notes what it is called with."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    needed = "medassist/starter/base.requirements.txt"
    for file in ("constraints.txt", "pyproject.toml", needed):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
        os.utime(tmp_path / file, (1, 1))
    stamps = tmp_path / ".venv" / "stamps"
    stamps.mkdir(parents=True)
    for at, name in enumerate(("venv", "llama", "install", "torch", "dev"), start=2):
        (stamps / name).touch()
        os.utime(stamps / name, (at, at))
    return tmp_path


def make(clone: Path, *words: str, ends: int = 0) -> tuple[int, str]:
    """Exit code of make, and what was called; Python ends with `ends` for the base."""
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(exist_ok=True)
    python.write_text(
        '#!/bin/sh\necho "called: $*"\n'
        f'case "$*" in *"starter get"*) exit {ends};; esac\n'
    )
    python.chmod(0o755)
    # What the make that runs the tests was told is not for this one.
    told = ("ARGS", "BASE", "MAKEFLAGS")
    own = {n: v for n, v in os.environ.items() if n not in told}
    done = subprocess.run(
        ["make", *words], cwd=clone, env=own, capture_output=True, text=True
    )
    return done.returncode, done.stdout


GET, OPEN = "called: -m medassist starter get", "called: -m medassist\n"


@pytest.mark.parametrize("target", ["run", "dev"])
def test_the_base_is_fetched_once(clone: Path, target: str) -> None:
    code, said = make(clone, target)
    assert code == 0 and GET in said
    code, said = make(clone, target)
    assert code == 0 and GET not in said


def test_the_program_opens_without_the_base_and_the_next_call_tries_again(
    clone: Path,
) -> None:
    for _ in range(2):
        code, said = make(clone, "run", ends=1)
        assert code == 0
        assert said.index(GET) < said.index(OPEN)


def test_ctrl_c_while_it_is_fetched_ends_make(clone: Path) -> None:
    code, said = make(clone, "run", ends=130)
    assert code != 0 and OPEN not in said


def test_the_base_can_be_left_out(clone: Path) -> None:
    code, said = make(clone, "run", "BASE=no")
    assert code == 0 and GET not in said and OPEN in said
