"""Removes records that contain exam questions, which a model would learn by heart.

A record is taken out when a run of words of an exam's text stands in it, 13 words by
default, as in the data of GPT-3 (Brown et al. 2020, appendix C). Questions with fewer
words, six at least, count when they stand in it as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from finetune.data.prepared_records import TextRecord
from finetune.data.steps.exam_text import ExamText
from finetune.data.steps.step_result import AnyRecord, Dropped, Kept, StepResult, whole
from finetune.data.steps.word_hashes import Hashes, runs, word_hashes, words

FEWEST: Final = 6  # words of a question that counts as a whole
_FILTER_BITS = 22
_MASK = np.uint64(2**_FILTER_BITS - 1)


def write_index(folder: Path, texts: Iterable[ExamText], length: int) -> int:
    """Write what `OverlapStep` looks for into `folder`, which is there.

    Args:
        folder: gets an array of hashes for each length of runs, and the items' names.
        texts: of the exams.
        length: words of a run.

    Returns:
        How many runs and whole questions there are.
    """
    # Runs as (hash, item), by their length.
    found: dict[int, list[Hashes]] = {}
    items: list[str] = []
    for text in texts:
        hashes = word_hashes(text.text)
        if len(hashes) < FEWEST or (len(hashes) < length and not text.is_question):
            continue
        name = f"{text.exam}: {text.item}".replace("\n", " ")
        if not items or items[-1] != name:
            items.append(name)
        own = runs(hashes, length)
        pairs = np.stack([own, np.full_like(own, len(items) - 1)], axis=1)
        found.setdefault(min(length, len(hashes)), []).append(pairs)
    total = 0
    for size, pairs in found.items():
        table = np.concatenate(pairs)
        _, first = np.unique(table[:, 0], return_index=True)
        np.save(folder / f"runs-{size:02d}.npy", table[first])
        total += len(first)
    (folder / "items.txt").write_text("\n".join(items), "utf-8")
    return total


class OverlapStep:
    """Removes records that share a run of words with an exam."""

    name = "overlap"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: list[tuple[int, np.ndarray, np.ndarray]] | None = None

    def __getstate__(self) -> dict[str, object]:
        # Each process reads the index by itself, from the same pages of memory.
        return {"_folder": self._folder, "_tables": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    def __call__(self, record: AnyRecord) -> StepResult:
        text = whole(record)
        hashes = word_hashes(text)
        for length, table, filtered in self._index():
            if len(hashes) < length:
                continue
            own = runs(hashes, length)
            likely = np.flatnonzero(filtered[own & _MASK])
            if len(likely) == 0:
                continue
            at = np.searchsorted(table[:, 0], own[likely])
            at[at == len(table)] = 0
            for place, row in zip(likely, at, strict=True):
                if table[row, 0] == own[place]:
                    item = self._item(int(table[row, 1]))
                    shared = " ".join(words(text)[place : place + length])
                    what = "text" if isinstance(record, TextRecord) else "dialogue"
                    return Dropped(
                        f"the {what} holds words of {item.split(': ')[0]}",
                        f"{item}: {shared}",
                    )
        return Kept(record)

    def _index(self) -> list[tuple[int, np.ndarray, np.ndarray]]:
        if self._tables is None:
            self._tables = []
            for file in sorted(self._folder.glob("runs-*.npy")):
                table = np.load(file, mmap_mode="r", allow_pickle=False)
                # Which low bits occur at all: most runs are settled by one look.
                filtered = np.zeros(2**_FILTER_BITS, np.bool_)
                filtered[table[:, 0] & _MASK] = True
                self._tables.append((int(file.stem[5:]), table, filtered))
        return self._tables

    def _item(self, number: int) -> str:
        return (self._folder / "items.txt").read_text("utf-8").split("\n")[number]
