"""Turns bytes of tokens into text: whole characters only, stop strings withheld."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Detokenizer:
    """The text of an answer, token by token.

    A character can be split over tokens, and a stop string over pieces: what might
    still become one or the other is held back. White space before a stop string goes
    with it: it stood between the answer and what is none of it.

    Args:
        stops: texts that end the answer and are never shown.
        before: what of the text is there already.
    """

    def __init__(self, stops: Sequence[str] = (), before: str = "") -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = tuple(s for s in stops if s)
        self._held = ""
        self._shown: list[str] = [before] if before else []
        self.stopped = False
        """Whether a stop string was met; nothing more is shown then."""

    @property
    def text(self) -> str:
        """All that was shown."""
        return "".join(self._shown)

    def push(self, piece: bytes) -> str:
        """Take the bytes of a token; return the text that can be shown now."""
        return self.push_text(self._decode.decode(piece))

    def finish(self) -> str:
        """End the answer; return withheld text that is no stop string.

        A character of which only some bytes came is left out. A stop string that ends
        a line needs no line end here.
        """
        held, self._held = self._held, ""
        if whole := next((s for s in self._stops if _ends_with(held, s)), None):
            self.stopped = True
            held = held[: len(held.rstrip()) - len(whole.rstrip())].rstrip()
        if held:
            self._shown.append(held)
        return held

    def push_text(self, new: str) -> str:
        """Take decoded text instead of bytes; return what can be shown now."""
        if self.stopped:
            return ""
        text = self._held + new
        found = [text.find(s) for s in self._stops if s in text]
        if found:
            self.stopped = True
            self._held = ""
            shown = text[: min(found)].rstrip()
        elif self._stops:
            keep = max(_overlap(text, s) for s in self._stops)
            shown = text[: len(text) - keep].rstrip()
            self._held = text[len(shown) :]
        else:
            shown = text
        if shown:
            self._shown.append(shown)
        return shown


def _ends_with(text: str, stop: str) -> bool:
    """Whether `text` ends with `stop`, but for the white space at their ends."""
    return bool(stop.strip()) and text.rstrip().endswith(stop.rstrip())


def _overlap(text: str, stop: str) -> int:
    """Counts the last characters of `text` that could begin `stop`."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
