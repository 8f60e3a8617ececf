"""Checks the confinement of the models' process by a trial, and its devices."""

from __future__ import annotations

import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medassist.doctor.finding import Finding, listed
from medassist.engine import confine
from medassist.engine.child import Child, ChildEnded
from medassist.engine.confinement_trial import (
    FOREIGN,
    LISTENING,
    MODEL,
    REPLY,
    ConfinementTrial,
    Try,
)
from medassist.engine.last_words import LastWords

PART = "confinement"
TRIAL = "medassist.engine.confinement_trial"
LONGEST_S = 20.0
ALL_LAYERS = (confine.NETWORK_NAMESPACE, confine.LANDLOCK, confine.SECCOMP)
WHAT_TO_DO: Mapping[str, str] = {
    confine.NETWORK_NAMESPACE: (
        "The system lets no user make a network namespace: on Ubuntu see "
        "kernel.apparmor_restrict_unprivileged_userns, in a container its security "
        "profile"
    ),
    confine.LANDLOCK: (
        "Landlock is missing: it wants Linux 5.13 or newer, with landlock in "
        "/sys/kernel/security/lsm, and in a container a profile that lets it through"
    ),
    confine.SECCOMP: (
        "Filters of system calls are missing: they want a kernel with "
        "CONFIG_SECCOMP_FILTER on x86-64 or 64-bit ARM"
    ),
}
"""Advice for each layer that may be missing."""


@dataclass(frozen=True)
class Tried:
    """Result of the trial.

    Attributes:
        trial: what the child could do; `None`: it ended before it said.
        problem: why, in a sentence.
        do: what the user can do about that.
    """

    trial: ConfinementTrial | None
    problem: str = ""
    do: str = ""


def try_out() -> Tried:
    """Start a child confined like the models' and let it try everything."""
    with tempfile.TemporaryDirectory(prefix="medassist-doctor-") as name:
        folder = Path(name)
        for file in (MODEL, FOREIGN):
            (folder / file).write_text("x")
        if not hasattr(socket, "AF_UNIX"):
            return _run(folder)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(folder / LISTENING))
            listening.listen()
            return _run(folder)


def _run(folder: Path) -> Tried:
    try:
        with Child(TRIAL, REPLY, LONGEST_S) as child:
            child.send(Try(folder=folder))
            return Tried(child.receive())
    except ChildEnded as ended:
        if ended.broken:
            said = f"The process that runs the models was ended: {ended.broken}."
            return Tried(None, said, ended.to_do.capitalize())
        if not ended.late:
            return _ended(ended.code, ended.words)
    return Tried(
        None,
        f"The process that runs the models said nothing for {LONGEST_S:.0f} s.",
        "Try again when the computer is less busy",
    )


def _ended(code: int, words: LastWords) -> Tried:
    again = "Install llama-cpp-python again, compiled on this computer: make clean run"
    if sys.platform != "win32" and code == -signal.SIGILL:
        return Tried(
            None,
            "llama.cpp was compiled for another processor, which knows instructions "
            "that this one does not.",
            again,
        )
    last = next(reversed(words.lines), "")
    if "llama" in last or "shared library" in last:
        return Tried(None, f"llama.cpp cannot be loaded: {last[:200]}", again)
    return Tried(
        None,
        f"The process that runs the models ended with code {code}"
        f"{': ' if last else ''}{last[:200]}",
        again,
    )


def confinement(tried: Tried) -> list[Finding]:
    """Findings about what the child of the trial could do."""
    trial = tried.trial
    if trial is None:
        return [Finding(PART, "wrong", tried.problem, tried.do)]
    found: list[Finding] = []
    if trial.attempts.get("read its model") != "allowed":
        found.append(
            Finding(PART, "wrong", "A confined process cannot read its own model.")
        )
    able: list[str] = [what for what, how in trial.attempts.items() if how == "allowed"]
    able = [what for what in able if what != "read its model"]
    if not able:
        found.append(
            Finding(
                PART,
                "ok",
                "The process that runs the models reads its model files and the "
                "program, writes nothing, and reaches no network and no other "
                f"program (tried; {trial.confined}).",
            )
        )
    else:
        found.append(_gap(able, trial))
    if trial.threads > 1 and confine.LANDLOCK in trial.confined:
        found.append(
            Finding(
                PART,
                "note",
                f"{trial.threads - 1} of its threads ran before files were given up, "
                "started by a library, and are not held from files.",
            )
        )
    return found


def _gap(able: list[str], trial: ConfinementTrial) -> Finding:
    missing = [layer for layer in ALL_LAYERS if layer not in trial.confined]
    if sys.platform == "linux":
        do = ". ".join(WHAT_TO_DO[layer] for layer in missing)
    else:
        do = (
            "This system is not Linux, and nothing else is built in. Load only model "
            "files whose origin you trust"
        )
    return Finding(
        PART,
        "note",
        "A model file that takes over the process which runs it could "
        f"{listed(able)} (tried; what holds it: {trial.confined}).",
        do,
    )
