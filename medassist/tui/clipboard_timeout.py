"""Clears the clipboard after a time, if it still holds what was copied."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress

from medassist.tui import clipboard


class ClipboardTimeout:
    """Remembers what the program copied last: its hash, not the text."""

    def __init__(self) -> None:
        self._hash = b""
        self._waiting: asyncio.Task[None] | None = None
        self._clearing = asyncio.Lock()

    def note(self, text: str, seconds: int) -> None:
        """Schedule clearing of the copied `text` after `seconds` (0: never)."""
        self._hash = _hash(text)
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if seconds:
            self._waiting = asyncio.create_task(self._later(seconds))

    async def _later(self, seconds: int) -> None:
        await asyncio.sleep(seconds)
        await self.clear()

    async def clear(self) -> bool:
        """Clear the clipboard, unless it holds something else by now."""
        async with self._clearing:
            if not self._hash:
                return False
            held = await clipboard.read_by_program()
            ours, self._hash = self._hash, b""
            if held is None or _hash(held) != ours:
                return False
            return await clipboard.clear_by_program()

    async def clear_in_time(self, seconds: float) -> None:
        """Like `clear`, but within `seconds`, when leaving."""
        if self._waiting is None:  # nothing is there, or the user wants it to stay
            return
        self._waiting.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.clear(), seconds)


def _hash(text: str) -> bytes:
    # Some programs add a line end to what they give back.
    return hashlib.sha256(text.strip().encode("utf-8", "surrogatepass")).digest()
