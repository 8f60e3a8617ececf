"""The shipped files read back into Hugging Face models, tensor by tensor.

Written apart from the converter, from what GGUF says about itself, so that a fault of
the converter does not cancel out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


class Gguf:
    """The metadata and the tensors of a file."""

    def __init__(self, path: Path) -> None:
        self.reader = GGUFReader(path)

    def value(self, key: str) -> Any:
        field = self.reader.get_field(key)
        return field.contents() if field else None

    def tensors(self) -> dict[str, torch.Tensor]:
        """All tensors in float32, in the shapes of numpy (rows first)."""
        return {
            t.name: torch.from_numpy(
                np.array(dequantize(t.data, t.tensor_type), dtype=np.float32)
            )
            for t in self.reader.tensors
        }


def base_model(path: Path) -> LlamaForCausalLM:
    """The base in `path` with the very numbers that its blocks stand for."""
    file = Gguf(path)
    heads = file.value("llama.attention.head_count")
    kv_heads = file.value("llama.attention.head_count_kv")
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=file.value("llama.vocab_size"),
            hidden_size=file.value("llama.embedding_length"),
            intermediate_size=file.value("llama.feed_forward_length"),
            num_hidden_layers=file.value("llama.block_count"),
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            max_position_embeddings=file.value("llama.context_length"),
            rms_norm_eps=file.value("llama.attention.layer_norm_rms_epsilon"),
            rope_parameters={
                "rope_type": "default",
                "rope_theta": file.value("llama.rope.freq_base"),
            },
            tie_word_embeddings=True,
        )
    )
    weights: dict[str, torch.Tensor] = {}
    for name, tensor in file.tensors().items():
        if name == "token_embd.weight":
            weights["model.embed_tokens.weight"] = tensor
            weights["lm_head.weight"] = tensor
        elif name == "output_norm.weight":
            weights["model.norm.weight"] = tensor
        else:
            _, layer, part, _ = name.split(".")
            weights[f"model.layers.{layer}.{PARTS[part]}.weight"] = _halves(
                part, tensor, heads, kv_heads
            )
    model.load_state_dict(weights)
    return model.eval()


def adapted_model(base: Path, adapter: Path) -> PeftModel:
    """The base with the adapter in `adapter`, under PEFT."""
    file = Gguf(adapter)
    tensors = file.tensors()
    rank = next(t.shape[0] for n, t in tensors.items() if n.endswith("lora_a"))
    invocation = file.value("adapter.alora.invocation_tokens")
    model = base_model(base)
    adapted = get_peft_model(
        model,
        LoraConfig(
            task_type="CAUSAL_LM",
            r=rank,
            lora_alpha=int(file.value("adapter.lora.alpha")),
            target_modules=[
                part.rpartition(".")[2] for part in PARTS.values() if "proj" in part
            ],
            alora_invocation_tokens=list(invocation) if invocation else None,
        ),
    )
    heads = model.config.num_attention_heads
    kv_heads = model.config.num_key_value_heads or heads
    weights: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        _, layer, part, _, side = name.split(".")
        if side == "lora_b":
            tensor = _halves(part, tensor, heads, kv_heads)
        side = {"lora_a": "lora_A", "lora_b": "lora_B"}[side]
        weights[
            f"base_model.model.model.layers.{layer}.{PARTS[part]}.{side}.default.weight"
        ] = tensor
    left = adapted.load_state_dict(weights, strict=False)
    assert not left.unexpected_keys
    assert not [key for key in left.missing_keys if "lora" in key]
    return adapted.eval()


def _halves(part: str, rows: torch.Tensor, heads: int, kv_heads: int) -> torch.Tensor:
    """Rows of Q and K with the two halves of each head one after the other."""
    if part not in ("attn_q", "attn_k"):
        return rows
    count = heads if part == "attn_q" else kv_heads
    size = rows.shape[0] // count
    order = [
        head * size + 2 * i + half
        for head in range(count)
        for half in range(2)
        for i in range(size // 2)
    ]
    return rows[order]
