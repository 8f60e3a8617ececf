"""A real terminal (tmux) with the real program in it."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from tests.shown import Shown, columns

PATIENCE_S = 60.0


def command(
    home: Path,
    *arguments: str | Path,
    before: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> str:
    """The shell's command line that runs the program and says how it ended.

    `before` is a program that runs it, such as strace, with its arguments.
    """
    # The size is the window's, not one that the test runner has in its environment.
    surroundings = ["env", "-u", "COLUMNS", "-u", "LINES", f"MEDASSIST_HOME={home}"]
    surroundings += [f"{name}={value}" for name, value in (environment or {}).items()]
    program = [sys.executable, "-m", "medassist", "--threads", "1"]
    words = [*surroundings, *before, *program, *map(str, arguments)]
    return f"{shlex.join(words)}; echo left with $?"


class Terminal:
    """A tmux window in which the program runs."""

    def __init__(self, socket: Path, command: str, width: int, height: int) -> None:
        self._tmux = ["tmux", "-f", "/dev/null", "-S", str(socket)]
        size = ["-x", str(width), "-y", str(height)]
        self._run("new-session", "-d", "-s", "t", *size, f"{command}; cat")
        self._shell = psutil.Process(int(self._ask("#{pane_pid}")))

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._tmux, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout

    def _ask(self, what: str) -> str:
        return self._run("display-message", "-p", "-t", "t", what)

    def press(self, *names: str) -> None:
        self._run("send-keys", "-t", "t", *names)

    def type(self, text: str) -> None:
        self._run("send-keys", "-t", "t", "-l", text)

    def send(self, raw: bytes) -> None:
        """What a terminal may send that is no text."""
        self._run("send-keys", "-t", "t", "-H", *(f"{byte:02x}" for byte in raw))

    def ask(self, question: str) -> None:
        self.type(question)
        self.press("Enter")

    def resize(self, width: int, height: int) -> None:
        self._run("resize-window", "-t", "t", "-x", str(width), "-y", str(height))

    @property
    def everything(self) -> str:
        """What the terminal keeps: the window, the lines above it, its title."""
        kept = self._run("capture-pane", "-p", "-S", "-", "-E", "-", "-t", "t")
        return f"{self._ask('#{pane_title} #{window_name}')}{kept}"

    def take_the_clipboard(self) -> None:
        """Let the program write the clipboard by a sequence, as many terminals do."""
        self._run("set-option", "-s", "set-clipboard", "on")

    @property
    def clipboard(self) -> str:
        """All that the program has written there."""
        return self._run("list-buffers", "-F", "#{buffer_sample}")

    @property
    def screen(self) -> Shown:
        text = self._run("capture-pane", "-p", "-t", "t")
        return Shown(text, columns(text))

    @property
    def line(self) -> int:
        """The line of the window that the cursor is in, hidden or not."""
        return int(self._ask("#{cursor_y}"))

    @property
    def program(self) -> psutil.Process:
        """The program itself."""
        return next(
            child for child in self._shell.children() if "medassist" in child.cmdline()
        )

    @property
    def models(self) -> list[psutil.Process]:
        """The models' processes: children of the program."""
        return self.program.children()

    def until(self, what: Callable[[Shown], object]) -> Shown:
        """Wait until the screen is as `what` wants it; return it."""
        end = time.monotonic() + PATIENCE_S
        while not what(screen := self.screen):
            assert time.monotonic() < end, f"it did not come:\n{screen}"
            time.sleep(0.05)
        return screen

    def until_ready(self, panes: int = 2) -> Shown:
        return self.until(lambda screen: screen.count("ready") == panes)

    def until_answered(self, panes: int = 2) -> Shown:
        return self.until(lambda screen: screen.count("whole") >= panes)

    def until_left(self) -> Shown:
        """Wait until the program has ended, and with it the models."""
        screen = self.until(lambda screen: "left with" in screen)
        assert "Traceback" not in screen
        return screen

    def hang_up(self) -> None:
        """Close the window, as a click on its cross does."""
        self._run("kill-window", "-t", "t")

    def end(self) -> None:
        # The server has gone with its last window.
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)
