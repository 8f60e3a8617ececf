"""ROUGE-L: how much of a reference stands in an answer, in the same order.

Source: Lin 2004. Words and the F-measure are those of the package rouge_score without
stemming, so that figures can be laid beside published ones; a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_BETWEEN = re.compile(r"[^a-z0-9]+")


def rouge_l(answer: str, reference: str) -> float:
    """The F-measure of the longest common subsequence of words, 0 to 1."""
    found, wanted = words(answer), words(reference)
    if not found or not wanted:
        return 0.0
    common = longest_common(found, wanted)
    if not common:
        return 0.0
    precision, recall = common / len(found), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def words(text: str) -> list[str]:
    """Lower case; what is no letter a to z and no digit stands between words."""
    return [word for word in _BETWEEN.split(text.lower()) if word]


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence.

    Of each word the places are a number's bits, so that a row of the table is one
    addition: Hyyro 2004, "Bit-parallel LCS-length computation revisited".
    """
    places: dict[str, int] = {}
    for at, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << at
    whole = (1 << len(first)) - 1
    row = whole
    for word in second:
        matched = row & places.get(word, 0)
        row = (row + matched | row - matched) & whole
    return len(first) - row.bit_count()
