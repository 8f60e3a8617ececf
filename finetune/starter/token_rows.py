"""Token ids of all passages in one array, cut into training rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from transformers import PreTrainedTokenizerFast

from finetune.errors import FinetuneError
from finetune.starter.chat import ASSISTANT, BEGIN, END, SYSTEM, USER
from finetune.starter.corpus import Passage
from finetune.starter.tokenizer import token_id

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PassageTokens:
    """Token ids of n passages, concatenated."""

    ids: npt.NDArray[np.uint16]  # (T,): all passages, one behind the other
    starts: Ids  # (n + 1,): passage i is ids[starts[i] : starts[i + 1]]
    weights: npt.NDArray[np.float32]  # (n,): copies of a passage in one pass
    text_bytes: int  # of UTF-8 text that the ids stand for, markers not counted

    def save(self, file: Path) -> None:
        save_file(
            {
                "ids": self.ids,
                "starts": self.starts,
                "weights": self.weights,
                "text_bytes": np.array([self.text_bytes]),
            },
            file,
        )

    @classmethod
    def load(cls, file: Path) -> PassageTokens:
        kept = load_file(file)
        return cls(
            kept["ids"], kept["starts"], kept["weights"], int(kept["text_bytes"][0])
        )


def encode_passages(
    tokenizer: PreTrainedTokenizerFast, passages: Sequence[Passage]
) -> PassageTokens:
    """Encode `passages`; each begins with the begin and ends with the end token.

    N passages of T tokens in all become ids (T,), starts (N + 1,), weights (N,).

    Markers inside the text are letters, not control: only the format sets them.
    """
    texts: list[str] = []
    for passage in passages:
        texts.extend(
            t for t in (passage.system, passage.question, passage.text) if t is not None
        )
    encoded = iter(
        tokenizer(
            texts,
            add_special_tokens=False,
            split_special_tokens=True,
            return_attention_mask=False,
            verbose=False,
        )["input_ids"]
    )
    marks = {m: token_id(tokenizer, m) for m in (BEGIN, END)}
    heads = {m: token_id(tokenizer, m) for m in (SYSTEM, USER, ASSISTANT)}
    ids: list[int] = []
    starts = [0]
    for passage in passages:
        ids.append(marks[BEGIN])
        if passage.system is not None:
            ids += [heads[SYSTEM], *next(encoded), marks[END]]
        if passage.question is not None:
            ids += [heads[USER], *next(encoded), marks[END], heads[ASSISTANT]]
        ids += [*next(encoded), marks[END]]
        starts.append(len(ids))
    return PassageTokens(
        ids=np.array(ids, np.uint16),
        starts=np.array(starts, np.int64),
        weights=np.array([p.weight for p in passages], np.float32),
        text_bytes=sum(len(t.encode()) for t in texts),
    )


class TokenRows:
    """Endless rows of `length` + 1 ids, cut from passes over shuffled passages.

    Row k is the same whenever it is asked for, so a training that goes on after a
    break reads what it would have read. A row sees across the passages in it: with
    an end and a begin token between them the model learns to start afresh.
    """

    def __init__(self, tokens: PassageTokens, length: int, seed: int) -> None:
        self.tokens = tokens
        self.length = length
        self.seed = seed
        self._first_rows = [0]  # of pass 0, 1, ...
        self._pass: tuple[int, Ids] | None = None

    def take(self, first: int, count: int) -> Ids:
        """Rows `first` to `first + count`: (count, length + 1).

        Raises:
            FinetuneError: the text is shorter than a row.
        """
        return np.stack([self._row(first + i) for i in range(count)])

    def _row(self, k: int) -> Ids:
        number = bisect_right(self._first_rows, k) - 1
        while True:
            ids = self._ids_of_pass(number)
            if len(self._first_rows) == number + 1:
                rows = (len(ids) - 1) // self.length
                if rows == 0:
                    raise FinetuneError(
                        f"the text has {len(ids):,} tokens, less than a row of "
                        f"{self.length:,}; give more text or a smaller model.context"
                    )
                self._first_rows.append(self._first_rows[number] + rows)
            if k < self._first_rows[number + 1]:
                start = (k - self._first_rows[number]) * self.length
                return ids[start : start + self.length + 1]
            number += 1

    def _ids_of_pass(self, number: int) -> Ids:
        if self._pass is None or self._pass[0] != number:
            chance = np.random.default_rng((self.seed, number))
            weights = self.tokens.weights
            whole = np.floor(weights)
            extra = chance.random(len(weights)) < weights - whole
            order = np.repeat(np.arange(len(weights)), (whole + extra).astype(np.int64))
            chance.shuffle(order)
            starts, ids = self.tokens.starts, self.tokens.ids
            pieces = [ids[starts[i] : starts[i + 1]] for i in order]
            self._pass = (number, np.concatenate(pieces).astype(np.int64))
        return self._pass[1]
