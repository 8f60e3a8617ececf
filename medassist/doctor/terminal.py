"""Checks the terminal: colours, characters and clipboard."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence

from medassist.doctor.finding import Finding, listed

PART = "terminal"
SMALLEST = (80, 24)
SIDE_BY_SIDE = 100
"""Columns below which the panes stack."""
FULL_COLOUR = ("truecolor", "24bit")


def terminal(clipboard: Sequence[str]) -> list[Finding]:
    """Findings about the terminal.

    Args:
        clipboard: the programs that would be tried for copying, the best first.
    """
    return [*_screen(), *_letters(), *_copies(clipboard)]


def _screen() -> Iterator[Finding]:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        yield Finding(
            PART,
            "note",
            "This is not a terminal, so nothing can be said of its size and colours. "
            "The screen needs one; `medassist ask` does not.",
        )
        return
    width, height = shutil.get_terminal_size()
    name = os.environ.get("TERM", "")
    colours = "16.7 million colours"
    if os.environ.get("COLORTERM", "").lower() not in FULL_COLOUR:
        colours = "256 colours" if "256" in name else "few colours"
    if name == "dumb":
        yield Finding(
            PART,
            "wrong",
            "The terminal calls itself dumb: no screen can be drawn on it.",
            "Start medassist in a terminal window, or use `medassist ask`",
        )
        return
    if "NO_COLOR" in os.environ:
        colours = "no colours (NO_COLOR)"
    text = f"{name or 'a terminal without a name'}, {width} x {height}, {colours}."
    if width < SMALLEST[0] or height < SMALLEST[1]:
        yield Finding(
            PART,
            "note",
            f"{text} That is small.",
            f"Make the window at least {SMALLEST[0]} x {SMALLEST[1]}",
        )
    elif width < SIDE_BY_SIDE:
        yield Finding(
            PART,
            "ok",
            f"{text} From {SIDE_BY_SIDE} columns on the panes stand side by side.",
        )
    else:
        yield Finding(PART, "ok", text)


def _letters() -> Iterator[Finding]:
    encoding = (sys.stdout.encoding or "").lower().replace("-", "").replace("_", "")
    if encoding == "utf8":
        yield Finding(PART, "ok", "Letters are UTF-8.")
    else:
        yield Finding(
            PART,
            "wrong",
            f"Letters are {sys.stdout.encoding or 'of no encoding'}: lines and letters "
            "with accents will be wrong on the screen.",
            "export LANG=C.UTF-8",
        )


def _copies(clipboard: Sequence[str]) -> Iterator[Finding]:
    there = [name for name in clipboard if shutil.which(name)]
    if there:
        yield Finding(PART, "ok", f"Copies go to the clipboard by {there[0]}.")
        return
    lacking = f" ({listed(clipboard)} would do it)" if clipboard else ""
    held = (
        " It may hold what was copied, and medassist cannot take that away again."
        if any(name in os.environ for name in ("TMUX", "STY"))
        else ""
    )
    yield Finding(
        PART,
        "note",
        f"No program for the clipboard is here{lacking}: copies are sent to the "
        f"terminal, which may pass them on or not.{held}",
        _install(clipboard),
    )


def _install(clipboard: Sequence[str]) -> str:
    if "wl-copy" in clipboard:
        return "sudo apt-get install wl-clipboard"
    if "xclip" in clipboard:
        return "sudo apt-get install xclip"
    return ""
