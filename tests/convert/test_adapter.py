"""A GGUF adapter on a GGUF base gives the numbers of PEFT, and of the merged model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from convert.commands import app
from convert.errors import ConvertError
from convert.gguf.adapter import convert_adapter, written_adapter
from convert.gguf.model import convert_model
from convert.merge import merge
from medassist.core.files import sha256_of_file
from tests.convert.conftest import ABOUT
from tests.convert.families import change_json, rows_of, save_family, some_tokens
from tests.convert.native import NativeModel, nmse
from tests.convert.tiny_lora import load_adapted, load_base, logits_of, save_adapter

EXACT = 1e-9  # NMSE of F32 files; without the adapter it is above 1e-3
ROUGH_GELU = 1e-6  # where llama.cpp looks GELU up in a table of float16
FAMILIES = (
    "llama",
    "llama3",
    "mistral",
    "smollm3",
    "granite",
    "granite-dense",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3-pattern",
    "gemma3-images",
    "phi",
    "gpt2",
    "distilgpt2",
)


class Pair:
    """A tiny base with an adapter, and the GGUFs of both in F32."""

    def __init__(self, folder: Path, family: str, **lora: object) -> None:
        self.folder = folder
        self.base = save_family(family, folder / "base")
        settings = {"target_modules": "all-linear", **lora}
        self.adapter = save_adapter(self.base, folder / "adapter", **settings)
        self.tokens = some_tokens(rows_of(load_base(self.base)))
        self.base_gguf = convert_model(self.base, folder / "b.gguf", ABOUT, "f32")

    def convert(self) -> Path:
        target = self.folder / "a.gguf"
        return convert_adapter(self.adapter, self.base, target, ABOUT, "f32")

    def error(self) -> float:
        """NMSE of llama.cpp's logits against PEFT's."""
        with NativeModel(self.base_gguf, self.convert()) as native:
            found = native.logits(self.tokens, 0)
        return nmse(found, self.expected())

    def expected(self):
        model = load_adapted(self.base, self.adapter, dtype=torch.float32)
        return logits_of(model, self.tokens)

    def unadapted(self):
        return logits_of(load_base(self.base, dtype=torch.float32), self.tokens)

    def alpha(self) -> float:
        return written_adapter(self.folder / "a.gguf").alpha


@pytest.mark.parametrize("family", FAMILIES)
def test_base_and_adapter_give_the_logits_of_peft_and_of_the_merged_model(
    tmp_path, family
):
    pair = Pair(tmp_path, family)
    expected = pair.expected()
    assert nmse(pair.unadapted(), expected) > 1e-3
    exact = ROUGH_GELU if family.startswith(("gemma", "gpt2", "distil")) else EXACT
    assert pair.error() < exact
    # Merged weights are rounded to the base's type; a base in float32 has no such loss.
    merge(pair.base, pair.adapter, tmp_path / "merged")
    whole = convert_model(tmp_path / "merged", tmp_path / "m.gguf", ABOUT, "f32")
    with NativeModel(whole) as native:
        error = nmse(native.logits(pair.tokens), expected)
    stored = {tensor.dtype for tensor in load_file_of(pair.base)}
    assert error < (exact if stored == {torch.float32} else 1e-2)


def load_file_of(folder):
    for file in sorted(folder.glob("*.safetensors")):
        yield from load_file(file).values()


SCALES = {
    "rsLoRA": ({"use_rslora": True}, 12 * 4**0.5),
    "rank pattern": ({"rank_pattern": {"q_proj": 8, "v_proj": 2}}, 12),
    "alpha pattern": ({"alpha_pattern": {"q_proj": 3, "layers.1.*up_proj": 40}}, 12),
    "both, and rsLoRA": (
        {
            "use_rslora": True,
            "rank_pattern": {"k_proj": 9},
            "alpha_pattern": {"v_proj": 0, "o_proj": 7},
        },
        12 * 4**0.5,
    ),
}


@pytest.mark.parametrize("kind", SCALES)
def test_every_scale_is_kept_though_a_gguf_has_one_alpha(tmp_path, kind):
    lora, alpha = SCALES[kind]
    pair = Pair(tmp_path, "llama", **lora)
    assert pair.error() < EXACT
    assert pair.alpha() == pytest.approx(alpha, rel=1e-6)


def test_only_what_differs_from_the_common_scale_is_folded(tmp_path):
    pair = Pair(tmp_path, "gpt2", alpha_pattern={"c_fc": 3}, rank_pattern={"c_fc": 6})
    file = pair.convert()
    found = {t.name: np.array(t.data) for t in GGUFReader(file).tensors}
    weights = load_file(pair.adapter / "adapter_model.safetensors")
    layer = "base_model.model.transformer.h.0"
    same = weights[f"{layer}.attn.c_attn.lora_B.weight"].numpy()
    folded = weights[f"{layer}.mlp.c_fc.lora_B.weight"].numpy()
    assert np.array_equal(found["blk.0.attn_qkv.weight.lora_b"], same)
    assert np.allclose(found["blk.0.ffn_up.weight.lora_b"], folded * 3 / 12)


@pytest.mark.parametrize(
    "targets", [["embed_tokens"], ["lm_head"], ["embed_tokens", "lm_head"]]
)
def test_untied_embedding_and_output_layer_can_be_adapted(tmp_path, targets):
    lora = {"target_modules": [*targets, "q_proj"], "use_rslora": True}
    pair = Pair(tmp_path, "llama", **lora)
    assert pair.error() < EXACT


@pytest.mark.parametrize("targets", [["embed_tokens"], ["lm_head"]])
def test_tied_ones_cannot_and_merging_is_named(tmp_path, targets):
    pair = Pair(tmp_path, "qwen2", target_modules=[*targets, "q_proj"])
    with pytest.raises(ConvertError, match=r"one tensor.*medassist convert merge"):
        pair.convert()
    merge(pair.base, pair.adapter, tmp_path / "merged")
    whole = convert_model(tmp_path / "merged", tmp_path / "m.gguf", ABOUT, "f32")
    with NativeModel(whole) as native:
        error = nmse(native.logits(pair.tokens), pair.expected())
    assert error < 1e-2 < nmse(pair.unadapted(), pair.expected())


@pytest.fixture
def base(hf):
    return hf.base


@pytest.fixture
def adapter(hf, tmp_path):
    return shutil.copytree(hf.plain, tmp_path / "adapter")


def refused(adapter, base, said):
    out = adapter.parent / "out"
    with pytest.raises(ConvertError, match=said) as raised:
        convert_adapter(adapter, base, out / "adapter.gguf", ABOUT)
    assert not out.exists() or not list(out.iterdir())
    return str(raised.value)


@pytest.mark.parametrize(
    ("lora", "rows", "said"),
    [
        ({"use_dora": True}, 0, "it is a DoRA"),
        ({"modules_to_save": ["lm_head"]}, 0, "whole modules were trained"),
        ({"trainable_token_indices": [3]}, 0, "rows of the embedding"),
        ({}, 420, "embed_tokens.weight as a whole|lm_head.weight as a whole"),
        ({"target_modules": ["embed_tokens"]}, 420, "is not the base's|one tensor"),
    ],
)
def test_what_only_a_merge_can_do_is_refused_and_merges(
    base, tmp_path, lora, rows, said
):
    adapter = save_adapter(base, tmp_path / "other", rows=rows, **lora)
    assert "medassist convert merge" in refused(adapter, base, said)
    assert merge(base, adapter, tmp_path / "merged").changed


def test_trained_biases_are_refused(base, adapter):
    change_json(adapter / "adapter_config.json", bias="all")
    assert "medassist convert merge" in refused(adapter, base, "biases were trained")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"peft_type": "LOHA"}, "LOHA"),
        ({"r": 4}, "rank 8"),
        ({"rank_pattern": {"q_proj": 4}}, "rank 8, and adapter_config.json says 4"),
        ({"lora_alpha": 0}, "changes nothing"),
        ({"init_lora_weights": "olora"}, "took a part of the base away"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"alora_invocation_tokens": "<|a|>"}, "expected a list of token ids"),
    ],
)
def test_an_adapter_that_is_not_understood_is_refused(base, adapter, values, said):
    change_json(adapter / "adapter_config.json", **values)
    refused(adapter, base, said)


def test_an_adapter_for_another_base_is_refused(tmp_path, adapter):
    narrow = save_family("qwen3", tmp_path / "qwen3")
    refused(adapter, narrow, "k_proj.weight is for a weight of 32 x 64, and the base")
    gpt2 = save_family("gpt2", tmp_path / "gpt2")
    refused(adapter, gpt2, "which the base, a gpt2, does not have")


def test_numbers_that_a_type_cannot_hold_are_refused(base, adapter):
    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    first = next(name for name in tensors if "lora_B" in name)
    tensors[first] = tensors[first] + 1e6
    save_file(tensors, file)
    refused(adapter, base, "f16 cannot; use --outtype f32")
    target = adapter.parent / "exact.gguf"
    assert convert_adapter(adapter, base, target, ABOUT, "f32").is_file()
    tensors[first] = tensors[first] * torch.nan
    save_file(tensors, file)
    refused(adapter, base, "not finite")


def test_files_that_are_there_are_not_overwritten_without_force(base, adapter):
    out = adapter.parent / "out.gguf"
    out.write_bytes(b"mine")
    with pytest.raises(ConvertError, match="--force"):
        convert_adapter(adapter, base, out, ABOUT)
    assert out.read_bytes() == b"mine"
    convert_adapter(adapter, base, out, ABOUT, force=True)
    assert written_adapter(out).sha256 == sha256_of_file(out)


def test_the_verb_says_what_it_wrote(hf, tmp_path):
    out = tmp_path / "a.gguf"
    arguments = ["adapter", str(hf.activated), str(out), "--base", str(hf.base)]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["sha256"] == sha256_of_file(out)
    assert said["pairs"] == 14
    assert said["alpha"] == 16
    with NativeModel(convert_model(hf.base, tmp_path / "b.gguf", ABOUT), out) as native:
        assert said["invocation"] == native.invocation() != []
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, ConvertError)


def test_the_verb_merges_and_says_what_changed(hf, tmp_path):
    arguments = ["merge", str(hf.base), str(hf.plain), str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "14 of 20 weights changed by plain" in result.stdout
    result = CliRunner().invoke(app, [*arguments, "--force", "--json"])
    assert json.loads(result.stdout)["changed"] == 14
