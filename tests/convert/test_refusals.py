"""What cannot be written exactly is refused in a sentence, and no file is left."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from convert.architectures import architecture_of
from convert.errors import ConvertError
from convert.gguf import file as gguf_file
from convert.gguf.file import Quantization
from convert.gguf.model import convert_model
from convert.hf_folder import JsonFile
from tests.convert.conftest import ABOUT
from tests.convert.families import change_json, save_family


@pytest.fixture
def base(hf, tmp_path):
    return shutil.copytree(hf.base, tmp_path / "base")


@pytest.fixture
def sharded(tmp_path):
    return save_family("mistral", tmp_path / "mistral")


def refused_model(base, said, quantization: Quantization = "f32"):
    out = base.parent / "out"
    with pytest.raises(ConvertError, match=said) as caught:
        convert_model(base, out / "model.gguf", ABOUT, quantization)
    assert "\n" not in str(caught.value)
    assert not out.exists() or not list(out.iterdir())


def change_weights(base, change):
    weights = base / "model.safetensors"
    tensors = load_file(weights)
    change(tensors)
    save_file(tensors, weights)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"architectures": ["FalconForCausalLM"]}, "FalconForCausalLM"),
        ({"architectures": None}, "not named"),
        ({"architectures": [3, {}]}, "the architecture is 3"),
        ({"attention_bias": True}, "attn_k.bias"),
        ({"hidden_act": "gelu"}, "silu"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "factor"),
        ({"rope_parameters": {"rope_type": "longrope"}}, "longrope"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary"),
        ({"rope_parameters": [1]}, "expected an object"),
        ({"hidden_size": "wide"}, "whole number"),
        ({"hidden_size": 0}, "above 0"),
        ({"max_position_embeddings": 2**40}, "of 32 bits"),
        ({"rms_norm_eps": float("nan")}, "rms_norm_eps"),
        ({"rope_parameters": {"rope_theta": 1e300}}, "rope_theta"),
        ({"num_attention_heads": 5}, "cannot be"),
        ({"num_hidden_layers": 10**9}, "cannot be"),
        ({"num_hidden_layers": 3}, "blk.2"),
        ({"num_hidden_layers": 1}, r"no tensor model\.layers\.1"),
        ({"intermediate_size": 128}, r"down_proj.* has the shape \(64, 96\)"),
        ({"vocab_size": 500}, "shape"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "bitsandbytes"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq"),
    ],
)
def test_a_model_of_another_kind_is_refused(base, values, said):
    change_json(base / "config.json", **values)
    refused_model(base, said)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("qwen2", {"use_sliding_window": True}, "use_sliding_window"),
        ("qwen2", {"layer_types": ["sliding_attention"] * 2}, "layer_types"),
        ("qwen2", {"head_dim": 32}, "as wide as"),
        ("qwen2-yarn", {"rope_parameters": {"rope_type": "llama3"}}, "llama3"),
        ("qwen3", {"attention_bias": True}, "attention_bias"),
        ("gemma2", {"query_pre_attn_scalar": 100}, "query_pre_attn_scalar"),
        ("gemma2", {"tie_word_embeddings": False}, "tie_word_embeddings"),
        ("gemma2", {"attn_logit_softcapping": None}, "attn_logit_softcapping"),
        ("gemma2", {"hidden_activation": "gelu"}, "gelu_pytorch_tanh"),
        ("gemma3", {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping"),
        ("gemma3", {"layer_types": ["full_attention"]}, "layer_types"),
        ("gemma3", {"use_bidirectional_attention": True}, "bidirectional"),
        ("phi-long", {"partial_rotary_factor": 0.5}, None),
        ("gpt2", {"activation_function": "relu"}, "relu"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "inverse_layer"),
        ("gpt2", {"n_head": 7}, "divide"),
        (
            "llama-yarn",
            {"rope_parameters": {"rope_type": "yarn", "factor": 2, "beta_fast": 16}},
            "beta_fast",
        ),
        (
            "llama-yarn",
            {"rope_parameters": {"rope_type": "yarn", "factor": 2, "truncate": False}},
            "truncate",
        ),
    ],
)
def test_settings_that_llama_cpp_does_not_compute_are_refused(
    tmp_path, name, values, said
):
    config = save_family(name, tmp_path / name) / "config.json"
    if said is None:  # what stands in RoPE's own settings goes first
        values, said = {"rope_parameters": long_of_length(8)}, "has 8 numbers"
    change_json(config, **values)
    with pytest.raises(ConvertError, match=said):
        architecture_of(JsonFile.read(config))


def long_of_length(count):
    return {
        "rope_type": "longrope",
        "rope_theta": 1e4,
        "partial_rotary_factor": 0.75,
        "short_factor": [1.0] * count,
        "long_factor": [2.0] * count,
    }


def test_a_folder_without_a_config_is_refused(base):
    (base / "config.json").unlink()
    refused_model(base, "config.json cannot be read")


def test_a_folder_that_is_not_there_is_refused(base):
    refused_model(base / "nowhere", "is not there")


def test_a_gguf_in_the_place_of_a_folder_is_told_what_to_do(base):
    file = convert_model(base, base.parent / "made" / "model.gguf", ABOUT)
    with pytest.raises(ConvertError, match=r"GGUF already.*convert quantize"):
        convert_model(file, file.with_name("again.gguf"))
    with pytest.raises(ConvertError, match="holds a GGUF and no config"):
        convert_model(file.parent, file.with_name("again.gguf"))
    with pytest.raises(ConvertError, match="is a file; the folder"):
        convert_model(base / "model.safetensors", file.with_name("again.gguf"))


def test_an_adapter_in_the_place_of_a_model_is_told_what_to_do(hf, tmp_path):
    with pytest.raises(ConvertError, match=r"PEFT adapter.*convert adapter"):
        convert_model(hf.plain, tmp_path / "model.gguf")


def test_a_folder_in_the_place_of_a_file_is_refused(base):
    with pytest.raises(ConvertError, match="is a folder; name a file"):
        convert_model(base, base)


@pytest.mark.parametrize("size", [0, 5, 3000, 5000, 100_000])
def test_weights_that_were_cut_off_are_refused(base, size):
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    refused_model(base, r"model\.safetensors.*get it again")


def test_weights_that_are_no_safetensors_are_refused(base):
    (base / "model.safetensors").write_bytes(b"\x80\x02" * 4000)
    refused_model(base, r"model\.safetensors cannot be read")


def test_pickled_weights_are_never_read(base):
    (base / "model.safetensors").unlink()
    (base / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    refused_model(base, r"pytorch_model\.bin, a pickle")


def test_a_folder_without_weights_is_refused(base):
    (base / "model.safetensors").unlink()
    refused_model(base, "holds neither")


def test_a_shard_that_is_missing_is_named(sharded):
    (sharded / "model-00002-of-00006.safetensors").unlink()
    refused_model(sharded, r"names model-00002-of-00006\.safetensors, which is not")


@pytest.mark.parametrize(
    "name", ["../model.safetensors", "a/b.safetensors", "..", "", 3, "a\\b"]
)
def test_an_index_that_points_out_of_its_folder_is_refused(sharded, name):
    index = sharded / "model.safetensors.index.json"
    values = json.loads(index.read_text("utf-8"))
    values["weight_map"]["model.norm.weight"] = name
    index.write_text(json.dumps(values), "utf-8")
    refused_model(sharded, "expected one in the folder itself")


def test_shards_of_another_save_are_refused(sharded):
    index = sharded / "model.safetensors.index.json"
    values = json.loads(index.read_text("utf-8"))
    here = values["weight_map"]["model.norm.weight"]
    there = next(name for name in values["weight_map"].values() if name != here)
    values["weight_map"]["model.norm.weight"] = there
    index.write_text(json.dumps(values), "utf-8")
    refused_model(sharded, "which lacks it")


def test_a_tensor_in_two_shards_is_refused(sharded):
    first, second, *_ = sorted(sharded.glob("*.safetensors"))
    save_file(load_file(first) | load_file(second), second)
    refused_model(sharded, "which one holds")


def test_an_index_without_a_map_is_refused(sharded):
    (sharded / "model.safetensors.index.json").write_text("{}")
    refused_model(sharded, "has no `weight_map`")


def test_a_tensor_that_nobody_knows_is_refused(base):
    change_weights(base, lambda w: w.update({"model.extra.weight": torch.ones(2)}))
    refused_model(base, r"no tensor model\.extra\.weight")


def test_weights_that_are_whole_numbers_are_refused(base):
    name = "model.layers.0.mlp.up_proj.weight"
    change_weights(base, lambda w: w.update({name: w[name].to(torch.int8)}))
    refused_model(base, f"{name} is of type I8")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("quantization", ["f32", "f16", "bf16", "q8_0"])
def test_weights_that_are_not_finite_are_refused(base, value, quantization):
    def spoil(weights):
        weights["model.layers.1.mlp.down_proj.weight"][3, 5] = value

    change_weights(base, spoil)
    refused_model(base, r"layers\.1\.mlp\.down_proj\.weight holds NaN", quantization)


def test_a_number_that_float16_cannot_hold_is_refused_and_the_way_out_named(base):
    def grow(weights):
        weights["model.layers.1.mlp.down_proj.weight"][3, 5] = 1e5

    change_weights(base, grow)
    refused_model(base, "100000: F16 cannot hold it; use --outtype bf16", "f16")
    convert_model(base, base.parent / "model.gguf", ABOUT, "bf16")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nlicense: [a, {b: c}]\n---\n", "another form"),
        ("---\nauthor: {a: 1}\n---\n", "general.author"),
        ("---\nname: {a: 1}\n---\n", "expected text"),
        ("---\n: : :\n- a\n---\n", "cannot be read"),
    ],
)
def test_front_matter_that_a_gguf_cannot_hold_is_refused(base, text, said):
    (base / "README.md").write_text(text, "utf-8")
    with pytest.raises(ConvertError, match=said):
        convert_model(base, base.parent / "model.gguf")
    assert not list(base.parent.glob("*.gguf"))


def test_a_generation_config_with_words_for_numbers_is_refused(base):
    (base / "generation_config.json").write_text('{"temperature": "warm"}')
    refused_model(base, "warm")


def test_a_file_that_is_there_is_replaced_only_when_told(base, tmp_path):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"what was there")
    with pytest.raises(ConvertError, match="--force"):
        convert_model(base, file, ABOUT, "f32")
    assert file.read_bytes() == b"what was there"
    convert_model(base, file, ABOUT, "f32", force=True)
    assert file.read_bytes()[:4] == b"GGUF"


def test_a_failed_conversion_leaves_the_file_that_was_there(base, tmp_path):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"what was there")

    def spoil(weights):
        weights["model.norm.weight"][0] = float("nan")

    change_weights(base, spoil)
    with pytest.raises(ConvertError, match="NaN"):
        convert_model(base, file, ABOUT, "f32", force=True)
    assert file.read_bytes() == b"what was there"
    assert [path.name for path in tmp_path.iterdir() if path != base] == ["model.gguf"]


def test_a_target_that_cannot_be_written_is_told(base, tmp_path):
    (tmp_path / "occupied").write_text("a file")
    with pytest.raises(ConvertError, match="cannot be written"):
        convert_model(base, tmp_path / "occupied" / "model.gguf")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_told(base, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(ConvertError, match="cannot be written: Permission denied"):
        convert_model(base, locked / "model.gguf")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="wants Linux")
def test_a_file_system_that_takes_no_files_is_told(base):
    with pytest.raises(ConvertError, match="cannot be written"):
        convert_model(base, Path("/proc/model.gguf"))


def test_a_disk_without_room_is_told_before_anything_is_written(base, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(
        gguf_file.shutil, "disk_usage", lambda _: usage(10**6, 10**6, 1000)
    )
    refused_model(base, "1.0 kB are free there; make room")


def test_a_disk_that_fills_while_a_file_is_written_leaves_nothing(base, monkeypatch):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        refused_model(base, "cannot be written.*nothing was left")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_two_names_for_one_tensor_are_refused(tmp_path):
    folder = save_family("gpt2", tmp_path / "gpt2")
    weights = load_file(folder / "model.safetensors")
    weights["wte.weight"] = weights["transformer.wte.weight"] + 1
    save_file(weights, folder / "model.safetensors")
    refused_model(folder, r"two tensors would become token_embd\.weight")
