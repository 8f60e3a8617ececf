"""What the makers' config.json files say is taken, with the shapes of their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convert.architectures import Architecture, architecture_of
from convert.errors import ConvertError
from convert.hf_folder import JsonFile

PHI_4: dict[str, Any] = {
    "architectures": ["Phi3ForCausalLM"],
    "hidden_size": 5120,
    "intermediate_size": 17920,
    "max_position_embeddings": 16384,
    "num_attention_heads": 40,
    "num_hidden_layers": 40,
    "num_key_value_heads": 10,
    "original_max_position_embeddings": 16384,
    "rms_norm_eps": 1e-5,
    "rope_scaling": None,
    "rope_theta": 250000,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "vocab_size": 100352,
}
PHI_4_MINI = PHI_4 | {
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "max_position_embeddings": 131072,
    "num_attention_heads": 24,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "original_max_position_embeddings": 4096,
    "partial_rotary_factor": 0.75,
    "rope_scaling": {
        "long_factor": [1.0 + n for n in range(48)],
        "short_factor": [1.0] * 48,
        "type": "longrope",
    },
    "rope_theta": 10000.0,
    "sliding_window": 262144,
    "tie_word_embeddings": True,
    "vocab_size": 200064,
}
SMOLLM_3: dict[str, Any] = {
    "architectures": ["SmolLM3ForCausalLM"],
    "hidden_size": 2048,
    "intermediate_size": 11008,
    "max_position_embeddings": 65536,
    "no_rope_layer_interval": 4,
    "no_rope_layers": [1, 1, 1, 0] * 9,
    "num_attention_heads": 16,
    "num_hidden_layers": 36,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-6,
    "rope_theta": 5000000.0,
    "vocab_size": 128256,
}
QWEN_3_30B: dict[str, Any] = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "decoder_sparse_step": 1,
    "head_dim": 128,
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "max_position_embeddings": 40960,
    "mlp_only_layers": [],
    "moe_intermediate_size": 768,
    "norm_topk_prob": True,
    "num_attention_heads": 32,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 48,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": False,
    "vocab_size": 151936,
}

GPT_OSS_20B: dict[str, Any] = {
    "architectures": ["GptOssForCausalLM"],
    "attention_bias": True,
    "head_dim": 64,
    "hidden_size": 2880,
    "initial_context_length": 4096,
    "intermediate_size": 2880,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "max_position_embeddings": 131072,
    "num_attention_heads": 64,
    "num_experts_per_tok": 4,
    "num_hidden_layers": 24,
    "num_key_value_heads": 8,
    "num_local_experts": 32,
    "quantization_config": {"quant_method": "mxfp4"},
    "rms_norm_eps": 1e-5,
    "rope_scaling": {
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "factor": 32.0,
        "original_max_position_embeddings": 4096,
        "rope_type": "yarn",
        "truncate": False,
    },
    "rope_theta": 150000,
    "sliding_window": 128,
    "swiglu_limit": 7.0,
    "vocab_size": 201088,
}
GEMMA_4_E2B: dict[str, Any] = {
    "architectures": ["Gemma4ForConditionalGeneration"],
    "text_config": {
        "global_head_dim": 512,
        "head_dim": 256,
        "hidden_size": 1536,
        "hidden_size_per_layer_input": 256,
        "intermediate_size": 6144,
        "layer_types": (["sliding_attention"] * 4 + ["full_attention"]) * 7,
        "num_attention_heads": 8,
        "num_global_key_value_heads": None,
        "num_hidden_layers": 35,
        "num_key_value_heads": 1,
        "num_kv_shared_layers": 20,
        "use_double_wide_mlp": True,
        "vocab_size": 262144,
    },
}


def read(values: dict[str, Any]) -> Architecture:
    return architecture_of(JsonFile(Path("config.json"), values))


def shape(found: Architecture, name: str) -> tuple[int, ...]:
    (target,) = found.targets_of(name)
    return target.gguf_shape


def test_phi_4_has_neither_window_nor_factors():
    found = read(PHI_4)
    layer = "model.layers.39."
    assert shape(found, f"{layer}self_attn.qkv_proj.weight") == (60 * 128, 5120)
    assert shape(found, f"{layer}mlp.gate_up_proj.weight") == (2 * 17920, 5120)
    assert shape(found, "lm_head.weight") == (100352, 5120)
    assert not found.extra
    assert not found.notes


def test_phi_4_mini_rotates_three_quarters_of_each_head():
    found = read(PHI_4_MINI)
    layer = "model.layers.31."
    assert shape(found, f"{layer}self_attn.qkv_proj.weight") == (40 * 128, 3072)
    assert found.targets_of("lm_head.weight") == ()
    assert {n: v.shape for n, v in found.extra.items()} == {
        "rope_factors_long.weight": (48,),
        "rope_factors_short.weight": (48,),
    }
    (said,) = found.notes
    assert "4096 tokens" in said


def test_every_fourth_layer_of_smollm_3_is_without_positions():
    assert shape(read(SMOLLM_3), "model.layers.3.self_attn.q_proj.weight") == (
        2048,
        2048,
    )
    others = {"no_rope_layers": [1, 0] * 18}
    with pytest.raises(ConvertError, match="`no_rope_layers` is another pattern"):
        read(SMOLLM_3 | others)
    with pytest.raises(ConvertError, match="`no_rope_layer_interval` is 3"):
        read(SMOLLM_3 | {"no_rope_layers": None, "no_rope_layer_interval": 3})


def test_the_experts_of_a_layer_are_one_tensor():
    found = read(QWEN_3_30B)
    name = "model.layers.47.mlp.experts.127.down_proj.weight"
    assert shape(found, name) == (128, 2048, 768)
    assert len(found.all_places()) == 48 * (9 + 3 * 128) + 3


GRANITE_4: dict[str, Any] = {
    "architectures": ["GraniteMoeHybridForCausalLM"],
    "attention_multiplier": 0.015625,
    "embedding_multiplier": 12,
    "hidden_size": 2560,
    "intermediate_size": 8192,
    "layer_types": ["attention"] * 40,
    "logits_scaling": 10,
    "max_position_embeddings": 131072,
    "num_attention_heads": 40,
    "num_experts_per_tok": 0,
    "num_hidden_layers": 40,
    "num_key_value_heads": 8,
    "num_local_experts": 0,
    "position_embedding_type": "rope",
    "residual_multiplier": 0.22,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000000,
    "shared_intermediate_size": 8192,
    "tie_word_embeddings": True,
    "vocab_size": 100352,
}


def test_gate_and_up_of_a_granite_4_lie_in_one_weight():
    found = read(GRANITE_4)
    both = found.targets_of("model.layers.0.shared_mlp.input_linear.weight")
    assert [(t.name, t.gguf_shape, t.rows) for t in both] == [
        ("blk.0.ffn_gate.weight", (8192, 2560), (0, 8192)),
        ("blk.0.ffn_up.weight", (8192, 2560), (8192, 16384)),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layer_types": ["mamba"] * 36 + ["sliding"] * 4}, "has sliding"),
        ({"layer_types": ["mamba"] * 39}, "39 entries for 40 layers"),
        ({"layer_types": None, "mamba_expand": 3}, "`mamba_expand` is 3"),
        ({"num_local_experts": 64}, "with experts and without Mamba"),
        ({"logits_scaling": 0}, "`logits_scaling` is 0"),
    ],
)
def test_a_granite_4_of_another_kind_is_refused(changes, said):
    with pytest.raises(ConvertError, match=said):
        read(GRANITE_4 | changes)


def test_an_olmo_3_whose_windows_have_a_rope_of_their_own_is_refused():
    values = {
        "architectures": ["Olmo3ForCausalLM"],
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_attention_heads": 4,
        "num_hidden_layers": 4,
        "vocab_size": 100,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 5e5},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        },
    }
    with pytest.raises(ConvertError, match="base 10000"):
        read(values)
    values["rope_parameters"]["sliding_attention"]["rope_theta"] = 5e5
    assert read(values).gguf_name == "olmo2"


def test_the_experts_of_gpt_oss_are_as_wide_as_the_model():
    """So that only the class tells how its matrices lie."""
    found = read(GPT_OSS_20B)
    layer = "model.layers.23."
    gate, up = found.targets_of(f"{layer}mlp.experts.gate_up_proj")
    assert gate.gguf_shape == up.gguf_shape == (32, 2880, 2880)
    assert shape(found, f"{layer}self_attn.sinks") == (64,)
    assert found.rope_in_llama_cpp == {"truncate": True}


def test_layers_of_gemma_4_without_keys_of_their_own_have_none():
    found = read(GEMMA_4_E2B)
    first, last = "model.layers.4.", "model.layers.34."
    assert shape(found, f"{first}self_attn.q_proj.weight") == (8 * 512, 1536)
    assert shape(found, f"{first}self_attn.k_proj.weight") == (512, 1536)
    assert found.targets_of(f"{last}self_attn.k_proj.weight") == ()
    assert shape(found, f"{first}mlp.up_proj.weight") == (6144, 1536)
    assert shape(found, f"{last}mlp.up_proj.weight") == (2 * 6144, 1536)
    (factors,) = found.extra.values()
    assert (factors == 1).sum() == 64
    assert len(factors) == 256


def test_a_gemma_4_with_experts_is_refused_with_the_tool_that_takes_it():
    text = GEMMA_4_E2B["text_config"] | {"enable_moe_block": True}
    with pytest.raises(ConvertError, match=r"with experts.*convert_hf_to_gguf\.py"):
        read(GEMMA_4_E2B | {"text_config": text})
