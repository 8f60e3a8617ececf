"""The front door: what is said of commands, versions, and errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_group

import medassist
from medassist.commands.front_door import app
from tests.program import medassist_said

Done = subprocess.CompletedProcess[str]


def run(*arguments: str, program: str = "", home: Path | None = None) -> Done:
    command = ["-c", program] if program else ["-m", "medassist"]
    return subprocess.run(
        [sys.executable, *command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MEDASSIST_HOME": str(home)} if home else None,
    )


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"medassist {medassist.__version__}\n"


def test_help_names_every_command() -> None:
    told = run("--help").stdout
    for command in ("ask", "doctor", "finetune", "convert"):
        assert f"\n  {command} " in told


def test_the_list_says_of_each_command_what_its_own_help_begins_with() -> None:
    for name, verb in get_group(app).commands.items():
        own = medassist_said(name, "--help").stdout
        assert " ".join(str(verb.help).split()) in " ".join(own.split())


@pytest.mark.parametrize(
    "command",
    [["ask"], ["doctor"], ["finetune"], ["finetune", "starter"], ["convert"]],
)
def test_every_command_helps_without_its_room(command: list[str]) -> None:
    # As in the plain install, where there is no torch.
    program = (
        "import sys\n"
        "sys.modules.update({n: None for n in ('torch', 'transformers', 'peft')})\n"
        "from medassist.cli import main; main()"
    )
    done = run(*command, "--help", program=program)
    assert done.returncode == 0
    assert f"Usage: medassist {' '.join(command)}" in done.stdout


def test_a_room_that_lacks_its_libraries_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from medassist.cli import main; main()"
    )
    data, out = str(tmp_path), str(tmp_path / "run")
    done = run("finetune", "starter", "--data", data, "--out", out, program=program)
    assert done.returncode == 1
    assert "needs torch" in done.stderr
    assert "pip install 'medassist[all]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command_is_wrong_usage() -> None:
    done = run("consult")
    assert done.returncode == 2
    assert "consult" in done.stderr


def test_options_before_the_command_are_not_lost_in_silence() -> None:
    done = run("--base", "b.gguf", "ask", "hello")
    assert done.returncode == 2
    assert "write its own after it" in " ".join(done.stderr.split())


BROKEN = (
    "import medassist.commands.ask_run\n"
    "def broken(*a): raise RuntimeError('patient \\x1b]52;c;aGk=\\x07 name')\n"
    "medassist.commands.ask_run.read_question = broken\n"
    "from medassist.cli import main; main()"
)


def test_a_fault_of_ours_is_one_sentence_that_cannot_drive_the_terminal() -> None:
    done = run("ask", "hello", program=BROKEN)
    assert done.returncode == 1
    assert done.stderr.startswith("medassist: unexpected RuntimeError: patient  name.")
    assert "--debug" in done.stderr
    assert "\x1b" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_debug_shows_the_traceback() -> None:
    done = run("--debug", "ask", "hello", program=BROKEN)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "in broken" in done.stderr


def test_a_question_that_is_called_debug_is_a_question(tmp_path: Path) -> None:
    done = run("ask", "--", "--debug", program=BROKEN, home=tmp_path)
    assert "Traceback" not in done.stderr
