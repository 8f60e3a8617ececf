"""Measures loading times, from the disk and from the cache.

An empty page cache takes an administrator. What takes none is the hint to drop one's
own file from it (posix_fadvise); how much of the file stayed all the same is looked at
and stands beside the figure.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from medassist.bench.events import Event, StepFailed
from medassist.bench.results import ROUND
from medassist.bench.targets import Target
from medassist.bench.work import Setting, Step, Work, in_rounds, settings
from medassist.core.errors import EngineError
from medassist.core.gguf import shards
from medassist.engine.timing import TimedModel

MOST_ROUNDS = 3
STAYED = 0.2
DROPPED, WARM = "dropped from the cache", "warm"
PLACES = (DROPPED, WARM)


def steps(work: Work) -> list[Step]:
    """Each row from disk and from cache, in rounds."""
    return [
        _step(work, work.targets[row], place, number)
        for number, order in _rounds(work)
        for row in order
        for place in PLACES
    ]


def measure(work: Work) -> Generator[Event]:
    """Run the loading steps that are left.

    Raises:
        BenchError: the file of results cannot be written.
    """
    broken: set[int] = set()
    for number, order in _rounds(work):
        for row in order:
            for place in PLACES:
                step = _step(work, work.targets[row], place, number)
                if row in broken or work.done(step):
                    continue
                yield from work.quiet()
                yield work.begin(step, f"load, {place}")
                try:
                    yield from _load(work, step, place)
                except EngineError as error:
                    broken.add(row)
                    yield StepFailed(step.target.name, "load", str(error))


def _load(work: Work, step: Step, place: str) -> Generator[Event]:
    target, setting = step.target, _setting(work)
    files = [*shards(target.model), *([target.adapter] if target.adapter else [])]
    notes: list[str] = []
    if place == DROPPED:
        for file in files:
            drop_from_cache(file)
        stayed = cached_share(target.model)
        if stayed is None:
            notes.append("how much of the file stayed in memory is not readable")
        elif stayed > STAYED:
            notes.append(f"{100 * stayed:.0f} % of the file stayed in memory")
    else:
        for file in files:
            read_through(file)
    watching = work.observer.begin([])
    begun = time.perf_counter()
    with TimedModel(
        target.model,
        target.adapter,
        setting.timed(_context(work)),
    ) as model:
        whole = time.perf_counter() - begun
        opened = model.opened
        # The child began with it, so all that it has computed is our own.
        disturbance = replace(watching, pids=(model.pid,)).end()
        yield work.keep(
            step,
            samples={
                "ready_s": (opened.ready_ns / 1e9,),
                "first_token_s": (opened.first_ns / 1e9,),
                "with_process_s": (whole,),
            },
            disturbance=disturbance,
            notes=tuple(notes),
            type=opened.description,
            tensor_bytes=opened.tensor_bytes,
        )


def drop_from_cache(file: Path) -> bool:
    """Ask the system to drop `file` from its cache; whether it could be asked.

    Raises:
        OSError: it cannot be opened.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    number = os.open(file, os.O_RDONLY)
    try:
        os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(number)
    return True


def read_through(file: Path) -> None:
    """Read `file` into the system's cache."""
    with file.open("rb", buffering=0) as opened:
        room = bytearray(1 << 20)
        while opened.readinto(room):
            pass


def cached_share(file: Path) -> float | None:
    """The share of `file` in the system's cache; `None` if unknown.

    Source: mincore(2). Of files that are not one's own it tells nothing.
    """
    if sys.platform != "linux":
        return None
    size = file.stat().st_size
    if not size:
        return None
    pages = -(-size // mmap.PAGESIZE)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    with (
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), size, access=mmap.ACCESS_COPY) as mapped,
    ):
        first = ctypes.c_char.from_buffer(mapped)
        found = (ctypes.c_ubyte * pages)()
        failed = libc.mincore(ctypes.addressof(first), size, found)
        del first
    return None if failed else sum(page & 1 for page in found) / pages


def _rounds(work: Work) -> list[tuple[int, list[int]]]:
    count = min(MOST_ROUNDS, work.wishes.repetitions)
    return in_rounds(count, len(work.targets))


def _setting(work: Work) -> Setting:
    return settings(work.wishes)[0]


def _context(work: Work) -> int:
    return work.wishes.context


def _step(work: Work, target: Target, place: str, number: int) -> Step:
    facts = _setting(work).facts(_context(work))
    return Step("load", target, {"file": place, ROUND: number}, facts)
