"""llama.cpp at its most exact, as the other side of a comparison of logits.

F32 KV cache and no flash attention, so that what differs is the conversion's doing.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp.llama_cpp as llama
import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]
_set_adapters = vars(llama)["llama_set_adapters_lora"]


@llama.llama_log_callback
def _silence(level, text, data):
    pass


class NativeModel:
    """A GGUF and perhaps an adapter of it, loaded into this process."""

    def __init__(self, path: Path, adapter: Path | None = None) -> None:
        llama.llama_log_set(_silence, ctypes.c_void_p(0))
        llama.llama_backend_init()
        params = llama.llama_model_default_params()
        params.n_gpu_layers = 0
        model = llama.llama_model_load_from_file(str(path).encode(), params)
        assert model, f"llama.cpp cannot load {path}"
        self.model = model
        vocab = llama.llama_model_get_vocab(model)
        assert vocab
        self.vocab = vocab
        self.size = llama.llama_vocab_n_tokens(self.vocab)
        self.adapter = None
        if adapter is not None:
            self.adapter = llama.llama_adapter_lora_init(model, str(adapter).encode())
            assert self.adapter, f"llama.cpp cannot load {adapter}"

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        llama.llama_model_free(self.model)

    def tokenize(self, text: str, *, add: bool = False, special: bool = False):
        data = text.encode()
        room = (llama.llama_token * (len(data) + 8))()
        count = llama.llama_tokenize(
            self.vocab, data, len(data), room, len(room), add, special
        )
        assert count >= 0
        return list(room[:count])

    def invocation(self) -> list[int]:
        """The invocation tokens that llama.cpp read from the adapter."""
        assert self.adapter
        count = llama.llama_adapter_get_alora_n_invocation_tokens(self.adapter)
        tokens = llama.llama_adapter_get_alora_invocation_tokens(self.adapter)
        return [tokens[i] for i in range(count)] if tokens else []

    def logits(self, tokens: list[int], adapted_from: int | None = None) -> Logits:
        """Logits after each of `tokens`: (T, V); the adapter is on from a position."""
        with _Context(self, len(tokens)) as context:
            start = len(tokens) if adapted_from is None else adapted_from
            parts = [
                context.read(tokens[:start], adapted=False),
                context.read(tokens[start:], adapted=True),
            ]
        return np.concatenate(parts)

    def greedy(
        self, tokens: list[int], count: int, adapted_from: int | None = None
    ) -> list[int]:
        """The `count` likeliest tokens, one after the other."""
        with _Context(self, len(tokens) + count) as context:
            start = len(tokens) if adapted_from is None else adapted_from
            adapted = adapted_from is not None
            last = context.read(tokens[:start], adapted=False)
            if adapted:
                last = context.read(tokens[start:], adapted=True)
            written = [int(last[-1].argmax())]
            while len(written) < count:
                last = context.read([written[-1]], adapted=adapted)
                written.append(int(last[-1].argmax()))
        return written


class _Context:
    def __init__(self, model: NativeModel, tokens: int) -> None:
        self.model = model
        params = llama.llama_context_default_params()
        params.n_ctx = max(tokens, 32)
        params.n_batch = params.n_ubatch = max(tokens, 32)
        params.n_threads = params.n_threads_batch = 1
        params.type_k = params.type_v = llama.GGML_TYPE_F32
        params.flash_attn_type = 0
        context = llama.llama_init_from_model(model.model, params)
        assert context
        self.context = context
        self.position = 0

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        llama.llama_free(self.context)

    def read(self, tokens: list[int], *, adapted: bool) -> Logits:
        if not tokens:
            return np.zeros((0, self.model.size), np.float32)
        if adapted:
            adapters = (llama.llama_adapter_lora_p_ctypes * 1)(self.model.adapter)
            scales = (ctypes.c_float * 1)(1.0)
            assert _set_adapters(self.context, adapters, 1, scales) == 0
        else:
            _set_adapters(self.context, None, 0, None)
        batch = llama.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = self.position + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1
        assert llama.llama_decode(self.context, batch) == 0
        llama.llama_batch_free(batch)
        self.position += len(tokens)
        rows = [
            np.ctypeslib.as_array(
                llama.llama_get_logits_ith(self.context, i), (self.model.size,)
            ).copy()
            for i in range(len(tokens))
        ]
        return np.stack(rows)


def nmse(found: Logits, expected: Logits) -> float:
    """Mean squared error over mean square, of logits."""
    return float(((found - expected) ** 2).sum() / (expected**2).sum())
