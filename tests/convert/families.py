"""Tiny models of every architecture that is converted, the same on every machine.

The weights are fractions of whole numbers from a seeded generator: no rounding of a
library or a processor has a part in them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import torch as torch_file
from safetensors.numpy import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
)
from transformers.models.gemma import GemmaConfig
from transformers.models.gemma2 import Gemma2Config
from transformers.models.gemma3 import Gemma3Config, Gemma3TextConfig
from transformers.models.gemma4 import Gemma4Config, Gemma4TextConfig
from transformers.models.gpt2 import GPT2Config
from transformers.models.gpt_neox import GPTNeoXConfig
from transformers.models.gpt_oss import GptOssConfig
from transformers.models.granite import GraniteConfig
from transformers.models.granitemoehybrid import GraniteMoeHybridConfig
from transformers.models.llama import LlamaConfig
from transformers.models.ministral3 import Ministral3Config
from transformers.models.mistral import MistralConfig
from transformers.models.mistral3 import Mistral3Config
from transformers.models.mixtral import MixtralConfig
from transformers.models.olmo2 import Olmo2Config
from transformers.models.olmo3 import Olmo3Config
from transformers.models.phi3 import Phi3Config
from transformers.models.qwen2 import Qwen2Config
from transformers.models.qwen2_5_vl import Qwen2_5_VLConfig
from transformers.models.qwen3 import Qwen3Config
from transformers.models.qwen3_5 import Qwen3_5Config, Qwen3_5TextConfig
from transformers.models.qwen3_5_moe import Qwen3_5MoeConfig, Qwen3_5MoeTextConfig
from transformers.models.qwen3_moe import Qwen3MoeConfig
from transformers.models.smollm3 import SmolLM3Config
from transformers.utils.quantization_config import Mxfp4Config

from convert.architectures import rope_in_llama_cpp
from convert.hf_folder import read_config
from tests.convert.tiny_hf import tiny_tokenizer

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
GPT2 = {
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 128,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
GEMMA = SMALL | {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 16}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
}
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}
SHARPENING = YARN | {
    "rope_theta": 1e6,
    "original_max_position_embeddings": 16,
    "factor": 16.0,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
    "llama_4_scaling_beta": 0.1,
}
LOCAL = {"rope_type": "default", "rope_theta": 10000.0}


def _longrope(rotated: int) -> dict[str, Any]:
    return {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1 + i / 8 for i in range(rotated // 2)],
        "long_factor": [1 + i for i in range(rotated // 2)],
    }


IMAGES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
    "vision_use_head": False,
}


def _with_images(vocab_size: int = 262208, **text: Any) -> Gemma3Config:
    """A Gemma 3 with a vision tower and a projector before the text model."""
    return Gemma3Config(
        text_config={"vocab_size": vocab_size, **text},
        vision_config=IMAGES,
        mm_tokens_per_image=4,
        image_token_index=5,
        boi_token_index=6,
        eoi_token_index=7,
    )


def _gemma4_with_images(vocab_size: int = 262144, **text: Any) -> Gemma4Config:
    """A Gemma 4 with a vision tower and a projector before the text model."""
    images = {k: v for k, v in IMAGES.items() if k not in ("image_size", "patch_size")}
    del images["vision_use_head"]
    return Gemma4Config(
        text_config={"vocab_size": vocab_size, **text},
        vision_config=images | {"num_key_value_heads": 2, "head_dim": 16},
    )


def _mistral_with_images(vocab_size: int = 131072, **text: Any) -> Mistral3Config:
    """A Mistral Small 3.1 with a vision tower and a projector before the text model."""
    images = IMAGES | {"model_type": "pixtral", "head_dim": 16}
    del images["vision_use_head"]
    return Mistral3Config(
        text_config={"vocab_size": vocab_size, "model_type": "mistral", **text},
        vision_config=images,
        image_token_index=5,
        tie_word_embeddings=False,
    )


def _qwen_with_images(vocab_size: int = 152064, **text: Any) -> Qwen2_5_VLConfig:
    """A Qwen2.5-VL with its vision tower beside the text model."""
    sections = {"rope_type": "default", "mrope_section": [2, 3, 3]}
    tied = text.pop("tie_word_embeddings", False)
    images = {"depth": 1, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2}
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": vocab_size,
            "rope_parameters": sections | {"rope_theta": 1e6},
            **text,
        },
        vision_config=images | {"out_hidden_size": 64, "fullatt_block_indexes": [0]},
        tie_word_embeddings=tied,
    )


QWEN_VISION = {
    "depth": 1,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "out_hidden_size": 64,
    "num_position_embeddings": 16,
}


def _qwen35_with_images(vocab_size: int = 248320, **text: Any) -> Qwen3_5Config:
    """A Qwen3.5 as published, with a vision tower."""
    tied = text.pop("tie_word_embeddings", False)
    return Qwen3_5Config(
        text_config={
            "vocab_size": vocab_size,
            "tie_word_embeddings": tied,
            **text,
        },
        vision_config=QWEN_VISION,
        tie_word_embeddings=tied,
    )


def _qwen35_moe_with_images(vocab_size: int = 248320, **text: Any) -> Qwen3_5MoeConfig:
    """A Qwen3.5 with experts as published, with a vision tower."""
    return Qwen3_5MoeConfig(
        text_config={"vocab_size": vocab_size, **text}, vision_config=QWEN_VISION
    )


@dataclass(frozen=True)
class Family:
    """A tiny model: how its config differs, and how it is stored."""

    config: Callable[..., Any]
    settings: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    shard: str = "5GB"
    unused_rows: int = 16
    """Of the embedding: models are padded to round sizes."""
    beyond: frozenset[str] = frozenset()
    """GGUF keys that ours has and upstream's has not, or otherwise."""
    needless: frozenset[str] = frozenset()
    """GGUF keys that upstream's has, and that say nothing of this model."""
    after: Callable[[Path], None] | None = None
    """What is done to the folder once it is saved."""
    no_mtp: bool = False
    """Upstream is told to leave out what guesses ahead; transformers never has it."""


def as_distilgpt2(folder: Path) -> None:
    """Names without `transformer.`, and the masks that old checkpoints carry."""
    weights = {
        name.removeprefix("transformer."): values
        for name, values in load_file(folder / "model.safetensors").items()
    }
    for layer in range(GPT2["n_layer"]):
        weights[f"h.{layer}.attn.bias"] = np.tri(128, dtype=np.float32)[None, None]
        weights[f"h.{layer}.attn.masked_bias"] = np.array(-1e4, np.float32)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def as_granite_4(folder: Path) -> None:
    """Layers under the names that its makers give them, and upstream reads."""
    names = {"full_attention": "attention", "linear_attention": "mamba"}
    file = folder / "config.json"
    kinds = json.loads(file.read_text("utf-8"))["layer_types"]
    change_json(file, layer_types=[names[kind] for kind in kinds])


def as_mxfp4(folder: Path) -> None:
    """Experts in MXFP4, as the makers of gpt-oss publish them."""
    weights = torch_file.load_file(folder / "model.safetensors")
    random = np.random.default_rng(9)
    for name in [n for n in weights if n.endswith(("gate_up_proj", "down_proj"))]:
        experts, columns, rows = weights.pop(name).shape
        shape = (experts, rows, columns // 32)
        for what, values in (
            ("blocks", random.integers(0, 256, (*shape, 16), dtype=np.uint8)),
            ("scales", random.integers(121, 125, shape, dtype=np.uint8)),
        ):
            weights[f"{name}_{what}"] = torch.from_numpy(values)
    torch_file.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    change_json(
        folder / "config.json",
        quantization_config={
            "quant_method": "mxfp4",
            "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"],
        },
    )


def head_size(architecture: str) -> frozenset[str]:
    """Keys that ours has also where config.json does not give the size of a head."""
    return frozenset(
        f"{architecture}.attention.{which}_length" for which in ("key", "value")
    )


OSS: dict[str, Any] = SMALL | {
    "head_dim": 32,
    "num_local_experts": 6,
    "num_experts_per_tok": 2,
    "sliding_window": 16,
    "rope_parameters": {
        "rope_type": "yarn",
        "rope_theta": 150000.0,
        "factor": 32.0,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "truncate": False,
        "original_max_position_embeddings": 4096,
    },
}
GEMMA4 = SMALL | {
    "num_hidden_layers": 6,
    "head_dim": 16,
    "global_head_dim": 32,
    "sliding_window": 16,
    "hidden_size_per_layer_input": 0,
    "layer_types": ["sliding_attention", "full_attention"] * 3,
}
MAMBA = {
    "mamba_n_heads": 8,
    "mamba_n_groups": 2,
    "mamba_d_state": 16,
    "mamba_d_conv": 4,
    "mamba_chunk_size": 16,
    "num_hidden_layers": 3,
    "layer_types": ["linear_attention", "full_attention", "linear_attention"],
    "shared_intermediate_size": 96,
    "tie_word_embeddings": True,
}
SCALES = {
    "embedding_multiplier": 12.0,
    "logits_scaling": 8.0,
    "residual_multiplier": 0.22,
    "attention_multiplier": 0.015625,
}
QWEN35: dict[str, Any] = SMALL | {
    "num_hidden_layers": 5,
    "head_dim": 32,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 6,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 1e7,
        "partial_rotary_factor": 0.25,
        "mrope_section": [2, 1, 1],
        "mrope_interleaved": True,
    },
}
QWEN35_MOE: dict[str, Any] = {
    **{k: v for k, v in QWEN35.items() if k != "intermediate_size"},
    "num_hidden_layers": 2,
    "layer_types": ["linear_attention", "full_attention"],
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 64,
    "num_experts": 6,
    "num_experts_per_tok": 2,
}
WITH_EXPERTS = frozenset(
    f"qwen35moe.{key}" for key in ("feed_forward_length", "full_attention_interval")
)
HYBRID = head_size("granitehybrid") | {"granitehybrid.context_length"}
NEOX = frozenset(("gptneox.rope.freq_base", "general.file_type"))
MASKS = (".attn.bias", ".attn.masked_bias")
PATTERN = ["sliding_attention", "full_attention", "full_attention"]
FAMILIES = {
    "llama": Family(LlamaConfig, SMALL),
    "llama-biases": Family(
        LlamaConfig,
        SMALL | {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    ),
    "llama3": Family(
        LlamaConfig, SMALL | {"head_dim": 32, "rope_parameters": LLAMA3}, "bfloat16"
    ),
    "llama-linear": Family(LlamaConfig, SMALL | {"rope_parameters": LINEAR}),
    "llama-yarn": Family(
        LlamaConfig,
        SMALL | {"rope_parameters": YARN | {"attention_factor": 1.3}},
        beyond=frozenset({"llama.rope.scaling.attn_factor"}),
    ),
    "mistral": Family(
        MistralConfig,
        SMALL | {"head_dim": 32, "sliding_window": None},
        "float16",
        shard="60KB",
    ),
    "ministral3": Family(
        Ministral3Config,
        SMALL | {"head_dim": 32, "rope_parameters": SHARPENING},
        beyond=frozenset({"mistral3.rope.scaling.attn_factor"}),
        needless=frozenset({"mistral3.rope.scaling.yarn_log_multiplier"}),
    ),
    "mistral3-images": Family(
        _mistral_with_images, SMALL | {"head_dim": 32}, "bfloat16", unused_rows=0
    ),
    "mixtral": Family(
        MixtralConfig,
        SMALL | {"num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 16},
        "bfloat16",
    ),
    "smollm3": Family(
        SmolLM3Config,
        SMALL | {"num_hidden_layers": 5, "rope_theta": 5e6},
        "bfloat16",
        beyond=head_size("smollm3"),
    ),
    "granite": Family(
        GraniteConfig, SMALL | SCALES, "bfloat16", beyond=head_size("granite")
    ),
    "granite-dense": Family(
        GraniteMoeHybridConfig,
        SMALL
        | SCALES
        | {
            "shared_intermediate_size": 96,
            "num_local_experts": 0,
            "num_experts_per_tok": 0,
            "position_embedding_type": "rope",
            "layer_types": ["full_attention"] * 2,
            "tie_word_embeddings": True,
        },
        beyond=head_size("granite") | {"granite.attention.head_count_kv"},
        needless=frozenset(
            f"granite.{key}"
            for key in (
                "expert_count",
                "expert_used_count",
                "expert_shared_feed_forward_length",
                "ssm.conv_kernel",
                "ssm.group_count",
                "ssm.inner_size",
                "ssm.state_size",
                "ssm.time_step_rank",
            )
        ),
        after=as_granite_4,
    ),
    "granite-mamba": Family(
        GraniteMoeHybridConfig,
        SMALL | SCALES | MAMBA | {"num_local_experts": 0, "num_experts_per_tok": 0},
        "bfloat16",
        beyond=HYBRID,
        needless=frozenset(
            f"granitehybrid.expert_{key}"
            for key in ("count", "used_count", "shared_feed_forward_length")
        ),
        after=as_granite_4,
    ),
    "granite-mamba-experts": Family(
        GraniteMoeHybridConfig,
        SMALL
        | SCALES
        | MAMBA
        | {
            "intermediate_size": 32,
            "num_local_experts": 6,
            "num_experts_per_tok": 2,
            "tie_word_embeddings": False,
        },
        beyond=HYBRID,
        after=as_granite_4,
    ),
    "qwen2": Family(Qwen2Config, SMALL | {"tie_word_embeddings": True}, "bfloat16"),
    "qwen2-yarn": Family(Qwen2Config, SMALL | {"rope_parameters": YARN}),
    "qwen3": Family(Qwen3Config, SMALL | {"head_dim": 32}),
    "qwen3-experts": Family(
        Qwen3MoeConfig,
        SMALL
        | {
            "head_dim": 32,
            "moe_intermediate_size": 64,
            "num_experts": 12,
            "num_experts_per_tok": 3,
            "norm_topk_prob": True,
        },
    ),
    "qwen2-images": Family(
        _qwen_with_images, SMALL | {"tie_word_embeddings": True}, unused_rows=0
    ),
    "qwen35": Family(Qwen3_5TextConfig, QWEN35, "bfloat16", no_mtp=True),
    "qwen35-yarn": Family(
        Qwen3_5TextConfig,
        QWEN35
        | {
            "linear_num_value_heads": 2,
            "rope_parameters": QWEN35["rope_parameters"] | YARN,
        },
        no_mtp=True,
    ),
    "qwen35-images": Family(
        _qwen35_with_images,
        QWEN35 | {"tie_word_embeddings": True},
        no_mtp=True,
    ),
    "qwen35-experts": Family(
        Qwen3_5MoeTextConfig, QWEN35_MOE, beyond=WITH_EXPERTS, no_mtp=True
    ),
    "qwen35-experts-images": Family(
        _qwen35_moe_with_images,
        QWEN35_MOE,
        "bfloat16",
        beyond=WITH_EXPERTS,
        no_mtp=True,
    ),
    "gemma": Family(GemmaConfig, SMALL | {"head_dim": 32}, "bfloat16"),
    "gemma2": Family(Gemma2Config, GEMMA, "bfloat16"),
    "gemma3": Family(
        Gemma3TextConfig,
        GEMMA
        | {
            "num_hidden_layers": 7,
            "rope_parameters": {
                "full_attention": LINEAR | {"rope_theta": 1e6},
                "sliding_attention": LOCAL,
            },
        },
        unused_rows=0,  # upstream cuts them off, counting the added tokens twice
    ),
    "gemma3-pattern": Family(
        Gemma3TextConfig,
        GEMMA | {"num_hidden_layers": 3, "layer_types": PATTERN},
        unused_rows=0,
        beyond=frozenset({"gemma3.attention.sliding_window_pattern"}),
    ),
    "gemma3-images": Family(
        _with_images,
        GEMMA
        | {
            "num_hidden_layers": 7,
            "rope_parameters": {
                "full_attention": LINEAR | {"rope_theta": 1e6, "factor": 8.0},
                "sliding_attention": LOCAL,
            },
        },
        "bfloat16",
        unused_rows=0,
    ),
    "gemma4": Family(
        Gemma4TextConfig,
        GEMMA4
        | {
            "attention_k_eq_v": True,
            "num_global_key_value_heads": 1,
            "final_logit_softcapping": 30.0,
        },
        "bfloat16",
        unused_rows=0,
    ),
    "gemma4-images": Family(
        _gemma4_with_images,
        GEMMA4
        | {
            "hidden_size_per_layer_input": 32,
            "vocab_size_per_layer_input": 400,
            "num_kv_shared_layers": 2,
            "use_double_wide_mlp": True,
        },
        unused_rows=0,
    ),
    "phi": Family(
        Phi3Config, SMALL | {"original_max_position_embeddings": 256}, "bfloat16"
    ),
    "phi-long": Family(
        Phi3Config,
        SMALL
        | {
            "hidden_size": 128,
            "max_position_embeddings": 512,
            "original_max_position_embeddings": 256,
            "partial_rotary_factor": 0.75,
            "rope_parameters": _longrope(24),
        },
    ),
    "olmo2": Family(Olmo2Config, SMALL, "bfloat16"),
    "olmo3": Family(
        Olmo3Config,
        SMALL
        | {
            "num_hidden_layers": 5,
            "sliding_window": 16,
            "rope_parameters": {
                "full_attention": YARN | {"rope_theta": 5e5},
                "sliding_attention": {"rope_type": "default", "rope_theta": 5e5},
            },
        },
    ),
    "gpt2": Family(GPT2Config, GPT2),
    "pythia": Family(
        GPTNeoXConfig,
        SMALL | {"intermediate_size": 256},
        "float16",
        beyond=NEOX,
        after=lambda folder: change_json(folder / "config.json", rotary_pct=0.25),
    ),
    "gpt-neox": Family(
        GPTNeoXConfig,
        SMALL
        | {"intermediate_size": 256, "use_parallel_residual": False}
        | {"hidden_act": "gelu_new", "rotary_pct": 0.5},
        beyond=NEOX,
        after=lambda folder: change_json(folder / "config.json", rotary_pct=0.5),
    ),
    "gpt-oss": Family(GptOssConfig, OSS),
    "gpt-oss-mxfp4": Family(
        GptOssConfig,
        OSS,
        "bfloat16",
        beyond=frozenset({"general.file_type"}),
        after=as_mxfp4,
    ),
    "distilgpt2": Family(GPT2Config, GPT2, "float16", after=as_distilgpt2),
}


def save_family(name: str, folder: Path, **changes: Any) -> Path:
    """Save the tiny model `name` in `folder` (made), as transformers saves it."""
    family = FAMILIES[name]
    tokenizer = tiny_tokenizer()
    rows = len(tokenizer) + family.unused_rows
    config = family.config(**{"vocab_size": rows} | family.settings | changes)
    model = model_of(config)
    fill(model)
    model.to(getattr(torch, family.dtype))
    model.save_pretrained(folder, max_shard_size=family.shard)
    tokenizer.save_pretrained(folder)
    if name.endswith("gpt2"):
        # The hub's config.json has this twin of n_positions, and upstream reads it.
        change_json(folder / "config.json", n_ctx=GPT2["n_positions"])
    if family.after:
        family.after(folder)
    return folder


def model_of(config: Any) -> Any:
    """The model of a config; some that see images are causal ones as text alone."""
    for kind in (AutoModelForImageTextToText, AutoModelForCausalLM):
        if type(config) in kind._model_mapping:
            return kind.from_config(config)
    raise AssertionError(type(config))


def load_model(folder: Path, dtype: Any = torch.float32) -> Any:
    """The model in `folder`, with RoPE as llama.cpp computes it."""
    config = AutoConfig.from_pretrained(folder)
    if rope := rope_in_llama_cpp(read_config(folder)):
        config.rope_parameters |= rope
    packed = getattr(config, "quantization_config", None)
    how = {"quantization_config": Mxfp4Config(dequantize=True)} if packed else {}
    images = type(config) in AutoModelForImageTextToText._model_mapping
    kind = AutoModelForImageTextToText if images else AutoModelForCausalLM
    return kind.from_pretrained(folder, config=config, dtype=dtype, **how)


@torch.no_grad()
def fill(model: torch.nn.Module, seed: int = 7) -> None:
    """Weights between -s and s, s a power of two; norms' around what leaves as is."""
    gemma = "Gemma" in type(model).__name__
    for index, (name, parameter) in enumerate(sorted(model.named_parameters())):
        random = np.random.default_rng((seed, index))
        whole = random.integers(-(2**20), 2**20, size=tuple(parameter.shape))
        scale = 2.0**-2 if parameter.ndim > 1 else 2.0**-1
        values = (whole * 2.0**-20 * scale).astype(np.float32)
        if parameter.ndim == 1 and name.endswith("weight") and not gemma:
            values += np.float32(1)
        parameter.copy_(torch.from_numpy(values))
    for number, (name, buffer) in enumerate(model.named_buffers()):
        if name.endswith("layer_scalar"):
            buffer.fill_(1 - number % 7 / 64)


def change_json(file: Path, **values: Any) -> None:
    """Set values in a JSON file; a value of `None` is null."""
    changed = json.loads(file.read_text("utf-8")) | values
    file.write_text(json.dumps(changed), "utf-8")


def some_tokens(vocabulary: int, count: int = 48) -> list[int]:
    """Token ids, any of them, that begin with BOS."""
    random = np.random.default_rng(3)
    return [0, *(int(t) for t in random.integers(0, vocabulary, count - 1))]


def rows_of(model: Any) -> int:
    """Rows of the embedding."""
    return int(model.config.get_text_config().vocab_size)


def without_masks(folder: Path) -> None:
    """Take away the masks that old GPT-2 checkpoints carry: upstream fails on them."""
    file = folder / "model.safetensors"
    weights = load_file(file)
    kept = {k: v for k, v in weights.items() if not k.endswith(MASKS)}
    save_file(kept, file, {"format": "pt"})
