"""`convert gguf` beside upstream's converter, each a process of its own."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from benchmarks.figures import Comparison
from benchmarks.process import Measured, measure
from tests.convert.contents import contents
from tests.convert.hf_from_gguf import byte_level
from tests.llama_source import llama_source

HIDDEN, LAYERS, HEADS, KV_HEADS, FEED_FORWARD, VOCABULARY = 1536, 14, 16, 8, 4096, 50304
TYPES = ("f16", "bf16", "q8_0")
SHARD = 400_000_000  # bytes
MIB = 2**20


def compare(folder: Path, runs: int) -> list[Comparison]:
    """Time and peak anonymous memory of both, on the same checkpoint in bfloat16."""
    model = random_checkpoint(folder / "random-llama-1gb")
    upstream = llama_source() / "convert_hf_to_gguf.py"
    ours, theirs = folder / "ours.gguf", folder / "theirs.gguf"
    rows: list[Comparison] = []
    for kind in TYPES:
        commands = (
            [
                *(sys.executable, "-m", "convert", "gguf", str(model), str(ours)),
                *("--outtype", kind, "--force"),
            ],
            [
                *(sys.executable, str(upstream), str(model)),
                *("--outfile", str(theirs), "--outtype", kind),
            ],
        )
        found: tuple[list[Measured], list[Measured]] = ([], [])
        for _ in range(runs):
            for command, measured in zip(commands, found, strict=True):
                measured.append(measure(command))
        if contents(ours).tensors != contents(theirs).tensors:
            raise RuntimeError(f"the tensors of {ours} and {theirs} differ")
        aims = (("<=", 1.0), ("<=", 0.5)) if kind == TYPES[0] else (None, None)
        rows += [
            Comparison(
                f"{kind}: time",
                *([run.seconds for run in side] for side in found),
                unit="s",
                aim=aims[0],
            ),
            Comparison(
                f"{kind}: processor time",
                *([run.processor for run in side] for side in found),
                unit="s",
            ),
            Comparison(
                f"{kind}: peak anonymous memory",
                *([run.anonymous / MIB for run in side] for side in found),
                unit="MiB",
                aim=aims[1],
            ),
            Comparison(
                f"{kind}: peak of mapped files",
                *([run.mapped / MIB for run in side] for side in found),
                unit="MiB",
            ),
        ]
    ours.unlink()
    theirs.unlink()
    return rows


def random_checkpoint(folder: Path) -> Path:
    """A llama of 0.5 B random weights in bfloat16, in shards; made once and kept."""
    if folder.is_dir():
        return folder
    print("making a random checkpoint of 1 GB ...", flush=True)
    half = folder.with_name(folder.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    byte_level(llama_source() / "models" / "ggml-vocab-gpt-2.gguf", half, "gpt-2")
    (half / "config.json").write_text(json.dumps(CONFIG), "utf-8")
    shards: list[dict[str, torch.Tensor]] = [{}]
    size = 0
    random = torch.Generator().manual_seed(0)
    for name, shape in _shapes():
        values = torch.randn(shape, generator=random, dtype=torch.bfloat16) / 32
        if size + values.nbytes > SHARD:
            shards.append({})
            size = 0
        shards[-1][name] = values
        size += values.nbytes
    files = [
        f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"
        for i in range(len(shards))
    ]
    where: dict[str, str] = {}
    for file, shard in zip(files, shards, strict=True):
        save_file(shard, half / file, {"format": "pt"})
        where |= dict.fromkeys(shard, file)
    index = {"metadata": {}, "weight_map": where}
    (half / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    half.rename(folder)
    return folder


CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "intermediate_size": FEED_FORWARD,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "bos_token_id": 50256,
    "eos_token_id": 50256,
    "torch_dtype": "bfloat16",
}


def _shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "model.embed_tokens.weight", (VOCABULARY, HIDDEN)
    keys = HIDDEN // HEADS * KV_HEADS
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        yield f"{at}.input_layernorm.weight", (HIDDEN,)
        yield f"{at}.self_attn.q_proj.weight", (HIDDEN, HIDDEN)
        yield f"{at}.self_attn.k_proj.weight", (keys, HIDDEN)
        yield f"{at}.self_attn.v_proj.weight", (keys, HIDDEN)
        yield f"{at}.self_attn.o_proj.weight", (HIDDEN, HIDDEN)
        yield f"{at}.post_attention_layernorm.weight", (HIDDEN,)
        yield f"{at}.mlp.gate_proj.weight", (FEED_FORWARD, HIDDEN)
        yield f"{at}.mlp.up_proj.weight", (FEED_FORWARD, HIDDEN)
        yield f"{at}.mlp.down_proj.weight", (HIDDEN, FEED_FORWARD)
    yield "model.norm.weight", (HIDDEN,)
    yield "lm_head.weight", (VOCABULARY, HIDDEN)
