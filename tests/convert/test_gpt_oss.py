"""gpt-oss: experts in MXFP4 or in floats, and positions that llama.cpp rounds."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader, quants
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from convert.errors import ConvertError
from convert.gguf.adapter import convert_adapter
from convert.gguf.model import convert_model, notes_of
from convert.merge import merge
from convert.verify.gate import verify_adapter, verify_model
from tests.convert.conftest import ABOUT
from tests.convert.families import OSS, change_json, save_family, some_tokens
from tests.convert.native import NativeModel, nmse
from tests.convert.tiny_hf import hf_logits
from tests.convert.tiny_lora import save_adapter

WEIGHTS = "model.safetensors"
TOKENS = some_tokens(400, 200)
DOWN = "model.layers.1.mlp.experts.down_proj"


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    return save_family("gpt-oss-mxfp4", tmp_path_factory.mktemp("oss") / "packed")


@pytest.fixture(scope="module")
def gguf(packed, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("oss") / "m.gguf"
    return convert_model(packed, file, ABOUT, "f16")


def changed(folder: Path, copy: Path, change) -> Path:
    shutil.copytree(folder, copy)
    tensors = load_file(copy / WEIGHTS)
    change(tensors)
    save_file(tensors, copy / WEIGHTS, {"format": "pt"})
    return copy


def test_experts_in_mxfp4_keep_their_type_and_their_numbers(packed, gguf):
    stored = load_file(packed / WEIGHTS)
    wanted = convert_moe_packed_tensors(
        *(stored[f"{DOWN}_{part}"] for part in ("blocks", "scales")),
        dtype=torch.float32,
    )
    found = {t.name: t for t in GGUFReader(gguf).tensors}
    down = found["blk.1.ffn_down_exps.weight"]
    assert down.tensor_type.name == "MXFP4"
    numbers = quants.dequantize(down.data, down.tensor_type)
    assert np.array_equal(numbers, wanted.transpose(1, 2).numpy())
    assert found["blk.1.attn_q.weight"].tensor_type.name == "F16"


def test_the_gate_proves_a_packed_file_and_sees_one_expert_that_is_another(
    packed, gguf, tmp_path
):
    found = verify_model(packed, gguf, threads=1)
    assert found.passed, [f"{c.name}: {c.said}" for c in found.failed]
    said = next(c.said for c in found.checks if c.name == "logits")
    assert "MXFP4 as llama.cpp computes" in said
    assert "`truncate` true" in said

    def damage(tensors: dict[str, torch.Tensor]) -> None:
        tensors[f"{DOWN}_blocks"][3] ^= 0x44  # another half of what it was, or twice

    other = changed(packed, tmp_path / "other", damage)
    file = convert_model(other, tmp_path / "other.gguf", ABOUT, "f16")
    assert "logits" in [check.name for check in verify_model(packed, file).failed]


def test_an_adapter_of_a_packed_base_is_proven(packed, gguf, tmp_path):
    lora: dict[str, Any] = {
        "target_modules": ["q_proj"],
        "target_parameters": ["gate_up_proj", "down_proj"],
    }
    adapter = save_adapter(packed, tmp_path / "adapter", **lora)
    file = convert_adapter(adapter, packed, tmp_path / "a.gguf", ABOUT, "f32")
    found = verify_adapter(packed, gguf, adapter, file, threads=1)
    assert found.passed, [f"{c.name}: {c.said}" for c in found.failed]


def test_llama_cpp_rounds_the_bounds_of_yarn_and_that_is_told(tmp_path):
    base = save_family("gpt-oss", tmp_path / "base")
    assert "rounds the bounds" in notes_of(base)[0]
    file = convert_model(base, tmp_path / "m.gguf", ABOUT, "f32")
    with NativeModel(file) as native:
        found = native.logits(TOKENS)
    for exact, least, most in ((False, 1e-7, 1e-3), (True, 0, 1e-9)):
        rope = OSS["rope_parameters"] | {"truncate": exact}
        change_json(base / "config.json", rope_parameters=rope)
        model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        assert least <= nmse(found, hf_logits(model.eval(), TOKENS)) < most
    assert "rounds the bounds" not in notes_of(base)[0]


def test_merging_wants_floats_and_says_how_they_are_made(packed, tmp_path):
    adapter = save_adapter(packed, tmp_path / "adapter", target_modules=["q_proj"])
    with pytest.raises(ConvertError, match=r"quantized \(mxfp4\).*dequantize=True"):
        merge(packed, adapter, tmp_path / "merged")


def test_another_class_with_weights_in_mxfp4_is_refused(tmp_path):
    base = save_family("qwen3", tmp_path / "base")
    change_json(base / "config.json", quantization_config={"quant_method": "mxfp4"})
    with pytest.raises(ConvertError, match=r"quantized \(mxfp4\)"):
        convert_model(base, tmp_path / "m.gguf", ABOUT)


def no_scales(tensors: dict[str, torch.Tensor]) -> None:
    del tensors[f"{DOWN}_scales"]


def other_scales(tensors: dict[str, torch.Tensor]) -> None:
    tensors[f"{DOWN}_scales"] = tensors[f"{DOWN}_scales"][:, :, :-1].clone()


def infinite(tensors: dict[str, torch.Tensor]) -> None:
    tensors[f"{DOWN}_scales"][0, 0, 0] = 255


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (no_scales, "down_proj_blocks is of type U8"),
        (other_scales, "down_proj_blocks is of type U8"),
        (infinite, "down_proj holds NaN or infinity"),
    ],
)
def test_blocks_that_cannot_be_read_are_refused(packed, tmp_path, change, said):
    broken = changed(packed, tmp_path / "broken", change)
    with pytest.raises(ConvertError, match=said):
        convert_model(broken, tmp_path / "m.gguf", ABOUT)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"swiglu_limit": 6.0}, "swiglu_limit"),
        ({"attention_bias": False}, "attention_bias"),
        ({"num_experts_per_tok": 7}, "7 of 6 experts"),
    ],
)
def test_what_llama_cpp_does_not_compute_is_refused(packed, tmp_path, changes, said):
    base = shutil.copytree(packed, tmp_path / "base")
    change_json(base / "config.json", **changes)
    with pytest.raises(ConvertError, match=said):
        convert_model(base, tmp_path / "m.gguf", ABOUT)


@pytest.mark.parametrize("name", ["gpt-oss", "gpt-oss-mxfp4"])
def test_memory_is_bounded_by_one_expert(tmp_path, name):
    changes = {"num_local_experts": 40, "intermediate_size": 512}
    base = save_family(name, tmp_path / "base", **changes)
    one = 4 * 2 * 512 * OSS["hidden_size"]  # bytes of gate and up in float32
    tracemalloc.start()
    convert_model(base, tmp_path / "m.gguf", ABOUT, "q8_0")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 * one, f"{most:,} bytes, and gate and up of a layer have 40 x that"
