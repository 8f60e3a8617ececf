"""Tiny random models with a real tokenizer, made in a moment and without torch.

A model of 0.2 million random weights exercises every part of the engine: what it
writes makes no sense, but it must be the same sense each time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

EMBEDDING, LAYERS, HEADS, KV_HEADS, FEED_FORWARD, RANK = 64, 2, 2, 1, 128, 8
CONTEXT = 2048
HEAD = EMBEDDING // HEADS
ALPHA = 16.0
SYSTEM, USER, ASSISTANT, END = "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIAL = ["<|bos|>", SYSTEM, USER, ASSISTANT, END]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '<|' ~ m['role'] ~ '|>' ~ "
    "m['content'] ~ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SENTENCES = [
    "The patient came with fever, a stiff neck and pain behind the eyes.",
    "Give 500 mg of the drug twice a day and measure the pressure at noon.",
    "Asthma narrows the airways; breathing out takes longer than breathing in.",
    "What are the symptoms of anaemia, and which tests are done first?",
    "Sodium 128 mmol/L, potassium 4.1 mmol/L, creatinine 96 µmol/L.",
    "Über die Behandlung der Lungenentzündung wurde gesprochen: 37,9 °C.",
]
Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class TinyPair:
    """The files of a tiny pair in its four shapes."""

    base: Path
    plain: Path
    activated: Path
    merged: Path
    weights: Weights
    tokenizer: Tokenizer


def tokenizer(vocabulary: int = 400) -> Tokenizer:
    """A byte-level BPE trained on a few sentences of our own."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(SENTENCES * 8, trainer)
    return made


def random_weights(vocabulary: int, seed: int) -> Weights:
    """Weights under their GGUF names, in the shapes of numpy (rows first)."""
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> NDArray[np.float32]:
        values = random.standard_normal((rows, columns)) / np.sqrt(columns)
        return (1.5 * values).astype(np.float32)

    weights: Weights = {"token_embd.weight": matrix(vocabulary, EMBEDDING)}
    for layer in range(LAYERS):
        at = f"blk.{layer}"
        weights[f"{at}.attn_q.weight"] = matrix(EMBEDDING, EMBEDDING)
        weights[f"{at}.attn_k.weight"] = matrix(KV_HEADS * HEAD, EMBEDDING)
        weights[f"{at}.attn_v.weight"] = matrix(KV_HEADS * HEAD, EMBEDDING)
        weights[f"{at}.attn_output.weight"] = matrix(EMBEDDING, EMBEDDING)
        weights[f"{at}.ffn_gate.weight"] = matrix(FEED_FORWARD, EMBEDDING)
        weights[f"{at}.ffn_up.weight"] = matrix(FEED_FORWARD, EMBEDDING)
        weights[f"{at}.ffn_down.weight"] = matrix(EMBEDDING, FEED_FORWARD)
        for norm in ("attn_norm", "ffn_norm"):
            weights[f"{at}.{norm}.weight"] = np.ones(EMBEDDING, np.float32)
    weights["output_norm.weight"] = np.ones(EMBEDDING, np.float32)
    weights["output.weight"] = 3 * matrix(vocabulary, EMBEDDING)
    return weights


def write_model(
    path: Path,
    weights: Weights,
    made: Tokenizer,
    *,
    template: str | None = TEMPLATE,
    name: str = "Tiny",
    context: int = CONTEXT,
    end: bool = True,
    control: bool = True,
    shard_tensors: int = 0,
) -> Path:
    """Write a llama model; `weights` empty gives a file with a vocabulary alone."""
    writer = gguf.GGUFWriter(path, "llama", split_max_tensors=shard_tensors)
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(context)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    add_vocabulary(writer, made, end, control)
    if template is not None:
        writer.add_chat_template(template)
    for key, value in weights.items():
        writer.add_tensor(key, value)
    _finish(writer)
    return path


def add_vocabulary(
    writer: gguf.GGUFWriter, made: Tokenizer, end: bool, control: bool
) -> None:
    special = gguf.TokenType.CONTROL if control else gguf.TokenType.USER_DEFINED
    vocabulary = sorted(made.get_vocab().items(), key=lambda item: item[1])
    tokens = [token for token, _ in vocabulary]
    kinds = [special if token in SPECIAL else gguf.TokenType.NORMAL for token in tokens]
    merges = [" ".join(merge) for merge in json.loads(made.to_str())["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index("<|bos|>"))
    if end:
        writer.add_eos_token_id(tokens.index(END))
    else:
        # llama.cpp takes the usual end tokens for what they are by their text alone.
        tokens[tokens.index(END)] = "<|over|>"
    writer.add_add_bos_token(True)
    writer.add_token_list(tokens)


def random_adapter(weights: Weights, seed: int) -> Weights:
    """A LoRA on every linear layer, strong enough to change what is written."""
    random = np.random.default_rng(seed)
    adapter: Weights = {}
    for key, value in weights.items():
        if not key.startswith("blk.") or "norm" in key:
            continue
        rows, columns = value.shape
        a = random.standard_normal((RANK, columns)) / np.sqrt(columns)
        b = random.standard_normal((rows, RANK)) / np.sqrt(RANK)
        adapter[f"{key}.lora_a"] = (0.5 * a).astype(np.float32)
        adapter[f"{key}.lora_b"] = (0.5 * b).astype(np.float32)
    return adapter


def write_adapter(
    path: Path,
    adapter: Weights,
    invocation: list[int] | None = None,
    architecture: str = "llama",
) -> Path:
    """Write a LoRA adapter, activated by `invocation` where one is given."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", ALPHA)
    if invocation:
        writer.add_key_value(
            "adapter.alora.invocation_tokens",
            invocation,
            gguf.GGUFValueType.ARRAY,
            gguf.GGUFValueType.UINT32,
        )
    for key, value in adapter.items():
        writer.add_tensor(key, value)
    _finish(writer)
    return path


def merged_weights(weights: Weights, adapter: Weights) -> Weights:
    """The adapter added to the weights: W + alpha/rank * B A."""
    merged = dict(weights)
    for key in weights:
        if f"{key}.lora_a" in adapter:
            change = adapter[f"{key}.lora_b"] @ adapter[f"{key}.lora_a"]
            merged[key] = (weights[key] + ALPHA / RANK * change).astype(np.float32)
    return merged


def write_pair(folder: Path, seed: int = 7) -> TinyPair:
    """Write a base, a plain and an activated adapter of it, and the merged model."""
    folder.mkdir(parents=True, exist_ok=True)
    made = tokenizer()
    weights = random_weights(made.get_vocab_size(), seed)
    adapter = random_adapter(weights, seed + 1)
    invocation = [made.encode(ASSISTANT).ids[0]]
    return TinyPair(
        base=write_model(folder / "tiny-base.gguf", weights, made, name="Tiny base"),
        plain=write_adapter(folder / "tiny-plain.gguf", adapter),
        activated=write_adapter(folder / "tiny-activated.gguf", adapter, invocation),
        merged=write_model(
            folder / "tiny-merged.gguf",
            merged_weights(weights, adapter),
            made,
            name="Tiny merged",
        ),
        weights=weights,
        tokenizer=made,
    )


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
