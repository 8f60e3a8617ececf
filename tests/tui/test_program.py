"""The real program with a real, tiny model in a real terminal (tmux)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.tiny_models import TinyPair, write_pair

pytestmark = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="tmux is not installed"
)
PATIENCE_S = 60.0


class Terminal:
    """A tmux window in which the program runs."""

    def __init__(self, socket: Path, command: str, width: int, height: int) -> None:
        self._tmux = ["tmux", "-f", "/dev/null", "-S", str(socket)]
        size = ["-x", str(width), "-y", str(height)]
        self._run("new-session", "-d", "-s", "t", *size, f"{command}; cat")

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._tmux, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout

    def press(self, *names: str) -> None:
        self._run("send-keys", "-t", "t", *names)

    def type(self, text: str) -> None:
        self._run("send-keys", "-t", "t", "-l", text)

    def resize(self, width: int, height: int) -> None:
        self._run("resize-window", "-t", "t", "-x", str(width), "-y", str(height))

    @property
    def screen(self) -> str:
        return self._run("capture-pane", "-p", "-t", "t")

    @property
    def pid(self) -> int:
        return int(self._run("display-message", "-p", "-t", "t", "#{pane_pid}"))

    def until(self, what: Callable[[str], object]) -> str:
        """Wait until the screen is as `what` wants it; return it."""
        end = time.monotonic() + PATIENCE_S
        while not what(self.screen):
            assert time.monotonic() < end, f"it did not come:\n{self.screen}"
            time.sleep(0.05)
        return self.screen

    def end(self) -> None:
        self._run("kill-server")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("models"))


@pytest.fixture
def terminal(
    home: Path, tmp_path_factory: pytest.TempPathFactory, pair: TinyPair
) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*arguments: str | Path, width: int = 120, height: int = 36) -> Terminal:
        given = arguments or ("--base", pair.base, "--adapter", pair.activated)
        words = [sys.executable, "-m", "medassist", "--threads", "1", *map(str, given)]
        # The size is the window's, not one that the test runner has in its environment.
        words = [
            "env",
            "-u",
            "COLUMNS",
            "-u",
            "LINES",
            f"MEDASSIST_HOME={home}",
            *words,
        ]
        command = f"{' '.join(words)}; echo left with $?"
        socket = tmp_path_factory.mktemp("t") / "s"
        opened.append(Terminal(socket, command, width, height))
        return opened[-1]

    with (home / "config" / "settings.toml").open("a") as file:
        file.write("[sampling]\nmax_tokens = 40\ntemperature = 0.0\n")
    yield start
    for terminal in opened:
        terminal.end()


def models_of(terminal: Terminal) -> list[psutil.Process]:
    """The models' processes: children of the program."""
    shell = psutil.Process(terminal.pid)
    return [
        child
        for program in shell.children()
        for child in program.children()
        if child.is_running()
    ]


def test_a_question_is_typed_answered_twice_and_the_program_left(
    terminal: Callable[..., Terminal],
) -> None:
    shown = terminal()
    shown.until(lambda screen: screen.count("ready") == 2)
    shown.type("What is anaemia?")
    shown.press("Enter")
    screen = shown.until(lambda screen: screen.count("TTFT") == 2)
    assert screen.count("What is anaemia?") == 2
    assert "OFFLINE" in screen and "not saved" in screen
    shown.type("And asthma?")
    shown.press("Enter")
    shown.until(lambda screen: screen.count("And asthma?") == 2)
    shown.until(lambda screen: screen.count("TTFT") == 2)
    assert models_of(shown)
    shown.press("C-q")
    screen = shown.until(lambda screen: "left with 0" in screen)
    assert "Traceback" not in screen
    assert models_of(shown) == []


def test_a_killed_model_is_told_and_started_again(
    terminal: Callable[..., Terminal],
) -> None:
    shown = terminal()
    shown.until(lambda screen: screen.count("ready") == 2)
    for model in models_of(shown):
        os.kill(model.pid, signal.SIGKILL)
    shown.type("Still there?")
    shown.press("Enter")
    screen = shown.until(
        lambda screen: "Start the models again" in screen or screen.count("TTFT") == 2
    )
    if "Start the models again" in screen:
        shown.press("C-r")
        shown.until(lambda screen: screen.count("ready") == 2)
        shown.type("And now?")
        shown.press("Enter")
        shown.until(lambda screen: screen.count("TTFT") == 2)


def test_a_broken_file_is_a_sentence_on_the_screen(
    terminal: Callable[..., Terminal], pair: TinyPair, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(pair.base.read_bytes()[: pair.base.stat().st_size // 2])
    shown = terminal("--base", broken)
    screen = shown.until(lambda screen: "not loaded" in screen)
    shown.until(lambda screen: "broken.gguf" in screen)
    shown.press("C-q")
    screen = shown.until(lambda screen: "left with 0" in screen)
    assert "Traceback" not in screen


def test_a_question_longer_than_the_context_is_refused_in_numbers(
    terminal: Callable[..., Terminal], pair: TinyPair
) -> None:
    shown = terminal("--base", pair.base, "--context", "128")
    shown.until(lambda screen: "ready" in screen)
    shown.type("fever and cough " * 40)
    shown.press("Enter")
    shown.until(lambda screen: "would be asked with" in screen)
    shown.press("Enter")
    shown.until(lambda screen: "would be asked with" not in screen)
    assert "fever and cough" in shown.screen


def test_a_window_of_20_by_5_is_lived_with(terminal: Callable[..., Terminal]) -> None:
    shown = terminal(width=20, height=5)
    shown.until(lambda screen: "make the" in screen)
    shown.resize(80, 24)
    shown.until(lambda screen: screen.count("ready") == 2)
    shown.press("C-q")
    shown.until(lambda screen: "left with 0" in screen)
