"""A llama.cpp context: one pane's KV cache and what it holds.

Numbers that a cache holds depend, in their last bits, on how the tokens were cut
into batches. So a prompt is always read in the same chunks, counted from its
start, and only whole chunks are taken over from an earlier prompt. That makes an
answer a function of conversation, settings and seed, whatever was cached.
"""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llama_cpp.llama_cpp as llama
import numpy as np

from medassist.core.errors import EngineError, ModelFileError
from medassist.core.values import CHUNK, KEPT_COPY_BYTES
from medassist.engine.native_object import NativeObject
from medassist.engine.soundness import Logits, damaged, fault_of
from medassist.engine.weights import Adapter, Weights, complaint, use_adapter

ABORTED = 2
FLASH_ATTENTION_OFF = 0
FLASH_ATTENTION_ON = 1
SEQUENCE = llama.llama_seq_id(0)


@dataclass(frozen=True)
class Chunk:
    """Prompt tokens that are read in one batch, with the adapter on or off."""

    tokens: tuple[int, ...]
    adapted: bool


def chunks_of(tokens: Sequence[int], adapted: bool, size: int = CHUNK) -> list[Chunk]:
    """`tokens` cut at each multiple of `size`."""
    return [
        Chunk(tuple(tokens[i : i + size]), adapted) for i in range(0, len(tokens), size)
    ]


# The library's own type for this is incomplete.
_ABORT_CALLBACK = vars(llama)["ggml_abort_callback"]


def _abort_by_flag() -> Any:
    # llama.cpp asks hundreds of times a token whether to stop. A Python function
    # would take the interpreter's lock each time; C's strlen needs none: of a buffer
    # that begins with a zero byte it is 0, which is false, else 1, which is true.
    runtime = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
    return ctypes.cast(runtime.strlen, _ABORT_CALLBACK)


class Context(NativeObject):
    """The cache of one pane on `weights`, with `adapter` where the pane has one.

    Args:
        weights: the model; must outlive the context.
        tokens: how many tokens the context holds.
        threads: threads that compute.
        kv: type of the cache, "f16" or "q8_0".
        flash_attention: whether to use it; "q8_0" needs it.
        adapter: a LoRA of this pane; must outlive the context.

    Raises:
        EngineError: there is not enough memory for the cache.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        tokens: int,
        threads: int,
        kv: str,
        flash_attention: bool,
        adapter: Adapter | None = None,
    ) -> None:
        self.weights = weights
        self.adapter = adapter
        self.adapted = False
        self.chunks: list[Chunk] = []
        self.length = 0
        self._flag = ctypes.create_string_buffer(2)
        self._abort = _abort_by_flag()
        self._copy: ctypes.Array[ctypes.c_uint8] | None = None
        params = llama.llama_context_default_params()
        params.n_ctx = tokens
        params.n_batch = CHUNK
        params.n_ubatch = CHUNK
        params.n_outputs_max = 1
        params.n_threads = threads
        params.n_threads_batch = threads
        params.flash_attn_type = (
            FLASH_ATTENTION_ON if flash_attention else FLASH_ATTENTION_OFF
        )
        cell = llama.GGML_TYPE_Q8_0 if kv == "q8_0" else llama.GGML_TYPE_F16
        params.type_k = params.type_v = cell
        params.no_perf = True
        params.abort_callback = self._abort
        params.abort_callback_data = ctypes.c_void_p(ctypes.addressof(self._flag))
        context = llama.llama_init_from_model(weights.model, params)
        if not context:
            raise EngineError(
                f"{weights.path}: no context of {tokens:,} tokens could be made."
                f"{complaint()} Take a smaller context, or the KV cache as "
                f"{'f16' if kv == 'q8_0' else 'q8_0'}."
            )
        super().__init__(lambda: llama.llama_free(context))
        self.context = context
        # llama.cpp rounds the size up; what was asked for is what is used.
        self.size = min(tokens, llama.llama_n_ctx(context))
        memory = llama.llama_get_memory(context)
        if memory is None:
            self.close()
            raise EngineError(
                f"{weights.path}: this model has no cache that could hold a "
                "conversation. Choose a model that writes text."
            )
        self._memory = memory

    def abort(self) -> None:
        """End the decode that runs, and each one until `resume`. From any thread."""
        self._flag[0] = b"\x01"

    def resume(self) -> None:
        """Let decodes run again."""
        self._flag[0] = b"\x00"

    @property
    def aborted(self) -> bool:
        return self._flag[0] != b"\x00"

    def reuse(self, plan: Sequence[Chunk]) -> int:
        """Keep what the cache holds of `plan` and forget the rest.

        The plan's last chunk is never kept: its logits are wanted.

        Returns:
            How many chunks of the plan need not be read.
        """
        kept = matching(self.chunks, plan[:-1])
        if not self._forget_from(sum(len(c.tokens) for c in plan[:kept])):
            kept = 0
        self.chunks = list(plan[:kept])
        return kept

    def read(self, chunk: Chunk) -> bool:
        """Read the next chunk of a prompt.

        Returns:
            False where it was aborted; the cache is then as it was before.

        Raises:
            EngineError: llama.cpp failed.
        """
        if not self._decode(chunk.tokens, chunk.adapted):
            return False
        self.chunks.append(chunk)
        return True

    def write(self, token: int) -> bool:
        """Take a token that was sampled into the cache, with the adapter as it is.

        Returns and raises as `read`.
        """
        return self._decode((token,), self.adapted)

    def require_sound(self) -> None:
        """Make sure that what is expected next can come from whole files.

        Raises:
            ModelFileError: it cannot; the message names the file that is damaged.
        """
        fault = fault_of(self._expected())
        if fault:
            raise self._damaged(fault)

    def require_sound_choice(self, token: int) -> None:
        """The same of the one token that was chosen, which takes no time.

        A number that is none spreads over all tokens within a layer, so one tells.

        Raises:
            ModelFileError: as for `require_sound`.
        """
        found = llama.llama_get_logits_ith(self.context, -1)
        if not math.isfinite(found[token]):
            raise self._damaged(fault_of(self._expected()))

    def _expected(self) -> Logits:
        """The logits after the last token that was read: (V,)."""
        found = llama.llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(found, (self.weights.vocabulary.size,))

    def _damaged(self, fault: str) -> ModelFileError:
        """Names the adapter where the weights compute rightly without it."""
        if self.adapted and self.adapter is not None and self.chunks:
            tokens = self.chunks[-1].tokens
            self._wipe()
            if self._decode(tokens, adapted=False) and not fault_of(self._expected()):
                self._wipe()
                return damaged(self.adapter.path, fault, base=self.weights.path)
        self._wipe()
        return damaged(self.weights.path, fault)

    def _wipe(self) -> None:
        # What is forgotten still stands in the cache and is only masked, and what is
        # no number is none behind a mask either.
        llama.llama_memory_clear(self._memory, True)
        self.length = 0
        self.chunks = []

    def take_over(self, other: Context, count: int) -> None:
        """Take the first `count` chunks over from `other` instead of reading them.

        Both contexts must be alike in model and cache, and the chunks unadapted.

        Raises:
            EngineError: llama.cpp refused the copy.
        """
        if any(chunk.adapted for chunk in other.chunks[:count]):
            raise ValueError("what an adapter computed holds for its own pane alone")
        size = llama.llama_state_seq_get_size(other.context, SEQUENCE)
        if self._copy is None or len(self._copy) < size:
            self._copy = (ctypes.c_uint8 * size)()
        got = llama.llama_state_seq_get_data(other.context, self._copy, size, SEQUENCE)
        if got != size or (
            llama.llama_state_seq_set_data(self.context, self._copy, size, SEQUENCE)
            != size
        ):
            self.clear()
            raise EngineError(
                f"{self.weights.path}: the prompt could not be handed from one pane "
                f"to the other.{complaint()} Ask again."
            )
        if size > KEPT_COPY_BYTES:
            # A used buffer copies five times faster than a fresh one, but a large
            # one is memory that the next model may need.
            self._copy = None
        self.chunks = list(other.chunks[:count])
        self.length = other.length
        if not self._forget_from(sum(len(c.tokens) for c in self.chunks)):
            self.chunks = []

    def expect_take_over(self) -> None:
        """Make ready for `take_over`, while the user still waits for the loading.

        Fresh memory costs more than the copy itself (100 ms against 9 ms for 38 MB),
        and would cost it between a question and its second answer.
        """
        size = min(self._cache_bytes(), KEPT_COPY_BYTES)
        self._copy = (ctypes.c_uint8 * size)()
        ctypes.memset(self._copy, 1, size)

    def _cache_bytes(self) -> int:
        """About what the full cache takes, as F16."""
        model = self.weights.model
        heads = max(llama.llama_model_n_head(model), 1)
        width = llama.llama_model_n_embd(model) // heads
        width *= llama.llama_model_n_head_kv(model)
        return llama.llama_model_n_layer(model) * 2 * width * 2 * self.size

    def clear(self) -> None:
        """Forget everything."""
        self._forget_from(0)
        self.chunks = []

    def _decode(self, tokens: Sequence[int], adapted: bool) -> bool:
        self._use_adapter(adapted)
        # The batch points into this array and does not keep it alive.
        ids = (llama.llama_token * len(tokens))(*tokens)
        batch = llama.llama_batch_get_one(ids, len(tokens))
        result = llama.llama_decode(self.context, batch)
        if result == 0:
            self.length += len(tokens)
            return True
        if not self._forget_from(self.length):
            self.chunks = []
        if result == ABORTED:
            return False
        raise EngineError(
            f"{self.weights.path}: llama.cpp could not go on (code {result})."
            f"{complaint()} Load the pair again; if it fails again, the file or the "
            "memory is the cause."
        )

    def _use_adapter(self, on: bool) -> None:
        if on == self.adapted:
            return
        if on and self.adapter is None:
            raise ValueError("this pane has no adapter")
        use_adapter(self.context, self.adapter if on else None)
        self.adapted = on

    def _forget_from(self, position: int) -> bool:
        """Drop the cache from `position` on; False where only all could be dropped."""
        if llama.llama_memory_seq_rm(self._memory, 0, position, -1):
            self.length = position
            return True
        llama.llama_memory_seq_rm(self._memory, 0, -1, -1)
        self.length = 0
        return False


def matching(held: Sequence[Chunk], plan: Sequence[Chunk]) -> int:
    """Number of leading chunks that the two have in common."""
    count = 0
    for ours, theirs in zip(held, plan, strict=False):
        if ours != theirs:
            break
        count += 1
    return count
