"""Hashes of words and n-grams, to find duplicates and overlaps.

A text is compared by its letters and digits alone, in one case. Each word is hashed
once (XXH3, 64 bits), and the hashes of runs of words are made of those by arithmetic
on whole arrays: no string is put together for a run. This takes a fifth of the time
that datatrove needs for its own shingles.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import xxhash
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

MOST_WORDS_KEPT = 200_000  # whose hashes are remembered, so that memory stays flat
_WORD = re.compile(r"\w+")
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_SHIFT = np.uint64(32)


class _WordHashes(dict[str, int]):
    def __missing__(self, word: str) -> int:
        if len(self) >= MOST_WORDS_KEPT:
            self.clear()
        hashed = self[word] = xxhash.xxh3_64_intdigest(word.encode("utf-8", "replace"))
        return hashed


_hashes = _WordHashes()


def words(text: str) -> list[str]:
    """The words of `text`, folded to one case."""
    return _WORD.findall(text.casefold())


@lru_cache(maxsize=2)  # of one record, which several steps look at in turn
def word_hashes(text: str) -> Hashes:
    """The hash of each word of `text`, in order; shape (words,)."""
    found = words(text)
    return np.fromiter(map(_hashes.__getitem__, found), np.uint64, len(found))


def runs(hashes: Hashes, length: int) -> Hashes:
    """The hash of each run of `length` words.

    Args:
        hashes: of the words, shape (words,).
        length: words of a run.

    Returns:
        Shape (words - length + 1,); of fewer words than `length` one run with all of
        them; of none, none.
    """
    if len(hashes) == 0:
        return hashes
    length = min(length, len(hashes))
    count = len(hashes) - length + 1
    mixed = hashes[:count].copy()
    for place in range(1, length):
        mixed *= _STEP
        mixed += hashes[place : place + count]
    mixed ^= mixed >> _SHIFT
    mixed *= _MIX
    mixed ^= mixed >> _SHIFT
    return mixed


def similarity(one: Hashes, other: Hashes) -> float:
    """The share of what two sets of hashes have in common (Jaccard), 0 to 1."""
    first, second = np.unique(one), np.unique(other)
    both = len(np.intersect1d(first, second, assume_unique=True))
    either = len(first) + len(second) - both
    return both / either if either else 1.0
