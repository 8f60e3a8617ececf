"""A tiny random Llama whose weights are the same with every version of torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tests.convert.tiny_hf import tiny_tokenizer

CONTEXT = 512


def save_exam_model(folder: Path, context: int = CONTEXT) -> Path:
    """Save it with its tokenizer; prompts of five solved questions exceed `context`."""
    tokenizer = tiny_tokenizer()
    tokenizer.model_max_length = context
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=context,
            bos_token_id=0,
            eos_token_id=1,
        )
    )
    random = np.random.default_rng(20)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Bits of the generator, which no version of numpy may change.
            values = random.integers(-1000, 1000, tuple(parameter.shape)) / 1000
            if "norm" in name:
                parameter.copy_(torch.from_numpy(1 + 0.3 * values))
            else:
                parameter.copy_(torch.from_numpy(0.35 * values))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
