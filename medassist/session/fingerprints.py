"""Computes the sha256 of the files that answered, while the models are idle."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from medassist.consult.answer import ModelFile

LEAST_URGENT = 19


@dataclass(frozen=True)
class Fingerprint:
    """The hash of a file, or why there is none."""

    sha256: str
    """64 hexadecimal digits; empty: `problem` says why."""
    remark: str = ""
    """Comparison with what was shipped with the program; empty for other files."""
    problem: str = ""
    """A sentence that the user has to know; empty: all is well."""


class Fingerprints:
    """Computes the fingerprint of each file once, and one after the other."""

    def __init__(self) -> None:
        self._known: dict[ModelFile, Fingerprint] = {}
        self._one_at_a_time = asyncio.Lock()

    def of(self, file: ModelFile) -> Fingerprint | None:
        """The fingerprint of `file`; `None` until it has been computed."""
        return self._known.get(file)

    async def compute(
        self, files: Iterable[ModelFile], free: Callable[[], bool]
    ) -> list[Fingerprint]:
        """Compute missing fingerprints of `files`, as long as `free` says so.

        The reading competes with the models for the processor. A file that has been
        begun is read to its end, at the lowest priority where the system has one.

        Returns:
            What was computed now.
        """
        found: list[Fingerprint] = []
        async with self._one_at_a_time:
            for file in files:
                if not free():
                    break
                if file not in self._known:
                    self._known[file] = await _in_a_thread(file)
                    found.append(self._known[file])
        return found


async def _in_a_thread(file: ModelFile) -> Fingerprint:
    # A thread of its own, which ends with the program: leaving does not wait for it.
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Fingerprint] = loop.create_future()

    def tell(found: Fingerprint) -> None:
        if not done.done():
            done.set_result(found)

    def work() -> None:
        if sys.platform == "linux":  # elsewhere it would be the whole process
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LEAST_URGENT)
        found = _fingerprint(file)
        with suppress(RuntimeError):  # the program has been left meanwhile
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=work, name="sha256", daemon=True).start()
    return await done


def _fingerprint(file: ModelFile) -> Fingerprint:
    from medassist.library.hashes import remembered_sha256

    path = file.path
    try:
        sha256 = remembered_sha256(path)
        status = path.stat()
    except OSError as error:
        return Fingerprint("", problem=f"{path} cannot be read ({error.strerror}).")
    if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
        return Fingerprint(
            "",
            problem=f"{path} was changed after the model had been loaded from it: what "
            "answered cannot be said. Start the models again to use the file as it "
            "is now.",
        )
    return _held_against_what_is_known(path, sha256)


def _held_against_what_is_known(path: Path, sha256: str) -> Fingerprint:
    from medassist.core.card import CardError
    from medassist.starter import GET, expected_sha256, is_known, is_open_base

    if not is_known(path):
        return Fingerprint(sha256)
    if is_open_base(path):
        if expected_sha256(path) == sha256:
            return Fingerprint(sha256, remark="as its makers have published it")
        return Fingerprint(
            sha256,
            problem=f"{path.name} is not the file that its makers have published. "
            f"`{GET}` fetches it again; do not rely on these answers.",
        )
    try:
        expected = expected_sha256(path)
    except CardError as error:
        return Fingerprint(
            sha256, problem=f"It cannot be said whether this was shipped: {error}."
        )
    if expected == sha256:
        return Fingerprint(sha256, remark="as shipped with the program")
    named = f"its card names {expected}" if expected else "its card does not name it"
    return Fingerprint(
        sha256,
        problem=f"{path.name} is not the file that was shipped with the program: "
        f"{named}. Install the program again, or do not rely on these answers.",
    )
