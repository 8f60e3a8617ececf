"""MinHash signatures of records, for datatrove's search for duplicates.

datatrove sorts the signatures of each bucket and finds the equal ones, rank by rank,
with flat memory. What is signed is our own: see `finetune/data/steps/duplicates.py`.
"""

from __future__ import annotations

from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupSignature,
)
from datatrove.utils.hashing import HashConfig
from datatrove.utils.word_tokenizers import WordTokenizer

from finetune.data.pipeline.datatrove_documents import BETWEEN_PARTS, Documents
from finetune.data.pipeline.rank_progress import Reporter
from finetune.data.pipeline.work_folder import WorkFolder
from finetune.data.steps.duplicates import BITS, BUCKETS, ROWS, RUN, signature
from finetune.data.steps.word_hashes import Hashes, words

STAGE = "candidates"
_EXACT_ROWS = 2


def config(*, near: bool) -> MinhashConfig:
    """Settings for datatrove: number of buckets, and hashes in each."""
    return MinhashConfig(
        n_grams=RUN,
        num_buckets=BUCKETS if near else 1,
        hashes_per_bucket=ROWS if near else _EXACT_ROWS,
        hash_config=HashConfig(precision=64, hash_fc="xxhash"),
    )


class _NoTokenizer(WordTokenizer):
    """datatrove's class asks for one; its default for English needs spaCy."""

    def word_tokenize(self, text: str) -> list[str]:
        return words(text)

    def sent_tokenize(self, text: str) -> list[str]:
        return [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


class Sign(MinhashDedupSignature):
    """Signs the records of a rank as they come from `PartWriter`.

    Records and signatures are numbered alike since `PartWriter` leaves a file for
    every rank, and each line of it is a document that arrives here.
    """

    def __init__(self, work: WorkFolder, *, near: bool) -> None:
        super().__init__(
            str(work.signatures),
            config=config(near=near),
            language=_NoTokenizer(),  # pyright: ignore[reportArgumentType]
        )
        self._near = near

    def get_shingles(self, text: str) -> Hashes:
        """The whole signature; datatrove hands it on to `get_signature`."""
        if self._near:
            return signature(tuple(text.split(BETWEEN_PARTS)))
        import numpy as np
        import xxhash

        key = xxhash.xxh3_128_intdigest(" ".join(text.split()).encode())
        mask = 2**BITS - 1
        return np.array([key & mask, key >> 64 & mask], np.uint64)

    def get_signature(self, shingles: Hashes) -> list[list[int]]:
        """The signature's numbers, by bucket."""
        return shingles.reshape(self.config.num_buckets, -1).tolist()

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> None:
        super().run(data, rank, world_size)


class Candidates(MinhashDedupBuckets):
    """datatrove's search in a bucket, with a word on how far it is."""

    def __init__(self, work: WorkFolder, *, near: bool) -> None:
        super().__init__(
            str(work.signatures), str(work.candidates), config=config(near=near)
        )
        self._work = work

    def run(self, data: Documents = None, rank: int = 0, world_size: int = 1) -> None:
        super().run(data, rank, world_size)
        Reporter(self._work.progress(STAGE), rank).add(1)
