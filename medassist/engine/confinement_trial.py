"""Trial of the confinement: a confined child tries what should be forbidden.

It then tries what it must not be able to, and prints how each attempt went. Nothing
that it tries leaves the computer or lasts: what it writes would be in a folder that
the caller made for it: one that holds the files `model` and `foreign` and the Unix
socket `listening`, on which somebody listens. Started by `medassist doctor` and the
tests.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil
from pydantic import TypeAdapter

from medassist.engine.devices import Processors, processors
from medassist.frozen_model import FrozenModel

if TYPE_CHECKING:
    from medassist.engine.child_startup import Confined

MODEL, FOREIGN, LISTENING, NEW = "model", "foreign", "listening", "new"
DISCARD = ("127.0.0.1", 9)
"""Nobody answers there; whether a packet may be sent at all is what is asked."""
Outcome = Literal["allowed", "refused"]
Deed = Literal[
    "read its model",
    "read another file",
    "list a folder",
    "write a new file",
    "write to a file",
    "remove a file",
    "read shared memory",
    "write to the terminal",
    "connect (TCP)",
    "send (UDP)",
    "speak to another program",
    "start another program",
    "read another process",
]


class Try(FrozenModel):
    """Command: try everything.

    Attributes:
        folder: holds what is tried on.
        shared: a file in shared memory, where reading that is to be tried.
    """

    folder: Path
    shared: Path | None = None


class ConfinementTrial(FrozenModel):
    """List of what the confined child was still able to do."""

    confined: str
    """Confinement in the words of `confine.describe`."""
    threads: int
    """Threads that ran when files were given up; Landlock holds the first one alone."""
    attempts: dict[Deed, Outcome]
    processors: Processors


COMMAND: TypeAdapter[Try] = TypeAdapter(Try)
REPLY: TypeAdapter[ConfinementTrial] = TypeAdapter(ConfinementTrial)


def serve(process: Confined) -> None:
    """Confine this process as the models' child is, try everything, and report."""
    command = process.channel.receive(COMMAND)
    if command is None:
        return
    folder, shared = command.folder, command.shared
    found = processors()
    threads = psutil.Process().num_threads()
    confined = process.keep_files([folder / MODEL])
    foreign = folder / FOREIGN
    deeds: dict[Deed, Callable[[], object]] = {
        "read its model": (folder / MODEL).read_bytes,
        "read another file": foreign.read_bytes,
        "list a folder": lambda: list(folder.iterdir()),
        "write a new file": lambda: (folder / NEW).write_text("x"),
        "write to a file": lambda: _write_to(foreign),
        "remove a file": foreign.unlink,
        "connect (TCP)": _connect,
        "send (UDP)": _send,
        "speak to another program": lambda: _speak(folder / LISTENING),
        "start another program": _run_another,
        "read another process": _read_parent,
        "write to the terminal": lambda: _write_to(Path("/dev/tty")),
    }
    if shared is not None:
        deeds["read shared memory"] = shared.read_bytes
    attempts: dict[Deed, Outcome] = {}
    for what, deed in deeds.items():
        attempts[what] = _attempt(deed)
    process.channel.send(
        ConfinementTrial(
            confined=confined, threads=threads, attempts=attempts, processors=found
        )
    )


def _attempt(deed: Callable[[], object]) -> Outcome:
    try:
        deed()
    except ConnectionRefusedError:
        return "allowed"  # the system let it try; only nobody was there
    except OSError:
        return "refused"
    return "allowed"


def _write_to(file: Path) -> None:
    number = os.open(file, os.O_WRONLY | os.O_NOCTTY)
    try:
        if file.is_file():
            os.write(number, b"x")
    finally:
        os.close(number)


def _connect() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.settimeout(1)
        one.connect(DISCARD)


def _send() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", DISCARD)


def _speak(place: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.connect(str(place))


def _run_another() -> None:
    subprocess.run([sys.executable, "-V"], stdout=subprocess.DEVNULL, check=True)


def _read_parent() -> None:
    Path("/proc", str(os.getppid()), "environ").read_bytes()
