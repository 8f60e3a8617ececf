"""Experts: each in its own matrices, adapted by PEFT as one parameter or singly."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file, save_file

from convert.errors import ConvertError
from convert.gguf.adapter import convert_adapter
from convert.gguf.model import convert_model, notes_of
from convert.merge import merge
from convert.merge.gguf_merge import merge_gguf
from convert.verify.gate import verify_model
from tests.convert.conftest import ABOUT
from tests.convert.families import change_json, save_family, some_tokens
from tests.convert.native import NativeModel, nmse
from tests.convert.tiny_lora import load_adapted, logits_of, save_adapter

FAMILIES = ("mixtral", "qwen3-experts", "gpt-oss")
TOKENS = some_tokens(400)
WEIGHTS = "adapter_model.safetensors"


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    "parameters",
    [["gate_up_proj", "down_proj"], ["down_proj"], ["experts.gate_up_proj"]],
)
def test_parameters_that_peft_targets_are_converted_and_merged(
    tmp_path, name, parameters
):
    base = save_family(name, tmp_path / "base")
    lora: dict[str, Any] = {"target_modules": [], "target_parameters": parameters}
    adapter = save_adapter(base, tmp_path / "a", use_rslora=True, **lora)
    expected = logits_of(load_adapted(base, adapter, dtype=torch.float32), TOKENS)
    gguf = convert_model(base, tmp_path / "b.gguf", ABOUT, "f32")
    file = convert_adapter(adapter, base, tmp_path / "a.gguf", ABOUT, "f32")
    with NativeModel(gguf) as native:
        assert nmse(native.logits(TOKENS), expected) > 1e-3
    with NativeModel(gguf, file) as native:
        assert nmse(native.logits(TOKENS, 0), expected) < 1e-9
    merge(base, adapter, tmp_path / "merged")
    whole = convert_model(tmp_path / "merged", tmp_path / "m.gguf", ABOUT, "f32")
    with NativeModel(whole) as native:
        limit = 1e-2 if name == "mixtral" else 1e-9  # that is in BF16
        assert nmse(native.logits(TOKENS), expected) < limit


def test_loras_on_single_experts_are_stacked_and_others_stay(tmp_path):
    """As transformers 4 had them: a module for each matrix of each expert."""
    base = save_family("qwen3-experts", tmp_path / "base")
    adapter = save_adapter(base, tmp_path / "a", target_modules=["q_proj"])
    tensors = load_file(adapter / WEIGHTS)
    generator = torch.Generator().manual_seed(3)
    stem = "base_model.model.model.layers.1.mlp.experts.5.up_proj"
    tensors[f"{stem}.lora_A.weight"] = torch.randn(4, 64, generator=generator)
    tensors[f"{stem}.lora_B.weight"] = torch.randn(64, 4, generator=generator)
    save_file(tensors, adapter / WEIGHTS, {"format": "pt"})
    change_json(adapter / "adapter_config.json", target_modules=["q_proj", "up_proj"])
    file = convert_adapter(adapter, base, tmp_path / "a.gguf", ABOUT, "f32")
    found = {t.name: np.array(t.data) for t in GGUFReader(file).tensors}
    stacked = found["blk.1.ffn_up_exps.weight.lora_b"]
    assert stacked.shape == (12, 64, 4)
    assert np.array_equal(stacked[5], tensors[f"{stem}.lora_B.weight"].numpy())
    assert not stacked[[n for n in range(12) if n != 5]].any()
    gguf = convert_model(base, tmp_path / "b.gguf", ABOUT, "f32")
    merge(base, adapter, tmp_path / "merged")
    whole = convert_model(tmp_path / "merged", tmp_path / "m.gguf", ABOUT, "f32")
    with NativeModel(whole) as merged, NativeModel(gguf, file) as beside:
        assert nmse(beside.logits(TOKENS, 0), merged.logits(TOKENS)) < 1e-9


def test_between_ggufs_experts_are_not_merged_and_the_way_is_told(tmp_path):
    base = save_family("qwen3-experts", tmp_path / "base")
    lora: dict[str, Any] = {"target_modules": [], "target_parameters": ["down_proj"]}
    adapter = save_adapter(base, tmp_path / "a", **lora)
    gguf = convert_model(base, tmp_path / "b.gguf", ABOUT, "f32")
    file = convert_adapter(adapter, base, tmp_path / "a.gguf", ABOUT, "f32")
    with pytest.raises(ConvertError, match=r"adapts experts.*convert merge BASE"):
        merge_gguf(gguf, file, tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"norm_topk_prob": False}, "norm_topk_prob"),
        ({"mlp_only_layers": [0]}, "mlp_only_layers"),
        ({"num_experts_per_tok": 13}, "13 of 12 experts"),
    ],
)
def test_what_llama_cpp_does_not_compute_is_refused(tmp_path, changes, said):
    base = save_family("qwen3-experts", tmp_path / "base")
    change_json(base / "config.json", **changes)
    with pytest.raises(ConvertError, match=said):
        convert_model(base, tmp_path / "m.gguf", ABOUT)


ONE_EXPERT = {
    "mixtral": "model.layers.1.block_sparse_moe.experts.2.w2.weight",
    "qwen3-experts": "model.layers.1.mlp.experts.7.down_proj.weight",
}


@pytest.mark.parametrize("kind", ["f16", "bf16"])
@pytest.mark.parametrize("name", ONE_EXPERT)
def test_a_rounded_file_is_proven_and_one_with_a_damaged_expert_is_not(
    tmp_path, name, kind
):
    """Though in float32 the model sends some tokens to other experts."""
    base = save_family(name, tmp_path / "base")
    gguf = convert_model(base, tmp_path / "intact.gguf", ABOUT, kind)
    found = verify_model(base, gguf, threads=1)
    assert found.passed, [f"{check.name}: {check.said}" for check in found.failed]
    damaged = shutil.copytree(base, tmp_path / "damaged")
    tensors = load_file(damaged / "model.safetensors")
    tensors[ONE_EXPERT[name]] *= 0.8
    save_file(tensors, damaged / "model.safetensors", {"format": "pt"})
    gguf = convert_model(damaged, tmp_path / "damaged.gguf", ABOUT, kind)
    found = verify_model(base, gguf, threads=1)
    assert "logits" in [check.name for check in found.failed]


def test_an_expert_that_is_missing_is_told(tmp_path):
    base = save_family("qwen3-experts", tmp_path / "base")
    tensors = load_file(base / "model.safetensors")
    del tensors["model.layers.1.mlp.experts.7.up_proj.weight"]
    save_file(tensors, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConvertError, match=r"lack 1 tensors.*blk\.1\.ffn_up_exps"):
        convert_model(base, tmp_path / "m.gguf", ABOUT)


def test_memory_is_bounded_by_one_expert(tmp_path):
    changes = {"num_experts": 40, "moe_intermediate_size": 512}
    base = save_family("qwen3-experts", tmp_path / "base", **changes)
    assert "a rounding decides" in notes_of(base)[0]
    config = json.loads((base / "config.json").read_text("utf-8"))
    one = 4 * 512 * config["hidden_size"]  # bytes of a matrix in float32
    tracemalloc.start()
    convert_model(base, tmp_path / "m.gguf", ABOUT, "q8_0")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 40 * one, f"{most:,} bytes, and the experts of a layer have 3 x that"
