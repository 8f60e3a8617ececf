"""Qwen3.5: layers with a state, what guesses ahead, and experts in two spellings."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from convert.architectures.text_tower import of_images
from convert.errors import ConvertError
from convert.gguf.adapter import convert_adapter
from convert.gguf.model import convert_model, notes_of
from convert.merge import merge
from convert.verify.gate import verify_adapter, verify_model
from tests.convert.conftest import ABOUT
from tests.convert.contents import contents
from tests.convert.families import QWEN35, change_json, save_family, some_tokens
from tests.convert.native import NativeModel, nmse
from tests.convert.tiny_lora import load_adapted, logits_of, save_adapter

WEIGHTS = "model.safetensors"
TOKENS = some_tokens(400)


@pytest.fixture(scope="module")
def tower(tmp_path_factory) -> Path:
    return save_family("qwen35-images", tmp_path_factory.mktemp("qwen") / "tower")


@pytest.fixture(scope="module")
def gguf(tower, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("qwen") / "m.gguf"
    return convert_model(tower, file, ABOUT, "f32")


def changed(folder: Path, copy: Path, change) -> Path:
    shutil.copytree(folder, copy)
    tensors = change(load_file(copy / WEIGHTS))
    save_file(tensors, copy / WEIGHTS, {"format": "pt"})
    return copy


def failed(found) -> list[str]:
    return [f"{check.name}: {check.said}" for check in found.checks if not check.passed]


def with_mtp(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What the makers publish beside the model, and transformers leaves out."""
    return tensors | {
        "mtp.fc.weight": torch.ones(64, 128),
        "mtp.norm.weight": torch.ones(64),
        "mtp.layers.0.self_attn.q_proj.weight": torch.ones(256, 64),
    }


def test_what_guesses_ahead_is_counted_told_and_left_out(tower, gguf, tmp_path):
    whole = changed(tower, tmp_path / "whole", with_mtp)
    file = convert_model(whole, tmp_path / "m.gguf", ABOUT, "f32")
    assert file.read_bytes() == gguf.read_bytes()
    said = notes_of(whole)
    assert any("`mtp`, 3 tensors" in note for note in said)
    assert any(note.startswith("text only: images") for note in said)
    assert not any("mtp" in note for note in notes_of(tower))
    assert not failed(verify_model(whole, file, threads=1))
    adapter = save_adapter(tower, tmp_path / "adapter")
    merge(whole, adapter, tmp_path / "merged")
    assert "mtp.fc.weight" in load_file(tmp_path / "merged" / WEIGHTS)


def test_a_damaged_state_is_seen(tower, gguf, tmp_path):
    def damage(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        name = next(n for n in tensors if n.endswith("layers.2.linear_attn.A_log"))
        return tensors | {name: tensors[name] + 0.1}

    other = changed(tower, tmp_path / "other", damage)
    assert "logits" in str(failed(verify_model(other, gguf, threads=1)))


def test_an_adapter_of_the_text_class_fits_the_whole_model(tower, gguf, tmp_path):
    """transformers gives the text class to who asks for a causal model."""
    text: Any = AutoModelForCausalLM.from_pretrained(tower)
    assert type(text).__name__ == "Qwen3_5ForCausalLM"
    alone = shutil.copytree(
        tower, tmp_path / "alone", ignore=lambda *_: ["config.json", WEIGHTS]
    )
    text.save_pretrained(alone)
    adapter = save_adapter(alone, tmp_path / "adapter", target_modules="all-linear")
    files = [
        convert_adapter(adapter, base, tmp_path / f"{n}.gguf", ABOUT, "f32")
        for n, base in enumerate((tower, alone))
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not failed(verify_adapter(tower, gguf, adapter, files[0], threads=1))
    one, two = (
        merge(base, adapter, tmp_path / f"merged {n}")
        for n, base in enumerate((tower, alone))
    )
    assert one.changed == two.changed
    file = convert_model(alone, tmp_path / "alone.gguf", ABOUT, "f32")
    assert contents(file).tensors == contents(gguf).tensors


@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_a_rounded_file_is_proven(tmp_path, kind):
    """Of the one type matrices are rounded and states are not."""
    base = save_family("qwen35", tmp_path / "base")
    file = convert_model(base, tmp_path / "m.gguf", ABOUT, kind)
    assert not failed(verify_model(base, file, threads=1))


@pytest.mark.parametrize(
    ("name", "kind"), [("qwen35-experts", "f16"), ("qwen35-experts-images", "f32")]
)
def test_experts_in_either_spelling_are_one_file_and_proven(tmp_path, name, kind):
    base = save_family(name, tmp_path / "base")
    other = changed(base, tmp_path / "other", respelled)
    one, two = (
        convert_model(each, tmp_path / f"{n}.gguf", ABOUT, kind)
        for n, each in enumerate((base, other))
    )
    assert contents(one) == contents(two)
    for folder in (base, other):
        assert not failed(verify_model(folder, one, threads=1))


def respelled(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Experts that are stacked one by one, or those that are not stacked."""
    found = {n: t for n, t in tensors.items() if ".mlp.experts." not in n}
    rest = {n: t for n, t in tensors.items() if n not in found}
    if all(n.endswith("_proj") for n in rest):
        for name, stacked in rest.items():
            stem = name.rpartition(".")[0]
            for number, one in enumerate(stacked):
                parts = {"down_proj": one}
                if name.endswith("gate_up_proj"):
                    parts = dict(
                        zip(("gate_proj", "up_proj"), one.chunk(2), strict=True)
                    )
                for part, matrix in parts.items():
                    found[f"{stem}.{number}.{part}.weight"] = matrix.contiguous()
        return found
    stems = {name.rpartition(".experts.")[0] + ".experts" for name in rest}
    for stem in stems:
        count = range(sum(n.startswith(f"{stem}.") for n in rest) // 3)
        of = {
            part: [rest[f"{stem}.{n}.{part}_proj.weight"] for n in count]
            for part in ("gate", "up", "down")
        }
        both = [torch.cat(pair) for pair in zip(of["gate"], of["up"], strict=True)]
        found[f"{stem}.gate_up_proj"] = torch.stack(both)
        found[f"{stem}.down_proj"] = torch.stack(of["down"])
    return found


def test_a_lora_on_all_experts_is_converted_and_merged(tmp_path):
    base = save_family("qwen35-experts", tmp_path / "base")
    lora: dict[str, Any] = {
        "target_modules": ["out_proj"],
        "target_parameters": ["gate_up_proj", "down_proj"],
    }
    adapter = save_adapter(base, tmp_path / "adapter", **lora)
    expected = logits_of(load_adapted(base, adapter, dtype=torch.float32), TOKENS)
    for number, folder in enumerate(
        (base, changed(base, tmp_path / "other", respelled))
    ):
        model = convert_model(folder, tmp_path / f"{number}.gguf", ABOUT, "f32")
        file = convert_adapter(adapter, folder, tmp_path / f"a{number}", ABOUT, "f32")
        with NativeModel(model, file) as native:
            assert nmse(native.logits(TOKENS, 0), expected) < 1e-9
        merge(folder, adapter, tmp_path / f"merged {number}")
        whole = convert_model(
            tmp_path / f"merged {number}", tmp_path / f"m{number}.gguf", ABOUT, "f32"
        )
        with NativeModel(whole) as native:
            assert nmse(native.logits(TOKENS), expected) < 1e-9


def test_parts_of_images_are_named_as_such(tower):
    names = [n for n in load_file(tower / WEIGHTS) if of_images(n)]
    (said,) = notes_of(tower)
    assert f"{len(names)} tensors of the vision tower" in said
    assert len(names) > 10


def test_the_shapes_of_a_layer_with_a_state(gguf):
    found = {t.name: tuple(t.shape) for t in GGUFReader(gguf).tensors}
    mixed = 2 * 2 * 16 + 6 * 16
    assert found["blk.0.attn_qkv.weight"] == (64, mixed)
    assert found["blk.0.ssm_conv1d.weight"] == (4, mixed)
    assert found["blk.3.attn_q.weight"] == (64, 2 * 4 * 32)
    assert "blk.3.ssm_out.weight" not in found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rms_norm_eps": 1e-5}, "`rms_norm_eps` is 1e-05"),
        ({"linear_value_head_dim": 32}, "`linear_value_head_dim` is 32"),
        ({"linear_num_value_heads": 5}, "2 heads of keys cannot serve 5"),
        ({"layer_types": ["linear_attention"] * 4}, "each of 5 layers"),
        ({"attention_bias": True}, "attention_bias"),
        (
            {"rope_parameters": QWEN35["rope_parameters"] | {"mrope_section": [2, 2]}},
            r"`mrope_section` is \[2\.0, 2\.0\].*\[2, 1, 1\]",
        ),
        (
            {"rope_parameters": QWEN35["rope_parameters"] | {"mrope_section": None}},
            r"`mrope_section` is \[11, 11, 10\].*\[2, 1, 1\]",
        ),
    ],
)
def test_what_llama_cpp_does_not_compute_is_refused(tmp_path, changes, said):
    base = save_family("qwen35", tmp_path / "base")
    change_json(base / "config.json", **changes)
    with pytest.raises(ConvertError, match=said):
        convert_model(base, tmp_path / "m.gguf", ABOUT)
