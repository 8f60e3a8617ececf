"""What is said that a context will keep is what llama.cpp then allocates for it."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import llama_cpp.llama_cpp as llama
import pytest

from convert.gguf.model import convert_model
from medassist.core.gguf import read_header
from medassist.library.caches import cache_bytes
from tests.convert.conftest import ABOUT
from tests.convert.families import save_family

TOKENS = 8192
ALLOCATED = re.compile(r" (?:KV|RS) buffer size = +([\d.]+) MiB")


def allocated(model: Path, kv: str, *, flash: bool) -> float:
    """MiB that llama.cpp says it has allocated for one context."""
    said: list[str] = []

    @llama.llama_log_callback
    def listen(_level, text, _data):
        said.append(text.decode())

    llama.llama_log_set(listen, ctypes.c_void_p(0))
    llama.llama_backend_init()
    loaded = llama.llama_model_load_from_file(
        str(model).encode(), llama.llama_model_default_params()
    )
    assert loaded, "".join(said)
    params = llama.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = TOKENS, 128, 128
    params.flash_attn_type = int(flash)
    params.type_k = params.type_v = llama.GGML_TYPE_Q8_0 if kv == "q8_0" else 1
    context = llama.llama_init_from_model(loaded, params)
    assert context, "".join(said)
    llama.llama_free(context)
    llama.llama_model_free(loaded)
    llama.llama_log_set(_silence, ctypes.c_void_p(0))
    return sum(map(float, ALLOCATED.findall("".join(said))))


@llama.llama_log_callback
def _silence(_level, _text, _data):
    pass


@pytest.mark.parametrize(
    "family",
    ["qwen35", "qwen35-experts", "gemma3", "gemma4", "gemma4-images", "granite-mamba"],
)
def test_caches_and_states_are_as_large_as_was_said(family: str, tmp_path: Path):
    folder = save_family(family, tmp_path / "model")
    file = convert_model(folder, tmp_path / "m.gguf", ABOUT, "f16")
    ways = [("f16", False), ("f16", True)]
    ways += [("q8_0", True)] * (family in ("qwen35", "gemma3"))
    for kv, flash in ways:
        said = cache_bytes(read_header(file), TOKENS, kv, flash=flash)
        # It prints hundredths, of two or three buffers.
        assert said / 2**20 == pytest.approx(
            allocated(file, kv, flash=flash), abs=0.015
        ), (kv, flash)
