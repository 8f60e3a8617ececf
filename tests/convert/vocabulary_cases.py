"""The vocabularies on which ours and upstream's converter are compared."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.convert.hf_from_gguf import (
    CHATML,
    LLAMA_3,
    PHI_3,
    byte_level,
    sentence_piece,
)
from tests.convert.tiny_vocabularies import byte_level_folder, sentence_piece_folder

CHECKOUT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MEDASSIST_DATA", CHECKOUT.parent / "shared" / "data"))
LLAMA_2_MODEL = DATA / "tokenizers" / "llama2-tokenizer.model"


def settings(architecture: str, model_type: str, **more: Any) -> dict[str, Any]:
    return {
        "architectures": [architecture],
        "model_type": model_type,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        **more,
    }


GPT_2 = settings(
    "GPT2LMHeadModel",
    "gpt2",
    n_ctx=64,
    n_embd=64,
    n_head=4,
    n_layer=2,
    layer_norm_epsilon=1e-5,
)
LLAMA = settings("LlamaForCausalLM", "llama")
QWEN_2 = settings("Qwen2ForCausalLM", "qwen2", bos_token_id=151643)
PHI = settings(
    "Phi3ForCausalLM", "phi3", original_max_position_embeddings=256, rope_theta=1e4
)
GEMMA_2 = settings(
    "Gemma2ForCausalLM",
    "gemma2",
    attn_logit_softcapping=50.0,
    final_logit_softcapping=30.0,
    sliding_window=64,
)


@dataclass(frozen=True)
class Case:
    """A tokenizer, made in a folder from llama.cpp's folder of vocabularies."""

    make: Callable[[Path, Path], Path]
    config: dict[str, Any]
    pre: str = "default"
    differs: dict[str, Any] = field(default_factory=dict[str, Any])
    """What ours says otherwise; vocabulary_facts.py has the reasons."""
    said_otherwise: dict[str, Any] = field(default_factory=dict[str, Any])


def gguf(models: Path, name: str) -> Path:
    return models / f"ggml-vocab-{name}.gguf"


def tiny(name: str) -> Case:
    return Case(
        lambda _, d: byte_level_folder(d, name, bos_token="<|begin|>"), LLAMA, name
    )


SMALL: dict[str, Case] = {
    **{
        f"tiny-{name}": tiny(name) for name in ("gpt-2", "smollm", "llama-bpe", "qwen2")
    },
    "tiny-llama-spm": Case(
        lambda _, d: sentence_piece_folder(d, "llama"),
        LLAMA | {"bos_token_id": 1, "eos_token_id": 2},
        differs={"unknown_token_id": 0},
    ),
    "tiny-gemma": Case(
        lambda _, d: sentence_piece_folder(d, "gemma"),
        GEMMA_2 | {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0},
        differs={"unknown_token_id": 3},
    ),
}
"""Those that the ordinary tests can make."""

CASES: dict[str, Case] = {
    **SMALL,
    "gpt-2": Case(
        lambda m, d: byte_level(gguf(m, "gpt-2"), d, "gpt-2"), GPT_2, "gpt-2"
    ),
    "llama-bpe": Case(
        lambda m, d: byte_level(
            gguf(m, "llama-bpe"),
            d,
            "llama-bpe",
            template=LLAMA_3,
            adds_bos=True,
            eos="<|eot_id|>",
        ),
        LLAMA,
        "llama-bpe",
    ),
    "qwen2": Case(
        lambda m, d: byte_level(
            gguf(m, "qwen2"),
            d,
            "qwen2",
            template=CHATML,
            eos="<|im_end|>",
            composes=True,
        ),
        QWEN_2,
        "qwen2",
        # What transformers calls it by default; llama.cpp makes no use of it.
        differs={"unknown_token_id": 151643},
    ),
    "phi-3": Case(
        lambda m, d: sentence_piece(
            gguf(m, "phi-3"),
            d,
            LLAMA_2_MODEL,
            template=PHI_3,
            swallows=True,
            eos="<|endoftext|>",
        ),
        PHI,
    ),
    "llama-spm": Case(
        lambda m, d: sentence_piece(gguf(m, "llama-spm"), d, LLAMA_2_MODEL), LLAMA
    ),
}
