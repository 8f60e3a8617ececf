"""Explains why a child process ended, and what the user can do."""

from __future__ import annotations

import contextlib
import signal
import sys

from medassist.core.errors import CauseOfDeath, EngineDied
from medassist.engine.last_words import LastWords
from medassist.engine.replaced import REPLACED

WINDOWS_ABORT = 3
TIMED_OUT = "Timeout ("
"""Text of `faulthandler` where it ends the process, as `template` has it do."""


def death(
    subject: str, when: str, code: int, last_words: LastWords, broken: str
) -> EngineDied:
    """The error for a child that ended.

    Args:
        subject: the file, or the files, that the child ran.
        when: "while it was loaded", "while it answered".
        code: the exit code; negative for a signal.
        last_words: what the child printed.
        broken: why it ended otherwise than by itself, or "".
    """
    cause: CauseOfDeath = "unknown"
    if broken == REPLACED:
        cause = "program"
        said = f"ended {when}, because {broken}. Start the program again."
    elif broken:
        said = f"was ended {when}, because {broken}. Load the pair again."
    elif any(TIMED_OUT in line for line in last_words.lines):
        said = (
            "was ended because its chat template took too long. Convert the model "
            "again with a corrected template."
        )
    elif _is_abort(code):
        cause = "file"
        said = (
            f"made llama.cpp give up {when}{_quoted(last_words)}. The file is most "
            "likely damaged: copy or download it again."
        )
    elif sys.platform != "win32" and code == -signal.SIGKILL:
        cause = "memory"
        said = (
            f"was killed {when}, most likely because memory ran out. Take a smaller "
            "context, a smaller quantization, or the KV cache as q8_0."
        )
    else:
        said = (
            f"ended {when} ({_exit_name(code)}{_quoted(last_words)}). Load the pair "
            "again; if it happens again, the file is most likely damaged."
        )
    return EngineDied(f"{subject}: the process that ran this model {said}", cause)


def _is_abort(code: int) -> bool:
    if sys.platform == "win32":
        return code == WINDOWS_ABORT
    return code == -signal.SIGABRT


def _quoted(words: LastWords) -> str:
    return f": {words.why.rstrip('.')}" if words.why else ""


def _exit_name(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"code {code}"
