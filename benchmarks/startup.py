"""The time to the help text and to the first frame, beside a bare Textual app."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from benchmarks.figures import Comparison
from medassist.intended_use import INTENDED_USE_VERSION

ROWS, COLUMNS = 40, 120
WAIT_S = 20
FRAME_AIM, HELP_AIM = 1.6, 0.45
BARE_APP = Path(__file__).with_name("bare_app.py")
BARE_MARK = b"right pane"
OUR_MARK = b"OFFLINE"


def first_frame(command: list[str], mark: bytes, environment: dict[str, str]) -> float:
    """Seconds from the start of `command` in a terminal until `mark` is drawn."""
    begun = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, environment)
    try:
        size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
        seen = b""
        while mark not in seen:
            if time.perf_counter() - begun > WAIT_S:
                raise RuntimeError(f"{command} drew no {mark!r} in {WAIT_S} s")
            if select.select([terminal], [], [], 0.1)[0]:
                seen += os.read(terminal, 65536)
        return time.perf_counter() - begun
    finally:
        os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(pid, 0)


def run_time(command: list[str]) -> float:
    """Seconds that `command` takes as a whole."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


def compare(runs: int) -> list[Comparison]:
    """The table's rows for the start; the reference runs in turn with ours."""
    ours, bare, helps, imports = [], [], [], []
    app = [sys.executable, "-m", "medassist"]
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "MEDASSIST_HOME": home,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
        }
        # The first start ever states the intended use; its frame has no line yet.
        settings = Path(home) / "config" / "settings.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text(f"intended_use_accepted = {INTENDED_USE_VERSION}\n")
        for _ in range(runs):
            bare.append(
                first_frame([sys.executable, str(BARE_APP)], BARE_MARK, environment)
            )
            ours.append(first_frame(app, OUR_MARK, environment))
            helps.append(run_time([*app, "--help"]))
            imports.append(run_time([sys.executable, "-c", "import textual.app"]))
    return [
        Comparison(
            "first frame : bare two-pane Textual app",
            ours,
            bare,
            "s",
            ("<=", FRAME_AIM),
        ),
        Comparison(
            "medassist --help : importing textual.app",
            helps,
            imports,
            "s",
            ("<=", HELP_AIM),
        ),
    ]
