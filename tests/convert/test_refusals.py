"""What cannot be written exactly is refused in a sentence, and no file is left."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from convert.errors import ConvertError
from convert.gguf_adapter import convert_adapter
from convert.gguf_model import convert_model
from tests.convert.conftest import ABOUT


def change_json(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | values), "utf-8")


@pytest.fixture
def base(hf, tmp_path):
    return shutil.copytree(hf.base, tmp_path / "base")


@pytest.fixture
def adapter(hf, tmp_path):
    return shutil.copytree(hf.plain, tmp_path / "adapter")


def refused_model(base, said):
    out = base.parent / "out"
    with pytest.raises(ConvertError, match=said):
        convert_model(base, out / "model.gguf", ABOUT, "f32")
    assert not out.exists() or not list(out.iterdir())


def refused_adapter(adapter, base, said):
    out = adapter.parent / "out"
    with pytest.raises(ConvertError, match=said):
        convert_adapter(adapter, base, out / "adapter.gguf", ABOUT)
    assert not out.exists() or not list(out.iterdir())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"architectures": ["FalconForCausalLM"]}, "FalconForCausalLM"),
        ({"attention_bias": True}, "attention_bias"),
        ({"hidden_act": "gelu"}, "silu"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "yarn"),
        ({"hidden_size": "wide"}, "whole number"),
        ({"num_hidden_layers": 3}, "blk.2"),
    ],
)
def test_a_model_of_another_kind_is_refused(base, values, said):
    change_json(base / "config.json", **values)
    refused_model(base, said)


def test_a_folder_without_a_config_is_refused(base):
    (base / "config.json").unlink()
    refused_model(base, "config.json cannot be read")


def test_weights_that_were_cut_off_are_refused(base):
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    refused_model(base, "model.safetensors cannot be read")


def test_a_tensor_that_nobody_knows_is_refused(base):
    weights = base / "model.safetensors"
    tensors = {**load_file(weights), "model.extra.weight": torch.ones(2)}
    save_file(tensors, weights)
    refused_model(base, r"no tensor model\.extra\.weight")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "merge"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"bias": "all"}, "biases"),
        ({"peft_type": "LOHA"}, "LOHA"),
        ({"r": 4}, "rank 8"),
    ],
)
def test_an_adapter_that_a_gguf_cannot_hold_is_refused(hf, adapter, values, said):
    change_json(adapter / "adapter_config.json", **values)
    refused_adapter(adapter, hf.base, said)


def test_an_adapter_on_the_embeddings_is_refused(hf, adapter):
    weights = adapter / "adapter_model.safetensors"
    tensors = load_file(weights)
    tensors["base_model.model.lm_head.lora_A.weight"] = torch.ones(8, 64)
    save_file(tensors, weights)
    refused_adapter(adapter, hf.base, "output layer")


def test_a_failed_conversion_leaves_the_file_that_was_there(base, tmp_path):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"what was there")
    change_json(base / "config.json", num_hidden_layers=3)
    with pytest.raises(ConvertError):
        convert_model(base, file, ABOUT, "f32")
    assert file.read_bytes() == b"what was there"
    assert not list(tmp_path.glob("*.tmp"))
