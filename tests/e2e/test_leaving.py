from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from medassist.intended_use import INTENDED_USE_VERSION
from medassist.tui.app import LEAVE_S
from tests.e2e.conftest import StartTerminal
from tests.e2e.terminal import Terminal, command
from tests.tiny_models import TinyPair

# Less than the watch of the program would take to end what hangs.
AT_ONCE_S = LEAVE_S - 1
ANSWERS_LONG = f"""\
intended_use_accepted = {INTENDED_USE_VERSION}
[sampling]
max_tokens = 1500
"""


def everything_of(terminal: Terminal) -> list[psutil.Process]:
    return [terminal.program, *terminal.models]


def ended_at_once(processes: list[psutil.Process]) -> bool:
    end = time.monotonic() + AT_ONCE_S
    while any(lives(process) for process in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def lives(process: psutil.Process) -> bool:
    """A process that has ended and that nobody has asked after yet does not live."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def asked(terminal: Terminal) -> Terminal:
    terminal.until_ready()
    terminal.ask("What is anaemia?")
    terminal.until_answered()
    return terminal


def test_quitting_asks_once_where_there_is_a_consultation(
    consult: StartTerminal,
) -> None:
    shown = asked(consult())
    processes = everything_of(shown)
    assert len(processes) > 1
    shown.press("C-q")
    shown.until(lambda screen: "This consultation is not saved" in screen)
    shown.press("Escape")
    shown.until(lambda screen: "Quit?" not in screen)
    shown.press("C-q", "C-q")
    assert "left with 0" in shown.until_left()
    assert ended_at_once(processes)


def test_quitting_does_not_ask_where_nothing_would_be_lost(
    consult: StartTerminal,
) -> None:
    shown = consult()
    shown.until_ready()
    shown.press("C-q")
    assert "left with 0" in shown.until_left()


@pytest.mark.parametrize(
    "end",
    [
        lambda terminal: terminal.program.send_signal(signal.SIGTERM),
        lambda terminal: terminal.program.send_signal(signal.SIGHUP),
        Terminal.hang_up,
    ],
    ids=["SIGTERM", "SIGHUP", "closed window"],
)
def test_a_signal_or_a_closed_window_ends_all_of_it_at_once_and_asks_nothing(
    consult: StartTerminal, end: Callable[[Terminal], None]
) -> None:
    shown = asked(consult())
    processes = everything_of(shown)
    end(shown)
    assert ended_at_once(processes)


def test_a_window_that_closes_while_they_answer_ends_all_of_it_at_once(
    starts: StartTerminal, home: Path
) -> None:
    (home / "config" / "settings.toml").write_text(ANSWERS_LONG)
    shown = starts()  # the starter pair, whose base model goes on
    shown.until_ready()
    shown.ask("What is anaemia?")
    shown.until(lambda screen: "writing" in screen)
    processes = everything_of(shown)
    assert len(processes) > 1
    shown.hang_up()
    assert ended_at_once(processes)


def test_a_window_that_closes_ends_it_where_another_program_outlives_the_window(
    home: Path, pair: TinyPair, sockets: Path, starts: StartTerminal
) -> None:
    # As `make run` does: the system then tells nobody but the one that goes on.
    files = ("--base", pair.base, "--adapter", pair.activated)
    line = f"trap '' HUP; {command(home, *files)}"
    shown = Terminal(sockets / "outlived", line, 120, 36)
    shown.until_ready()
    processes = everything_of(shown)
    shown.hang_up()
    assert ended_at_once(processes)
