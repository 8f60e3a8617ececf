"""Near-duplicates: MinHash finds candidates, a comparison decides.

Texts are compared by their runs of five words. Of dialogues the questions and the
answers must both be alike. So a question answered in two ways stays twice, and so does
an answer that fits two questions; and where a long note precedes a short question, the
lines that are not in both are compared by themselves.

MinHash: Broder, "On the resemblance and containment of documents" (1997). The hash
functions are multiplications of the runs' hashes by odd numbers, modulo 2^64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import xxhash

from finetune.data.prepared_records import TextRecord
from finetune.data.steps.step_result import AnyRecord, answered, asked
from finetune.data.steps.word_hashes import Hashes, runs, similarity, word_hashes, words

RUN = 5  # words
BUCKETS = 14
ROWS = 8  # hashes of a bucket; candidates are likely from (1/14)^(1/8) = 0.72 on
BITS = 60  # datatrove keeps hashes below 2^61 - 1
_SEED = 1
_SMALL = 400  # runs, up to which all hash functions are applied in one operation
_ODD = np.uint64(0xBF58476D1CE4E5B9)
_HIGH = np.uint64(64 - BITS)


@cache
def _multipliers() -> Hashes:
    random = np.random.default_rng(_SEED)
    drawn = random.integers(0, 2**64, BUCKETS * ROWS, dtype=np.uint64)
    return drawn | np.uint64(1)


def parts(record: AnyRecord) -> tuple[str, ...]:
    """The comparable parts of a record: a text, or question and answer."""
    if isinstance(record, TextRecord):
        return (record.text,)
    return asked(record), answered(record)


def signature(texts: tuple[str, ...]) -> Hashes:
    """The MinHash signature of a record's parts; shape (BUCKETS * ROWS,).

    Two records agree in one of its numbers with a probability that is the product of
    the similarities of their parts. Parts without words are all alike.
    """
    signed = np.zeros(BUCKETS * ROWS, np.uint64)
    for text in texts:
        found = runs(word_hashes(text), RUN)
        if len(found) == 0:
            found = np.zeros(1, np.uint64)
        signed *= _ODD
        signed += _smallest(found)
    return signed >> _HIGH


def _smallest(found: Hashes) -> Hashes:
    if len(found) <= _SMALL:
        return (_multipliers()[:, None] * found[None, :]).min(axis=1)
    # One function after another stays within the cache, and asks for no memory.
    multiplied = np.empty_like(found)
    smallest = np.empty(BUCKETS * ROWS, np.uint64)
    for place, multiplier in enumerate(_multipliers()):
        smallest[place] = np.multiply(found, multiplier, out=multiplied).min()
    return smallest


def exact_key(record: AnyRecord) -> int:
    """128-bit hash of a record's words in order."""
    if isinstance(record, TextRecord):
        said = " ".join(record.text.split())
    else:
        said = "\0".join(
            f"{message.role}\0{' '.join(message.content.split())}"
            for message in record.messages
        )
    return xxhash.xxh3_128_intdigest(said.encode("utf-8", "replace"))


@dataclass(frozen=True)
class ComparedText:
    """A record prepared for comparison."""

    kind: str
    parts: tuple[Hashes, ...]
    question: tuple[str, ...]
    """The lines of a dialogue's question, words alone."""

    @classmethod
    def of(cls, record: AnyRecord) -> ComparedText:
        """Ready `record` for comparisons."""
        found = tuple(np.unique(runs(word_hashes(t), RUN)) for t in parts(record))
        question: tuple[str, ...] = ()
        if not isinstance(record, TextRecord):
            lines = (" ".join(words(line)) for line in asked(record).split("\n"))
            question = tuple(line for line in lines if line)
        return cls(record.kind, found, question)

    def similarity(self, other: ComparedText) -> float:
        """The smallest of the similarities of their parts, 0 to 1."""
        if self.kind != other.kind:
            return 0.0
        alike = min(map(similarity, self.parts, other.parts))
        if not self.question or self.question == other.question:
            return alike
        return min(alike, self._questions_proper(other))

    def _questions_proper(self, other: ComparedText) -> float:
        """Similarity of the lines that stand in one of two questions only."""
        common = set(self.question) & set(other.question)
        if not common:
            return 1.0  # all lines were compared already
        own, others = (
            [word for line in lines if line not in common for word in line.split()]
            for lines in (self.question, other.question)
        )
        either = set(own) | set(others)
        return len(set(own) & set(others)) / len(either) if either else 1.0
