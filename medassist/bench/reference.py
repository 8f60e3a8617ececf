"""The model that others are compared with on a text, which reads each chunk once.

Its logits go into a file without a name, which is gone with the process however that
ends: 50 MB a chunk for a vocabulary of 49,000 tokens. What finds no room there is
computed again for each model beside it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from medassist.engine.scorer import GgufScorer
from medassist.exams.chunks import ScoredChunk
from medassist.exams.log_probs import Logits

MOST_BYTES = 1 << 32
SHARE = 0.5
"""Largest share of the free disk that it takes."""


class Reference:
    """A model whose logits several others are compared with; a context manager.

    Args:
        model: its file.
        threads: that compute.
        folder: on whose disk the logits are kept.
        most: bytes that are kept; 0: none, since nobody asks a second time.

    Attributes:
        kept: bytes in the file.
    """

    def __init__(
        self, model: Path, threads: int, folder: Path, most: int = MOST_BYTES
    ) -> None:
        self._model, self._threads, self._folder = model, threads, folder
        self._most = most
        self._scorer: GgufScorer | None = None
        self._file: IO[bytes] | None = None
        self._places: dict[ScoredChunk, tuple[int, tuple[int, int]]] = {}
        self.kept = 0

    def chunks(self, text: str) -> Sequence[ScoredChunk]:
        """`text` cut for it.

        Raises:
            EngineError: the text is too short, or the model cannot be loaded.
        """
        return self._loaded().chunks(text)

    def logits(self, chunk: ScoredChunk) -> Logits:
        """The logits of the positions of `chunk` that count: (T, V).

        Raises:
            EngineError: the model cannot be loaded or cannot read it.
        """
        if chunk in self._places and self._file is not None:
            at, shape = self._places[chunk]
            self._file.seek(at)
            data = self._file.read(4 * shape[0] * shape[1])
            return np.frombuffer(data, np.float32).reshape(shape)
        found = self._loaded().logits(chunk.tokens[:-1], chunk.first)
        self._keep(chunk, found)
        return found

    def unload(self) -> None:
        """Give the model's memory back; it is loaded again where it must read."""
        if self._scorer is not None:
            self._scorer.close()
            self._scorer = None

    def close(self) -> None:
        """End it, and let go of the file."""
        self.unload()
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _loaded(self) -> GgufScorer:
        if self._scorer is None:
            self._scorer = GgufScorer(self._model, threads=self._threads)
        return self._scorer

    def _keep(self, chunk: ScoredChunk, found: Logits) -> None:
        if chunk in self._places or self.kept + found.nbytes > self._most:
            return
        try:
            free = SHARE * shutil.disk_usage(self._folder).free
            if found.nbytes > free:
                return
            if self._file is None:
                # `close` ends it.
                self._file = tempfile.TemporaryFile(  # noqa: SIM115
                    dir=self._folder, buffering=0
                )
            self._file.seek(self.kept)
            if self._file.write(found.data.cast("B")) != found.nbytes:
                return
        except OSError:
            # A disk that is full costs time, and no figure.
            self._most = 0
            return
        rows, columns = found.shape
        self._places[chunk] = self.kept, (rows, columns)
        self.kept += found.nbytes
