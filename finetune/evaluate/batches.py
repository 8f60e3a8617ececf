"""Batches of items of similar length, which shrink when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from finetune.errors import FinetuneError

Item = TypeVar("Item")
Found = TypeVar("Found")
MOST_LOGITS = 1 << 28
"""Values of a batch's logits at most: 1 GiB in float32."""


class Batches:
    """Size of batches; shrinks for good when memory runs out.

    Args:
        tokens: of a batch at most, padding included.
    """

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def run(
        self,
        items: Sequence[Item],
        length: Callable[[Item], int],
        work: Callable[[list[Item]], list[Found]],
    ) -> Iterator[tuple[Item, Found]]:
        """Call `work` on batches of `items`, the longest first.

        A batch of n items is an (n, width) array of token ids, padded to the width of
        its longest item, the first; n * width is at most `tokens`, or n is 1. What does
        not fit into memory fails at once that way, not after an hour.

        Args:
            items: what is worked on.
            length: its tokens.
            work: on a batch; it gives a result for each item.

        Yields:
            an item and its result.

        Raises:
            FinetuneError: a single item does not fit into memory.
        """
        left = sorted(items, key=length, reverse=True)
        while left:
            width = max(1, length(left[0]))
            batch = left[: max(1, self.tokens // width)]
            try:
                found = work(batch)
            except (torch.OutOfMemoryError, MemoryError) as error:
                if len(batch) == 1:
                    raise FinetuneError(
                        f"memory does not suffice for a text of {width:,} tokens, even "
                        "alone. Free memory, or evaluate on a machine with more of it."
                    ) from error
                self.tokens = max(1, width * (len(batch) // 2))
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                continue
            yield from zip(batch, found, strict=True)
            left = left[len(batch) :]


def fitting(tokens: int, vocabulary: int) -> int:
    """`tokens`, or fewer if logits of (tokens, vocabulary) would be too large."""
    return max(1, min(tokens, MOST_LOGITS // vocabulary))
