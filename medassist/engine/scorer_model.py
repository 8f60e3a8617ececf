"""Computes logits at many positions with llama.cpp.

Texts that begin alike are read from where they part: solved questions before each
question, or a question before each of its choices. As in `context`, only whole chunks
are taken over, so that logits are the same whatever was read before; who knows how far
texts are alike says so, and a chunk ends there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import llama_cpp.llama_cpp as llama
import numpy as np

from medassist.core.errors import EngineError
from medassist.engine.context import Chunk, chunks_of
from medassist.engine.native_object import NativeObject
from medassist.engine.soundness import damaged, fault_of
from medassist.engine.weights import Adapter, Weights, complaint, use_adapter
from medassist.exams.log_probs import Logits

FLASH_ATTENTION_OFF = 0


class ScorerModel(NativeObject):
    """A context on `weights` that reads texts, one after the other.

    Args:
        weights: the model; must outlive this.
        adapter: a LoRA of it, or none; must outlive this.
        context: tokens of the longest text.
        batch: tokens that are read at once; so many have to be alike to be taken over.
        exact: an F32 cache and no flash attention, and logits as they are, those of a
            damaged file included.
        threads: that compute.
        flash: whether llama.cpp may choose flash attention.

    Raises:
        EngineError: there is not enough memory, or the model writes no text.
    """

    def __init__(
        self,
        weights: Weights,
        adapter: Adapter | None,
        *,
        context: int,
        batch: int,
        exact: bool,
        threads: int,
        flash: bool = True,
    ) -> None:
        self.weights = weights
        self.adapter = adapter
        self.exact = exact
        self.size = weights.vocabulary.size
        self.batch = min(context, batch)
        self.context = context
        params = llama.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = params.n_outputs_max = self.batch
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        if exact:
            params.type_k = params.type_v = llama.GGML_TYPE_F32
        if exact or not flash:
            params.flash_attn_type = FLASH_ATTENTION_OFF
        made = llama.llama_init_from_model(weights.model, params)
        memory = llama.llama_get_memory(made) if made else None
        if not made or memory is None:
            if made:
                llama.llama_free(made)
            raise EngineError(
                f"{weights.path}: no context of {context:,} tokens could be made."
                f"{complaint()} Free memory, or take a text model."
            )
        super().__init__(lambda: llama.llama_free(made))
        self._context = made
        self._memory = memory
        self._held: list[Chunk] = []
        self._position = 0
        self._spoilt = False

    def logits(
        self,
        tokens: Sequence[int],
        first: int,
        adapted_from: int | None,
        shared: int = 0,
    ) -> Logits:
        """The logits after each of `tokens` from position `first` on: (T, V).

        Args:
            tokens: what is read.
            first: the first position whose logits are wanted.
            adapted_from: the position from which the adapter counts.
            shared: tokens at the start that other texts begin with, too. A chunk ends
                behind them, so that they can be taken over whole.

        Raises:
            EngineError: the text is too long, a token is none of this model, or
                llama.cpp failed.
            ModelFileError: what is computed shows that a file is damaged.
        """
        self._require_room(len(tokens))
        start = len(tokens) if adapted_from is None else adapted_from
        cuts = sorted({0, min(max(shared, 0), len(tokens)), start, len(tokens)})
        plan = [
            chunk
            for begin, end in pairwise(cuts)
            for chunk in chunks_of(
                tokens[begin:end], adapted=begin >= start, size=self.batch
            )
        ]
        rows = np.empty((max(0, len(tokens) - first), self.size), np.float32)
        self._go_back_to(self._alike(plan, first))
        for chunk in plan[len(self._held) :]:
            self._read(chunk.tokens, chunk.adapted, first, rows)
            self._held.append(chunk)
        self._require_sound(rows, tokens, adapted=start < len(tokens))
        return rows

    def greedy(
        self, tokens: Sequence[int], count: int, adapted_from: int | None
    ) -> list[int]:
        """The `count` likeliest tokens after `tokens`, one after the other.

        Raises:
            EngineError: as for `logits`.
        """
        last = self.logits(tokens, len(tokens) - 1, adapted_from)
        written = [int(last[-1].argmax())]
        row = np.empty((1, self.size), np.float32)
        while len(written) < count:
            if self._position >= self.context:
                break
            at = self._position
            self._read(written[-1:], adapted_from is not None, at, row, origin=at)
            self._require_sound(row, written[-1:], adapted=adapted_from is not None)
            written.append(int(row[0].argmax()))
        return written

    def _require_sound(
        self, rows: Logits, tokens: Sequence[int], *, adapted: bool
    ) -> None:
        """Refuse logits that show that a file is damaged; names the adapter's if so."""
        # Who looks for what a conversion did counts such numbers itself.
        fault = "" if self.exact else fault_of(rows)
        if not fault:
            return
        self._spoilt = True
        if adapted and self.adapter is not None:
            alone = np.empty((1, self.size), np.float32)
            self._go_back_to(0)
            self._read(tokens[-1:], False, 0, alone)
            self._spoilt = True
            if not fault_of(alone):
                raise damaged(self.adapter.path, fault, base=self.weights.path)
        raise damaged(self.weights.path, fault)

    def _require_room(self, length: int) -> None:
        if not 0 < length <= self.context:
            raise EngineError(
                f"{self.weights.path}: a text of {length:,} tokens, where 1 to "
                f"{self.context:,} can be read."
            )

    def _alike(self, plan: Sequence[Chunk], first: int) -> int:
        """Counts the chunks of `plan` in the cache, where no logits are wanted."""
        end = 0
        for count, (held, wanted) in enumerate(zip(self._held, plan, strict=False)):
            end += len(wanted.tokens)
            if held != wanted or end > first:
                return count
        return min(len(self._held), len(plan))

    def _go_back_to(self, count: int) -> None:
        """Have the first `count` chunks in the cache, and nothing else."""
        kept = [] if self._spoilt else self._held[:count]
        self._position = sum(len(chunk.tokens) for chunk in kept)
        # What is no number is none behind a mask either. To empty the whole cache
        # takes as long as some tokens, so it is left to where there may be such.
        wipes = self._spoilt or self.exact
        if not llama.llama_memory_seq_rm(self._memory, 0, self._position, -1):
            # A recurrent model cannot go back.
            kept, self._position, wipes = [], 0, True
        if not kept:
            llama.llama_memory_clear(self._memory, wipes)
            self._spoilt = False
        self._held = kept

    def _read(
        self,
        tokens: Sequence[int],
        adapted: bool,
        first: int,
        rows: Logits,
        *,
        origin: int | None = None,
    ) -> None:
        """Read the next tokens; the logits from position `first` on go into `rows`.

        `origin` is the position of the first of `rows`; by default it is `first`.
        """
        if any(not 0 <= token < self.size for token in tokens):
            raise EngineError(
                f"{self.weights.path}: a token is out of its vocabulary of "
                f"{self.size:,}."
            )
        self._use_adapter(adapted)
        batch = llama.llama_batch_init(len(tokens), 0, 1)
        try:
            batch.n_tokens = len(tokens)
            for i, token in enumerate(tokens):
                batch.token[i] = token
                batch.pos[i] = self._position + i
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = 0
                batch.logits[i] = self._position + i >= first
            code = llama.llama_decode(self._context, batch)
        finally:
            llama.llama_batch_free(batch)
        if code != 0:
            raise EngineError(
                f"{self.weights.path}: llama.cpp could not read the text (code "
                f"{code}).{complaint()}"
            )
        for i in range(max(0, first - self._position), len(tokens)):
            found = llama.llama_get_logits_ith(self._context, i)
            row = self._position + i - (first if origin is None else origin)
            rows[row] = np.ctypeslib.as_array(found, (self.size,))
        self._position += len(tokens)

    def _use_adapter(self, on: bool) -> None:
        if on and self.adapter is None:
            raise EngineError(f"{self.weights.path}: there is no adapter to switch on.")
        use_adapter(self._context, self.adapter if on else None)
