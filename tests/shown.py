"""What stands on a screen, as a test reads it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise


def squeezed(text: str) -> str:
    return "".join(text.split())


class Shown(str):
    """A screen as text, in which words are found wherever their line is broken.

    Where a line breaks hangs on what stands before the words: the length of a folder's
    name, of the user's name, of the place of the clone. `in` and `count` read on over
    the breaks within one piece of the screen; `splitlines` gives it as it is.
    """

    def __new__(cls, text: str, pieces: Sequence[str]) -> Shown:
        """`pieces`: of parts of the screen that lie side by side, each by itself."""
        shown = super().__new__(cls, text)
        shown._pieces = [squeezed(piece) for piece in pieces]
        return shown

    _pieces: list[str]

    def __contains__(self, words: object) -> bool:
        assert isinstance(words, str)
        if super().__contains__(words):
            return True
        return any(squeezed(words) in piece for piece in self._pieces)

    def count(self, words: str, *place: int) -> int:  # type: ignore[override]
        found = super().count(words, *place)
        if place:
            return found
        return max(found, sum(piece.count(squeezed(words)) for piece in self._pieces))


# What stands between two panes, and at both sides of a dialog.
UPRIGHT = frozenset("│┃▏▕▌▐▎▊")


def borders(line: str) -> tuple[int, ...]:
    return tuple(place for place, letter in enumerate(line) if letter in UPRIGHT)


def columns(text: str) -> list[str]:
    """What stands side by side in a terminal, each column by itself.

    Lines with their upright borders at the same places belong together.
    """
    pieces: list[str] = []
    for places, lines in groupby(text.splitlines(), borders):
        kept = list(lines)
        for left, right in pairwise([-1, *places, None]):
            pieces.append("\n".join(line[(left or 0) + 1 : right] for line in kept))
    return pieces
