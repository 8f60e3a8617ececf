"""The calls to the network that a program and all it starts have made (strace)."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Final

PATIENCE_S = 60.0
# -D: the program stays the child of whoever starts it, not of strace.
STRACE: Final = ("strace", "-D", "-f", "-q", "-s", "200")
CALLS: Final = "trace=%network,io_uring_setup"

# Sockets of this computer that a session may use, and why. Empty: there is none with
# a name. Pairs of sockets (`socketpair`) have no name, and both ends are the program's:
# asyncio wakes itself by one, and the models' child gets its questions over another.
NAMED_UNIX_SOCKETS: Final[dict[str, str]] = {}
WITHOUT_A_NAME: Final = re.compile(r"\b(?:socketpair|getsockname)\(")
"""The second one asks for the name of a socket that there is: of a pair, none."""


def traced(log: Path) -> list[str]:
    """The command that traces; its argument is the program to be traced."""
    return [*STRACE, "-e", CALLS, "-o", str(log)]


def can_trace() -> bool:
    return shutil.which("strace") is not None


def outward(log: Path) -> list[str]:
    """The lines of `log` that are more than talk within the program."""
    return [line for line in _whole(log) if _is_outward(line)]


def beyond_loopback(log: Path) -> list[str]:
    """The lines that are more than being heard on loopback; calling is more."""
    return [line for line in outward(log) if not _is_heard_on_loopback(line)]


def _is_heard_on_loopback(line: str) -> bool:
    if "connect(" in line:
        return False
    addresses = re.findall(r'(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]*)"', line)
    if addresses:
        return set(addresses) <= {"127.0.0.1", "::1"}
    # A socket that has no address yet, or the line of an option of one.
    return re.search(r"\bsocket\(AF_INET6?, SOCK_STREAM\b", line) is not None


def _whole(log: Path) -> list[str]:
    """The lines of `log`, once strace has seen the program end."""
    end = time.monotonic() + PATIENCE_S
    while True:
        lines = log.read_text().splitlines() if log.exists() else []
        program = lines[0].split()[0] if lines else "?"
        if any(line.split()[:2] == [program, "+++"] for line in lines):
            return lines
        assert time.monotonic() < end, "strace has not seen the program end"
        time.sleep(0.05)


def _is_outward(line: str) -> bool:
    if "io_uring_setup(" in line:
        return True
    families = set(re.findall(r"\b[AP]F_(\w+)", line))
    if families - {"UNIX", "LOCAL"}:
        return True
    named = re.findall(r'sun_path=@?"([^"]*)"', line)
    if named:
        return any(path not in NAMED_UNIX_SOCKETS for path in named)
    # A socket by itself could be given a peer later; a pair has its own.
    return bool(families) and not WITHOUT_A_NAME.search(line)
