"""The last output of a child process, and the line that explains its end.

llama.cpp ends a process by a failed check: it prints the check, then the stack, call
by call, so the check is soon far from the end. It is kept whatever follows.
"""

from __future__ import annotations

import re
from collections import deque

KEPT = 40
"""Lines at the end that are kept."""
MOST_CHARACTERS = 200

# "/build/src/llama-vocab.cpp:2544: GGML_ASSERT(n > 0) failed"; of the path the file's
# name is kept, which is all that whoever reads it needs.
_CHECK = re.compile(
    r"(?:^|[/\\ ])(?P<said>[\w.+-]+\.(?:c|cc|cpp|cxx|cu|cuh|h|hpp|m|mm):\d+: \S.*)"
)
# "  what():  vector::_M_range_check", of an exception that nothing caught.
_UNCAUGHT = re.compile(r"^what\(\):\s+(?P<said>\S.*)")
# The calls of a stack, as gdb, lldb and backtrace(3) print them, and what gdb says of
# the threads.
_CALL = re.compile(
    r"^(?:#\d+ |\d+\s+\S+\s+0x|(?:\* ?)?frame #\d+|/.*\(.*\) ?\[0x"
    r"|\[0x|\[New LWP|\[Thread |\[Inferior|0x[0-9a-f]{6,}|.*\[0x[0-9a-f]+\]$)"
)
_IN_WORDS = {
    "id_to_token.size() == token_to_id.size()": "two of its tokens have the same text",
    "hparams.n_layer_all > 0": "no model has that many layers",
}
"""Checks of llama.cpp 0.3.36's that a damaged or badly made file fails, in words."""


class LastWords:
    """Collects the end of what a child prints."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=KEPT)
        self._check = ""
        self._rest = b""

    def add(self, data: bytes) -> None:
        """Append printed bytes."""
        *whole, self._rest = (self._rest + data).splitlines(keepends=True) or [b""]
        if self._rest.endswith((b"\n", b"\r")):
            whole.append(self._rest)
            self._rest = b""
        for line in whole:
            self._take(line)
        # A line without end must not fill the memory.
        self._rest = self._rest[-1 << 16 :]

    def clear(self) -> None:
        """Forget everything."""
        self._lines.clear()
        self._check, self._rest = "", b""

    @property
    def lines(self) -> list[str]:
        """The last lines, none of them empty."""
        last = self._rest.decode(errors="replace").strip()
        return [*self._lines, last] if last else list(self._lines)

    @property
    def why(self) -> str:
        """The first failed check, else the last line that is not a stack trace."""
        if self._rest:
            self._take(self._rest)
            self._rest = b""
        said = self._check or next(
            (line for line in reversed(self._lines) if not _CALL.search(line)), ""
        )
        words = next((w for check, w in _IN_WORDS.items() if check in said), "")
        return (f"{words} ({said})" if words else said)[:MOST_CHARACTERS]

    def _take(self, line: bytes) -> None:
        text = line.decode(errors="replace").strip()
        if not text:
            return
        self._lines.append(text)
        found = _CHECK.search(text) or _UNCAUGHT.search(text)
        if found and not self._check and not _CALL.search(text):
            self._check = found["said"].strip()
