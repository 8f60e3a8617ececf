"""Another program's time and memory, from outside of it."""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.005  # seconds between two looks at a program's memory


@dataclass(frozen=True)
class Measured:
    """What a run took.

    Attributes:
        seconds: of wall time, from the start of the program to its end.
        anonymous: the most bytes that were its own at any look.
        processor: seconds that all cores together computed for it; on a busy machine
            it says more than wall time.
        mapped: the most bytes of files that lay in its memory, which the system can
            take away again.
    """

    seconds: float
    processor: float
    anonymous: int
    mapped: int


def measure(command: Sequence[str], where: Path | None = None) -> Measured:
    """Run `command` in the folder `where` and watch it. Linux only.

    Raises:
        RuntimeError: it failed; the message has what it last wrote.
    """
    anonymous = mapped = 0
    with tempfile.TemporaryFile() as said:
        start, before = time.monotonic(), _processor()
        process = subprocess.Popen(command, cwd=where, stdout=said, stderr=said)
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            sizes = _sizes(status)
            anonymous = max(anonymous, sizes.get("RssAnon", 0))
            mapped = max(mapped, sizes.get("RssFile", 0))
            time.sleep(EVERY)
        seconds, processor = time.monotonic() - start, _processor() - before
        if process.returncode:
            said.seek(0)
            words = said.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"{' '.join(command)} failed:\n{words}")
    return Measured(seconds, processor, anonymous, mapped)


def _processor() -> float:
    """Seconds that processes started from here, and ended, have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _sizes(status: Path) -> dict[str, int]:
    """The sizes in a /proc/PID/status, in bytes; none of a process that is gone."""
    try:
        lines = status.read_text("ascii", errors="replace").splitlines()
    except OSError:
        return {}
    found = (line.split() for line in lines if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in found}
