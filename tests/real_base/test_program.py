"""The program with a real small model: in the library, in a terminal, by a script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import StartTerminal, home, sockets, starts

__all__ = ["home", "sockets", "starts"]


def medassist(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    kept = {n: v for n, v in os.environ.items() if not n.startswith("MEDASSIST")}
    return subprocess.run(
        [sys.executable, "-m", "medassist", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "MEDASSIST_HOME": str(home), "OLLAMA_MODELS": str(home / "none")},
    )


def test_a_pair_on_it_is_imported_shown_and_asked(home, real_base, real_adapter):
    taken = medassist(
        home,
        *("models", "import", real_base, "--adapter", real_adapter),
        *("--name", "real", "--json"),
    )
    assert taken.returncode == 0, taken.stderr
    shown = medassist(home, "models", "show", "real", "--json")
    pair = json.loads(shown.stdout)["pair"]
    assert pair["need"] > real_base.stat().st_size / 2
    checked = medassist(home, "models", "check", "real")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    asked = medassist(
        home,
        *("ask", "What is the capital of France?", "--pair", "real", "--json"),
        *("--max-tokens", "16", "--temperature", "0"),
    )
    assert asked.returncode == 0, asked.stderr
    assert "Paris" in asked.stdout


def test_it_answers_in_a_terminal(starts: StartTerminal, real_base, real_adapter):
    shown = starts("--base", real_base, "--adapter", real_adapter)
    shown.until_ready()
    shown.ask("What is the capital of France?")
    screen = shown.until_answered()
    assert "Paris" in screen
    assert "<|im_" not in screen
    shown.press("C-q")
    shown.until(lambda screen: "Quit?" in screen)
    shown.press("C-q")
    assert "left with 0" in shown.until_left()
