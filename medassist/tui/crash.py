"""What is printed when the program itself fails.

Textual's own report shows the local variables of every frame, and those hold what
the user typed and what the models wrote.
"""

from __future__ import annotations

import traceback
from pathlib import Path

HERE = Path(__file__).parent.parent


def sentence(error: BaseException) -> str:
    """One sentence: what kind of error, and where in our code. None of its data."""
    return (
        f"medassist had to stop: {type(error).__name__}{_where(error)}. This is an "
        "error in the program. Nothing of the consultation was written anywhere. "
        "`medassist --debug` shows more when it happens again."
    )


def report(error: BaseException, debug: bool) -> str:
    """What to print: the sentence, or with `debug` the traceback, without locals."""
    if not debug:
        return sentence(error)
    return "".join(traceback.format_exception(error)).rstrip()


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
