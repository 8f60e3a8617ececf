"""The text of a Gemma 3 that sees images: converted, adapted, merged, and proved."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Gemma3ForCausalLM
from typer.testing import CliRunner

from convert.architectures import architecture_of
from convert.architectures.gemma import Gemma3Tower
from convert.architectures.text_tower import plain_name
from convert.commands import app
from convert.errors import ConvertError
from convert.gguf.adapter import convert_adapter
from convert.gguf.model import convert_model, notes_of
from convert.hf_folder import JsonFile
from convert.merge import merge
from convert.modelfile import ModelfileParts, modelfile
from convert.ollama.model_settings import OllamaWishes
from convert.verify.gate import verify_adapter, verify_model
from tests.convert.conftest import ABOUT
from tests.convert.families import change_json, some_tokens
from tests.convert.native import NativeModel, nmse
from tests.convert.test_modelfile import settings_of
from tests.convert.tiny_hf import hf_logits
from tests.convert.tiny_lora import load_adapted, save_adapter
from tests.convert.tiny_tower import (
    SPELLINGS,
    WEIGHTS,
    older_names,
    respelled,
    save_tower,
)

EXACT = 1e-6  # NMSE; llama.cpp looks GELU up in a table of float16
ROUNDED = 1e-3  # where what is merged is rounded to the base's bfloat16
TOKENS = some_tokens(1600)
OF_IMAGES = 23  # tensors of the tiny vision tower and projector
ADAPTED_IMAGES = 6  # linear layers there


@pytest.fixture(scope="module")
def tower(tmp_path_factory) -> Path:
    return save_tower(tmp_path_factory.mktemp("tower") / "tower")


@pytest.fixture(scope="module")
def gguf(tower, tmp_path_factory) -> Path:
    return convert_model(
        tower, tmp_path_factory.mktemp("gguf") / "m.gguf", ABOUT, "f32"
    )


@pytest.fixture(scope="module")
def adapter(tower, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lora") / "adapter"
    return save_adapter(tower, folder, target_modules="all-linear")


@pytest.fixture(scope="module")
def older(adapter, tmp_path_factory) -> Path:
    return older_names(adapter, tmp_path_factory.mktemp("older") / "adapter")


def failed(found) -> list[str]:
    return [f"{check.name}: {check.said}" for check in found.checks if not check.passed]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_each_spelling_gives_the_same_verified_file(tower, gguf, tmp_path, spelling):
    folder = respelled(tower, tmp_path / "tower", spelling)
    file = convert_model(folder, tmp_path / "m.gguf", ABOUT, "f32")
    assert file.read_bytes() == gguf.read_bytes()
    found = verify_model(folder, file, threads=1)
    assert not failed(found)
    assert {"token ids", "rendered prompt", "logits", "greedy text"} <= {
        check.name for check in found.checks
    }


def test_the_verb_says_that_images_are_not_taken_over(tower, tmp_path):
    out = tmp_path / "m.gguf"
    result = CliRunner().invoke(app, ["gguf", str(tower), str(out)])
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert "Note: text only: images are not taken over" in said
    assert f"{OF_IMAGES} tensors of the vision tower and the projector" in said
    assert f"{OF_IMAGES} tensors" in notes_of(tower)[0]


def changed(folder: Path, copy: Path, of: str) -> Path:
    """A copy in which one matrix whose name holds `of` is another."""
    shutil.copytree(folder, copy)
    tensors = load_file(copy / WEIGHTS)
    name = next(n for n, t in tensors.items() if of in n and t.ndim == 2)
    tensors[name] = -tensors[name]
    save_file(tensors, copy / WEIGHTS, {"format": "pt"})
    return copy


def test_the_proof_is_of_the_text_and_of_nothing_else(tower, gguf, tmp_path):
    other = changed(tower, tmp_path / "images", "vision_tower.")
    assert not failed(verify_model(other, gguf, threads=1))
    other = changed(tower, tmp_path / "text", "language_model.model.layers.3.mlp.up")
    assert "logits" in str(failed(verify_model(other, gguf, threads=1)))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_adapters_of_either_spelling_become_one_verified_file(
    tower, gguf, adapter, older, tmp_path, spelling
):
    base = respelled(tower, tmp_path / "base", spelling)
    files = [
        convert_adapter(folder, base, tmp_path / f"{n}.gguf", ABOUT, "f32")
        for n, folder in enumerate((adapter, older))
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    proved = older if spelling == "published" else adapter
    assert not failed(verify_adapter(base, gguf, proved, files[0], threads=1))


def test_parts_of_an_adapter_for_images_are_counted_and_left_out(
    tower, adapter, tmp_path
):
    out = tmp_path / "a.gguf"
    arguments = ["adapter", str(adapter), str(out), "--base", str(tower)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert f"images are not taken over; {ADAPTED_IMAGES} parts of the adapter" in said
    assert len(GGUFReader(out).tensors) == 2 * 7 * 7
    result = CliRunner().invoke(app, [*arguments, "--force", "--json"])
    assert f"{ADAPTED_IMAGES} parts" in json.loads(result.stdout)["notes"][0]


def test_an_adapter_for_images_alone_is_refused_and_told(tower, tmp_path):
    adapter = save_adapter(tower, tmp_path / "a", target_modules=["fc1", "fc2"])
    with pytest.raises(ConvertError, match="the parts for images alone"):
        convert_adapter(adapter, tower, tmp_path / "a.gguf", ABOUT)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("names", ["new", "older"])
def test_merging_gives_the_whole_model_of_peft_images_too(
    tower, adapter, older, tmp_path, spelling, names
):
    base = respelled(tower, tmp_path / "base", spelling)
    record = merge(base, adapter if names == "new" else older, tmp_path / "merged")
    assert record.changed == 7 * 7 + ADAPTED_IMAGES
    assert not any("images" in note for note in record.notes)
    assert {*load_file(tmp_path / "merged" / WEIGHTS)} == {*load_file(base / WEIGHTS)}
    expected = load_adapted(tower, adapter).merge_and_unload().state_dict()
    stored = load_file(tmp_path / "merged" / WEIGHTS)
    found = {plain_name(name): tensor for name, tensor in stored.items()}
    for name, weight in expected.items():
        if name != "lm_head.weight":
            assert torch.equal(found[plain_name(name)], weight), name


def test_a_merged_model_is_verified_and_gives_the_logits_of_peft(
    tower, adapter, tmp_path
):
    merge(tower, adapter, tmp_path / "merged")
    file = convert_model(tmp_path / "merged", tmp_path / "m.gguf", ABOUT, "f16")
    assert not failed(verify_model(tmp_path / "merged", file, threads=1))
    assert nmse(logits(file), peft_logits(tower, adapter)) < ROUNDED


def test_base_and_adapter_give_the_logits_of_peft(tower, gguf, adapter, tmp_path):
    file = convert_adapter(adapter, tower, tmp_path / "a.gguf", ABOUT, "f32")
    expected = peft_logits(tower, adapter)
    assert nmse(logits(gguf), expected) > 1e-3
    assert nmse(logits(gguf, file), expected) < EXACT


def logits(file: Path, adapter: Path | None = None):
    with NativeModel(file, adapter) as native:
        return native.logits(TOKENS, 0 if adapter else None)


def peft_logits(tower: Path, adapter: Path):
    return hf_logits(load_adapted(tower, adapter, dtype=torch.float32), TOKENS)


@pytest.fixture
def alone(tower, tmp_path) -> Path:
    """The text tower saved by itself, under the class of text."""
    whole = AutoModelForCausalLM.from_pretrained(tower)
    model: Any = Gemma3ForCausalLM(whole.config.text_config)
    model.to(torch.bfloat16)
    state = {plain_name(name): t for name, t in whole.state_dict().items()}
    model.load_state_dict({n: t for n, t in state.items() if n in model.state_dict()})
    folder = shutil.copytree(
        tower, tmp_path / "alone", ignore=lambda *_: ["config.json", WEIGHTS]
    )
    model.save_pretrained(folder)
    return folder


def test_a_tower_saved_by_itself_takes_the_adapter_of_the_whole(
    tower, alone, adapter, older, tmp_path
):
    expected = convert_adapter(adapter, tower, tmp_path / "t.gguf", ABOUT, "f32")
    for n, folder in enumerate((adapter, older)):
        found = convert_adapter(folder, alone, tmp_path / f"{n}.gguf", ABOUT, "f32")
        assert found.read_bytes() == expected.read_bytes()
        record = merge(alone, folder, tmp_path / f"merged {n}")
        assert record.changed == 7 * 7
        assert any(f"{ADAPTED_IMAGES} parts of the adapter" in n for n in record.notes)


def test_an_output_layer_that_was_trained_is_kept_apart(tower, tmp_path):
    lora: dict[str, Any] = {
        "target_modules": ["q_proj"],
        "modules_to_save": ["lm_head"],
    }
    adapter = save_adapter(tower, tmp_path / "adapter", **lora)
    with pytest.raises(ConvertError, match="medassist convert merge"):
        convert_adapter(adapter, tower, tmp_path / "a.gguf", ABOUT)
    merge(tower, adapter, tmp_path / "merged")
    file = convert_model(tmp_path / "merged", tmp_path / "m.gguf", ABOUT, "f32")
    assert not failed(verify_model(tmp_path / "merged", file, threads=1))
    assert nmse(logits(file), peft_logits(tower, adapter)) < ROUNDED
    assert any(t.name == "output.weight" for t in GGUFReader(file).tensors)


def test_more_tokens_are_told_to_the_text_model(tower, tmp_path):
    rows = json.loads((tower / "config.json").read_text())["text_config"]["vocab_size"]
    lora = {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True}
    adapter = save_adapter(tower, tmp_path / "adapter", rows=rows + 8, **lora)
    merge(tower, adapter, tmp_path / "merged")
    config = json.loads((tmp_path / "merged" / "config.json").read_text())
    assert config["text_config"]["vocab_size"] == rows + 8
    file = convert_model(tmp_path / "merged", tmp_path / "m.gguf", ABOUT, "f32")
    assert not failed(verify_model(tmp_path / "merged", file, threads=1))


def test_a_tower_stored_with_its_output_layer_alone_is_the_same(tower, gguf, tmp_path):
    folder = shutil.copytree(tower, tmp_path / "tower")
    tensors = load_file(folder / WEIGHTS)
    embedding = tensors.pop("language_model.model.embed_tokens.weight")
    tensors["language_model.lm_head.weight"] = embedding
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    file = convert_model(folder, tmp_path / "m.gguf", ABOUT, "f32")
    tables = [
        next(t.data for t in GGUFReader(f).tensors if t.name == "token_embd.weight")
        for f in (file, gguf)
    ]
    assert np.array_equal(tables[0], tables[1])


def test_a_modelfile_has_the_ends_and_the_window_of_the_text_model(tower, gguf):
    for source in (tower, gguf):
        made = settings_of(source, OllamaWishes())
        assert made.stops == ("<end_of_turn>", "<eos>")
        assert made.parameters["num_ctx"] == 256
        text = modelfile(ModelfileParts("./m.gguf", None, made))
        assert "<start_of_turn>model" in text


def test_a_tensor_that_is_missing_is_named(tower, gguf, tmp_path):
    folder = shutil.copytree(tower, tmp_path / "tower")
    tensors = load_file(folder / WEIGHTS)
    del tensors["language_model.model.layers.3.mlp.up_proj.weight"]
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    with pytest.raises(ConvertError, match=r"lack 1 tensors.*blk\.3\.ffn_up"):
        convert_model(folder, tmp_path / "m.gguf", ABOUT)
    with pytest.raises(ConvertError, match=r"lack model\.language_model\.layers\.3"):
        verify_model(folder, gguf, threads=1)


def test_a_config_without_the_text_model_is_refused(tower, tmp_path):
    folder = shutil.copytree(tower, tmp_path / "tower")
    change_json(folder / "config.json", text_config=None)
    with pytest.raises(ConvertError, match="`text_config`"):
        convert_model(folder, tmp_path / "m.gguf", ABOUT)


# What the makers' config.json say of their text models, and no more.
SIZES = {
    "4B": (
        {"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34},
        (8, 4, 256),
    ),
    "27B": (
        {
            "head_dim": 128,
            "hidden_size": 5376,
            "intermediate_size": 21504,
            "num_attention_heads": 32,
            "num_hidden_layers": 62,
            "num_key_value_heads": 16,
            "query_pre_attn_scalar": 168,
        },
        (32, 16, 128),
    ),
}


@pytest.mark.parametrize("size", SIZES)
def test_what_the_makers_leave_out_is_filled_in(size):
    text, heads = SIZES[size]
    text |= {
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024,
    }
    name = "Gemma3ForConditionalGeneration"
    values = {"architectures": [name], "text_config": text}
    found = architecture_of(JsonFile(Path("config.json"), values))
    assert isinstance(found, Gemma3Tower)
    sizes = found.sizes
    assert (sizes.heads, sizes.kv_heads, sizes.head) == heads
    assert (sizes.vocabulary, sizes.context) == (262208, 131072)
    assert (found.window, found.window_rope.base) == (1024, 1e4)
    assert (found.rope.kind, found.rope.base) == ("linear", 1e6)
    assert found.rope.settings.number("factor") == 8
    layers = range(sizes.layers)
    assert [n for n in layers if not found.windows[n]] == [
        n for n in layers if n % 6 == 5
    ]
