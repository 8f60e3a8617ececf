"""The real measurement in a real terminal."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medassist.bench.results import read_results
from tests.e2e.terminal import Terminal
from tests.tiny_models import TinyPair

Measure = Callable[..., Terminal]
LONG = ("--tests", "speed", "-r", "1000")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "r.jsonl"


@pytest.fixture
def measure(home: Path, sockets: Path, pair: TinyPair, file: Path) -> Iterator[Measure]:
    """Measures the pair's base in a window of the width given."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    opened: list[Terminal] = []

    def start(*options: str, width: int = 80) -> Terminal:
        words = ["env", "-u", "COLUMNS", "-u", "LINES", f"MEDASSIST_HOME={home}"]
        words += [sys.executable, "-m", "medassist", "bench", str(pair.base)]
        words += ["-p", "8", "-n", "4", "--wait", "0", "--out", str(file), *options]
        line = f"{shlex.join(words)}; echo left with $?"
        terminal = Terminal(sockets / str(len(opened)), line, width, 24)
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.end()


@pytest.mark.parametrize("width", [80, 130])
def test_a_measurement_is_watched_and_its_tables_stand_there_afterwards(
    measure: Measure, file: Path, width: int
) -> None:
    terminal = measure("--tests", "speed", "-r", "2", width=width)
    terminal.until(lambda screen: "medassist bench" in screen and "stop" in screen)
    screen = terminal.until_left()
    assert "left with 0" in screen and "Result:" in screen
    assert len(read_results(file)) == 5


def test_a_stopped_measurement_is_gone_on_with(measure: Measure, file: Path) -> None:
    terminal = measure(*LONG)
    terminal.until(lambda screen: "pp8" in screen or "tg4" in screen)
    terminal.press("Escape")
    screen = terminal.until_left()
    assert "left with 130" in screen and "--resume goes on" in screen
    kept = read_results(file)
    assert 1 < len(kept) < 2000
    again = measure(*LONG, "--resume")
    again.until(lambda screen: "done before" in screen)
    again.press("Escape")
    again.until_left()
    assert read_results(file)[: len(kept)] == kept


def test_lines_are_told_where_they_are_asked_for(measure: Measure) -> None:
    terminal = measure("--tests", "speed", "-r", "1", "--plain")
    assert "left with 0" in terminal.until_left()
    assert "2 measurements" in terminal.everything
