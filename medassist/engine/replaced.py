"""Whether the program was replaced on the disk while it ran, as by an update.

A child is started from the files as they are by then. Its messages, and its ways to
fail, may be those of another version than the one that started it.
"""

from __future__ import annotations

import sys
import time
from itertools import chain
from pathlib import Path
from typing import Final

PACKAGES: Final = tuple(
    Path(__file__).resolve().parents[2] / name for name in ("medassist", "convert")
)
REPLACED: Final = "the program was changed on the disk after it was started"
PYTHON_FAILED: Final = 1
"""Exit code of a Python that an error ended."""
_STARTED: Final = time.time()


def why_ended(code: int, broken: str) -> str:
    """`broken`, or that the program was replaced where a child may have failed by it.

    Args:
        code: the exit code of the child.
        broken: why the app itself ended it, or "".
    """
    return REPLACED if (broken or code == PYTHON_FAILED) and _replaced() else broken


def what_to_do(why: str) -> str:
    """What helps where a child ended because of `why`, as a clause."""
    return "start the program again" if why == REPLACED else "try again"


def _replaced() -> bool:
    there = (file for package in PACKAGES for file in package.rglob("*.py"))
    modules = [getattr(module, "__file__", None) for module in [*sys.modules.values()]]
    loaded = (Path(file) for file in modules if file)
    ours = (file for file in loaded if {*file.parents} & {*PACKAGES})
    return any(map(_changed, chain(ours, there)))


def _changed(file: Path) -> bool:
    try:
        found = file.stat()
    except OSError:
        return True
    # A file that is moved into its place keeps the time at which it was written.
    return max(found.st_mtime, found.st_ctime) > _STARTED
