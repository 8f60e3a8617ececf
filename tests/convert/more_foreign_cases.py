"""More foreign forms, written when the table was done, to see what it says of them."""

from __future__ import annotations

import shutil

import torch
from safetensors.torch import load_file, save_file

from tests.convert.foreign_cases import (
    ADAPTER_FILE,
    MODEL_FILE,
    PREFIX,
    Case,
    Pair,
    added,
    moved,
    renamed,
    weights_in,
)

VISUAL = f"{PREFIX}visual.blocks.0.attn.qkv"
UP = "model.layers.0.mlp.up_proj"


def dropped(name: str, **parts: torch.Tensor):
    """A weight replaced by the parts that a quantizer leaves."""

    def make(pair: Pair) -> Pair:
        tensors = load_file(pair.base / MODEL_FILE)
        del tensors[f"{name}.weight"]
        tensors |= {f"{name}.{part}": values for part, values in parts.items()}
        save_file(tensors, pair.base / MODEL_FILE, {"format": "pt"})
        return pair

    return make


def both(*makes):
    def make(pair: Pair) -> Pair:
        for one in makes:
            pair = one(pair)
        return pair

    return make


def four_bits(pair: Pair) -> Pair:
    parts = {
        "weight": torch.ones(3072, 1, dtype=torch.uint8),
        "weight.absmax": torch.ones(96),
        "weight.quant_map": torch.ones(16),
        "weight.quant_state.bitsandbytes__nf4": torch.ones(8, dtype=torch.uint8),
    }
    return dropped(UP, **parts)(pair)


def adapter_in_checkpoint_as_base(pair: Pair) -> Pair:
    top = pair.base.with_name("top")
    shutil.copytree(pair.adapter, top / "checkpoint-30")
    return Pair(top, pair.adapter)


def two_in_cache(pair: Pair) -> Pair:
    made = moved("base", "models--a--b/snapshots/1", "models--c--d/snapshots/2")(pair)
    (made.base / "version.txt").write_text("1")
    return made


ADAPTERS = {
    "pictures": Case(
        renamed(
            ADAPTER_FILE,
            lambda n: "lora_unet_" + n.replace("lora_A", "lora_down"),
        ),
        ("draws pictures", "language model"),
    ),
    "MLX under PEFT's name": Case(
        renamed(
            ADAPTER_FILE,
            lambda n: (
                n.removeprefix(PREFIX)
                .replace(".lora_A.weight", ".lora_a")
                .replace(".lora_B.weight", ".lora_b")
            ),
        ),
        ("MLX", "mlx_lm.fuse"),
    ),
    "a reward model's head": Case(
        added(ADAPTER_FILE, f"{PREFIX}v_head.summary.weight", torch.ones(1, 64)),
        ("reward model",),
    ),
    "a vision tower": Case(
        both(
            added(ADAPTER_FILE, f"{VISUAL}.lora_A.weight", torch.ones(4, 64)),
            added(ADAPTER_FILE, f"{VISUAL}.lora_B.weight", torch.ones(64, 4)),
        ),
        ("images and text",),
    ),
    "a folder deeper": Case(moved("adapter", "default"), ("deeper", r"default$")),
}
BASES = {
    "4 bits": Case(four_bits, ("bitsandbytes", "dequantize|bfloat16")),
    "AWQ": Case(
        dropped(
            UP,
            qweight=torch.ones(64, 12, dtype=torch.int32),
            qzeros=torch.ones(1, 12, dtype=torch.int32),
        ),
        ("AWQ", "that was quantized"),
    ),
    "FP8": Case(
        added(MODEL_FILE, f"{UP}.weight_scale", torch.ones(96)), ("FP8", "bfloat16")
    ),
    "MLX's 4 bits": Case(
        dropped(
            UP,
            weight=torch.ones(96, 8, dtype=torch.int32),
            scales=torch.ones(96, 1),
            biases=torch.ones(96, 1),
        ),
        ("MLX", "mlx_lm.convert"),
    ),
    "an adapter's checkpoints": Case(
        adapter_in_checkpoint_as_base, ("trainer's folder", "checkpoint-30")
    ),
    "two in the cache": Case(two_in_cache, ("hub's cache", "snapshots/2$")),
    "Meta's names": Case(
        renamed(
            MODEL_FILE, lambda n: n.replace("model.embed_tokens", "tok_embeddings")
        ),
        ("makers' own files",),
    ),
    "Flax": Case(weights_in("flax_model.msgpack"), ("Flax", "safetensors")),
    "Meta's file": Case(weights_in("consolidated.00.pth"), ("makers' own form",)),
    "DeepSpeed's parts": Case(
        weights_in("global_step10/mp_rank_00_model_states.pt"),
        ("DeepSpeed", "zero_to_fp32"),
    ),
}
CLASSES = {
    "PhiForCausalLM": "knows many more",
    "Gemma3nForSequenceClassification": "labels or a score",
    "Gemma3nTextModel": "the inner model",
    "WhisperForConditionalGeneration": "an encoder",
    "DeepseekV3ForCausalLM": "experts",
    "GPT2ForSequenceClassification": "labels or a score",
    "GPT2DoubleHeadsModel": "none that is written here",
    "MllamaForConditionalGeneration": "images and text",
    "XLMRobertaModel": "inner model|does not write",
    "Qwen3VLMoeForConditionalGeneration": "images and text",
    "MptForCausalLM": "knows many more",
    "BloomForCausalLM": "knows many more",
}
