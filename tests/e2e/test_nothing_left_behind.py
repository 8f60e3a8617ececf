"""A name and a record number that were typed stand in no file afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import StartTerminal
from tests.e2e.session import PASSPHRASE, begin_records
from tests.e2e.terminal import Terminal
from tests.tiny_models import TinyPair

NAME, NUMBER = "Zorblattina", "48151623"
QUESTION = f"Mrs {NAME} Quux, MRN {NUMBER}, has had fever for two days. What now?"
# Fails as a mistake in the program would: with an error that quotes what was typed.
FAILING = """
import sys
if "medassist" in sys.orig_argv:
    from medassist.tui.consult.answers import Answers
    def fail(self):
        question = self._session.consultation.turns[-1].question
        raise RuntimeError(f"cannot copy {question}")
    Answers.copy = fail
"""


def traces(folder: Path) -> list[str]:
    """Files of `folder` in which something of the session can be read."""
    words = [
        word.encode(encoding)
        for word in (NAME, NUMBER, PASSPHRASE)
        for encoding in ("utf-8", "utf-16-le", "utf-16-be")
    ]
    return [
        f"{file}: {word!r}"
        for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink()
        for word in words
        if word.lower() in file.read_bytes().lower()
    ]


def ask(shown: Terminal, saved: bool) -> None:
    shown.ask(QUESTION)
    if saved:
        shown.until(lambda screen: "This may tell who the patient is" in screen)
        shown.press("k")
    shown.until_answered()
    assert NAME in shown.screen


@pytest.mark.parametrize(
    ("saved", "end"),
    [(False, "quit"), (False, "crash"), (True, "crash"), (True, "kill")],
)
def test_no_file_and_no_word_of_a_crash_holds_what_was_typed(
    starts: StartTerminal,
    pair: TinyPair,
    tmp_path: Path,
    home: Path,
    saved: bool,
    end: str,
) -> None:
    temporary, path = tmp_path / "tmp", tmp_path / "path"
    temporary.mkdir()
    path.mkdir()
    if end == "crash":
        (path / "sitecustomize.py").write_text(FAILING)
    shown = starts(
        *("--debug", "--base", pair.base, "--adapter", pair.activated),
        environment={"TMPDIR": str(temporary), "PYTHONPATH": f"{path}:{Path.cwd()}"},
    )
    shown.until_ready()
    if saved:
        begin_records(shown)
    ask(shown, saved)
    if saved:
        shown.until(lambda screen: "encrypted ·" in screen)
        assert (home / "data" / "records" / "records.db").stat().st_size > 0
    match end:
        case "quit":
            shown.press("C-q", "C-q")
            assert "left with 0" in shown.until_left()
        case "kill":
            shown.program.kill()
            shown.until_left()
        case _:
            shown.press("F9")
            screen = shown.until(lambda screen: "left with 1" in screen)
            assert "RuntimeError" in screen and "in fail" in screen
    if end != "kill":  # nobody was left to clear the screen
        assert NAME not in shown.everything and NUMBER not in shown.everything
    assert traces(tmp_path) == []
    assert saved == (home / "data" / "records").exists()


def test_a_locked_screen_can_be_read_by_nobody_until_the_passphrase_is_typed(
    consult: StartTerminal, tmp_path: Path
) -> None:
    shown = consult(width=90, height=30)
    shown.until_ready()
    begin_records(shown)
    ask(shown, saved=True)
    shown.press("C-l")
    locked = shown.until(lambda screen: "Locked" in screen)
    assert NAME not in locked and NUMBER not in locked
    shown.press("C-p", "F9", "C-o", "F1")
    shown.type("wrong horse battery")
    shown.press("Enter")
    locked = shown.until(lambda screen: "does not open" in screen)
    assert NAME not in locked
    shown.type(PASSPHRASE)
    shown.press("Enter")
    shown.until(lambda screen: NAME in screen and "encrypted" in screen)
    assert traces(tmp_path) == []
