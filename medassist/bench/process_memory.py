"""Memory of a process, seen from outside.

Linux tells it of every process in /proc/PID/status, also of one that forbids others to
look at its memory, as ours do. Elsewhere psutil tells what the system gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessMemory:
    """Memory in bytes; `None` where the system does not tell.

    Attributes:
        resident: in memory now.
        peak: the most that was resident.
        private: the process's own: caches and buffers.
        mapped: pages of files, such as weights, which the system can take away again.
    """

    resident: int | None
    peak: int | None
    private: int | None
    mapped: int | None


def process_memory(pid: int, root: Path = Path("/")) -> ProcessMemory | None:
    """The memory of the process `pid`; `None` where there is none.

    Args:
        pid: of it.
        root: below which the system's files lie.
    """
    try:
        text = (root / f"proc/{pid}/status").read_text("ascii", errors="replace")
    except OSError:
        return _elsewhere(pid)
    found = {
        words[0].rstrip(":"): int(words[1]) * 1024
        for words in (line.split() for line in text.splitlines())
        if len(words) == 3 and words[2] == "kB"
    }
    return ProcessMemory(
        resident=found.get("VmRSS"),
        peak=found.get("VmHWM"),
        private=found.get("RssAnon"),
        mapped=found.get("RssFile"),
    )


def _elsewhere(pid: int) -> ProcessMemory | None:
    import psutil

    try:
        info = psutil.Process(pid).memory_info()
    except psutil.Error:
        return None
    peak = getattr(info, "peak_wset", None)
    private = getattr(info, "private", None)
    return ProcessMemory(int(info.rss), peak, private, None)
