"""Compounds of German that the rules know by their parts alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

SHORTEST: Final = 7
"""Letters of a word that may be two."""
SHORTEST_FIRST: Final = 3
"""Letters of a first part: two are a prefix (ab, an, um)."""
ENDINGS: Final = ("", "e", "en", "er", "es", "em")
"""What a shade ends in before a noun."""
LINKS: Final = ("", "n", "s", "en", "es", "e")
"""What stands between the parts: Wade-n-schwellung, Gesicht-s-schwellung."""


class Compounds:
    """Parts a word that the rules do not know whole: Wadenschwellung, Armlähmung.

    German makes such words as it needs them, so that no list holds them all. One is
    parted where its end is a head of the list, and what stands before it is a word of
    the rules. Of a shade only the end is read: kohlrabenschwarz is black.
    """

    def __init__(
        self,
        heads: Iterable[str],
        firsts: frozenset[str],
        is_known: Callable[[str, int], bool],
        shades: Iterable[str] = (),
    ) -> None:
        """Say which words are two.

        Args:
            heads: Last parts.
            firsts: First parts.
            is_known: Whether the rules know a word whole, or a beginning of it that is
                longer than so many letters.
            shades: Last parts that say all.
        """
        self._heads = frozenset(heads)
        shaded = (shade + ending for shade in shades for ending in ENDINGS)
        self._ends = tuple(sorted({*self._heads, *shaded}, key=len, reverse=True))
        self._firsts, self._is_known = firsts, is_known

    def parts(self, word: str) -> tuple[str, ...]:
        """The two parts of a normal word, or the word."""
        if len(word) < SHORTEST or not word.endswith(self._ends):
            return (word,)
        end = next(end for end in self._ends if word.endswith(end))
        rest = word.removesuffix(end)
        if len(rest) < SHORTEST_FIRST or self._is_known(word, len(rest)):
            return (word,)
        if end not in self._heads:
            return (end,)
        for link in LINKS:
            first = rest.removesuffix(link)
            if first in self._firsts and first + link == rest:
                return (first, end)
        return (word,)
