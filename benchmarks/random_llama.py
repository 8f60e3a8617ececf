"""A random llama of about 0.7 B parameters at Q4_K_M, with an adapter on all linears.

What it writes is noise; how fast it writes it is what a real model of that shape
does. It is made once and kept, since making it takes a minute.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from tokenizers import pre_tokenizers

EMBEDDING, LAYERS, HEADS, KV_HEADS, FEED_FORWARD = 1536, 24, 16, 8, 4096
VOCABULARY = 32_000
CONTEXT = 4096
RANK = 16
SPECIAL = ("<|bos|>", "<|user|>", "<|assistant|>", "<|end|>")
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '<|' ~ m['role'] ~ '|>' ~ "
    "m['content'] ~ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
HEAD = EMBEDDING // HEADS
KV = KV_HEADS * HEAD
LINEAR = {
    "attn_q": (EMBEDDING, EMBEDDING),
    "attn_k": (KV, EMBEDDING),
    "attn_v": (KV, EMBEDDING),
    "attn_output": (EMBEDDING, EMBEDDING),
    "ffn_gate": (FEED_FORWARD, EMBEDDING),
    "ffn_up": (FEED_FORWARD, EMBEDDING),
    "ffn_down": (EMBEDDING, FEED_FORWARD),
}


@dataclass(frozen=True)
class RandomLlama:
    """The files of the benchmark's pair."""

    base: Path
    plain: Path
    activated: Path


def kv_bytes(tokens: int) -> int:
    """Bytes of an F16 KV cache of `tokens`."""
    return LAYERS * 2 * KV * 2 * tokens


def random_llama(folder: Path) -> RandomLlama:
    """The pair in `folder`, made where it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    made = RandomLlama(
        folder / "random-q4_k_m.gguf",
        folder / "random-plain.gguf",
        folder / "random-activated.gguf",
    )
    if not made.base.exists():
        half = folder / "random-f16.gguf"
        partial = made.base.with_suffix(".partial")
        print("making a random llama of 0.7 B parameters ...", flush=True)
        _write_model(half)
        _quantize(half, partial)
        half.unlink()
        partial.replace(made.base)
    for path, invocation in ((made.plain, []), (made.activated, [2])):
        if not path.exists():
            partial = path.with_suffix(".partial")
            _write_adapter(partial, invocation)
            partial.replace(path)
    return made


def random_f16(file: Path) -> Path:
    """The same llama at F16 as `file`, made where it is not there yet: 1.3 GB."""
    if not file.exists():
        print("making a random llama of 0.7 B parameters ...", flush=True)
        partial = file.with_suffix(".partial")
        _write_model(partial)
        partial.replace(file)
    return file


def _write_model(path: Path) -> None:
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Random 0.7B")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    _add_vocabulary(writer)
    writer.add_chat_template(TEMPLATE)

    def add(name: str, shape: tuple[int, int]) -> None:
        values = random.standard_normal(shape, dtype=np.float32) / np.sqrt(shape[1])
        writer.add_tensor(f"{name}.weight", values.astype(np.float16))

    def norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(EMBEDDING, np.float32))

    add("token_embd", (VOCABULARY, EMBEDDING))
    for layer in range(LAYERS):
        for name, shape in LINEAR.items():
            add(f"blk.{layer}.{name}", shape)
        norm(f"blk.{layer}.attn_norm")
        norm(f"blk.{layer}.ffn_norm")
    norm("output_norm")
    add("output", (VOCABULARY, EMBEDDING))
    _finish(writer)


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    """Single bytes, and as many further tokens as a model of this size has."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    filler = VOCABULARY - len(SPECIAL) - len(letters)
    tokens = [*SPECIAL, *letters, *(f"filler{i}" for i in range(filler))]
    kinds = [gguf.TokenType.CONTROL] * len(SPECIAL)
    kinds += [gguf.TokenType.NORMAL] * (VOCABULARY - len(SPECIAL))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(3)
    writer.add_add_bos_token(True)


def _write_adapter(path: Path, invocation: list[int]) -> None:
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(RANK))
    if invocation:
        writer.add_key_value(
            "adapter.alora.invocation_tokens",
            invocation,
            gguf.GGUFValueType.ARRAY,
            gguf.GGUFValueType.UINT32,
        )
    for layer in range(LAYERS):
        for name, (rows, columns) in LINEAR.items():
            for part, shape in (("a", (RANK, columns)), ("b", (rows, RANK))):
                values = 0.1 * random.standard_normal(shape, dtype=np.float32)
                key = f"blk.{layer}.{name}.weight.lora_{part}"
                writer.add_tensor(key, (values / np.sqrt(RANK)).astype(np.float16))
    _finish(writer)


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _quantize(source: Path, target: Path) -> None:
    import llama_cpp.llama_cpp as llama

    @llama.llama_log_callback
    def quiet(_level: int, _text: bytes, _data: object) -> None:
        return

    llama.llama_log_set(quiet, ctypes.c_void_p(0))
    params = llama.llama_model_quantize_default_params()
    params.ftype = llama.LLAMA_FTYPE_MOSTLY_Q4_K_M
    params.nthread = os.cpu_count() or 1
    names = (str(source).encode(), str(target).encode())
    if llama.llama_model_quantize(*names, ctypes.pointer(params)) != 0:
        raise RuntimeError(f"{source} could not be quantized")
