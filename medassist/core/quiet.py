"""Environment variables that make a library log or send data; they are removed.

Textual, with them set, sends every key and message to a console at another port,
appends them to a file, or saves a picture of the screen; asyncio prints the arguments
of slow calls. A developer sets them in a shell profile and forgets them; a clinician
would never see that the patient's story is on the disk. So they are taken away before
these libraries are imported.
"""

from __future__ import annotations

import os
from typing import Final

TELLING: Final = (
    "TEXTUAL",
    "TEXTUAL_DEBUG",
    "TEXTUAL_DEVTOOLS_HOST",
    "TEXTUAL_DEVTOOLS_PORT",
    "TEXTUAL_LOG",
    "TEXTUAL_PRESS",
    "TEXTUAL_SCREENSHOT",
    "TEXTUAL_SCREENSHOT_FILENAME",
    "TEXTUAL_SCREENSHOT_LOCATION",
    "TEXTUAL_SHOW_RETURN",
    "PYTHONASYNCIODEBUG",
)

_taken_away: list[str] = []


def be_quiet() -> None:
    """Take these variables away from this process and from those that it starts."""
    for name in TELLING:
        if os.environ.pop(name, None) is not None and name not in _taken_away:
            _taken_away.append(name)


def taken_away() -> tuple[str, ...]:
    """Names of those that were set when the program was started."""
    return tuple(_taken_away)
