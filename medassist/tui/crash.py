"""Error output when the app itself fails, without data of the user.

Textual's own report shows the local variables of every frame, and those hold what
the user typed and what the models wrote. The message of an error can quote it too, so
what is printed names the kind of error and the places in the code, never the message.
"""

from __future__ import annotations

import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType

from medassist.tui.wording import program as wording

HERE = Path(__file__).parent.parent


def sentence(error: BaseException) -> str:
    """One sentence: kind of error and place in our code, without data."""
    return wording.failed(type(error).__name__, _where(error))


def report(error: BaseException, debug: bool) -> str:
    """The sentence; with `debug`, a traceback without data."""
    if not debug:
        return sentence(error)
    return "\n".join(_traced(error))


def keep_quiet() -> None:
    """Make uncaught errors print only their kind and place.

    Python prints the message otherwise, also of an error in a thread, in the middle
    of the screen and into a terminal's history.
    """

    def of_program(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            sys.stderr.write(f"{sentence(error)}\n")

    def of_thread(args: threading.ExceptHookArgs) -> None:
        """Pass over a thread's error, whose waiter is told; the screen stays whole."""

    def of_nobody(args: sys.UnraisableHookArgs) -> None:
        """Errors while objects are freed: they concern nobody."""

    sys.excepthook = of_program
    threading.excepthook = of_thread
    sys.unraisablehook = of_nobody


def _traced(error: BaseException, known: tuple[BaseException, ...] = ()) -> list[str]:
    """Frames and kinds of an error and of those that led to it."""
    lines: list[str] = []
    before = error.__cause__ or (
        None if error.__suppress_context__ else error.__context__
    )
    if before is not None and before not in known:
        lines += [*_traced(before, (*known, error)), "", "and then:", ""]
    for frame in traceback.extract_tb(error.__traceback__):
        lines.append(f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}')
        if frame.line:
            lines.append(f"    {frame.line}")
    lines.append(
        f"{type(error).__name__} (its message is left out: it can quote a text)"
    )
    return lines


def _where(error: BaseException) -> str:
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(HERE)
    ]
    if not ours:
        return ""
    name = Path(ours[-1].filename).relative_to(HERE.parent)
    return f" in {name}, line {ours[-1].lineno}"
