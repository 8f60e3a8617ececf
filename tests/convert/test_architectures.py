"""Every architecture comes out as upstream's converter and as transformers have it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import LlamaFileType
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

from convert.architectures import KNOWN
from convert.gguf.file import TYPES, Quantization
from convert.gguf.model import ModelFolder, convert_model
from tests.convert.contents import contents, digest
from tests.convert.families import (
    FAMILIES,
    change_json,
    load_model,
    model_of,
    rows_of,
    save_family,
    some_tokens,
)
from tests.convert.greedy import same_greedy
from tests.convert.native import NativeModel, nmse
from tests.convert.tiny_hf import hf_logits

UPSTREAM = Path(__file__).parent / "fixtures" / "upstream"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in made:
            made[name] = save_family(name, tmp_path_factory.mktemp("hf") / name)
        return made[name]

    return of


@pytest.fixture(scope="module")
def gguf(folder, tmp_path_factory):
    made: dict[tuple[str, str], Path] = {}

    def of(name: str, kind: Quantization) -> Path:
        if (name, kind) not in made:
            file = tmp_path_factory.mktemp("gguf") / f"{kind}.gguf"
            made[name, kind] = convert_model(folder(name), file, None, kind)
        return made[name, kind]

    return of


def from_hf(folder: Path) -> Any:
    return load_model(folder).eval()


@pytest.mark.parametrize("name", FAMILIES)
def test_tensors_and_settings_are_those_of_upstreams_converter(gguf, name):
    expected = json.loads((UPSTREAM / f"{name}.json").read_text("utf-8"))
    wanted = expected["metadata"]
    found = contents(gguf(name, "f32"))
    for tensor, what in expected["tensors"].items():
        if what.startswith("MXFP4"):  # decoded here in this type
            assert found.tensors[tensor].startswith("F32")
        else:
            assert found.tensors[tensor] == what
    assert found.tensors.keys() == expected["tensors"].keys()
    if name == "qwen2-images":  # as a Qwen2, whose norms llama.cpp computes whole
        wanted = {k.replace("qwen2vl", "qwen2"): v for k, v in wanted.items()}
        del wanted["qwen2.rope.dimension_sections"]
        wanted["general.architecture"] = "qwen2"
    settings = {
        key: value
        for key, value in found.metadata.items()
        if not key.startswith("tokenizer.") and key not in FAMILIES[name].beyond
    }
    assert settings == wanted
    assert found.metadata.keys() >= FAMILIES[name].beyond


@pytest.mark.parametrize("kind", ["f16", "bf16", "q8_0"])
@pytest.mark.parametrize("name", FAMILIES)
def test_each_type_has_the_bytes_of_upstreams_converter(gguf, name, kind):
    expected = json.loads((UPSTREAM / f"{name}.json").read_text("utf-8"))
    found = contents(gguf(name, kind))
    assert digest(found) == expected[kind]
    packed = name == "gpt-oss-mxfp4" and kind != "q8_0"
    wanted = LlamaFileType.MOSTLY_MXFP4_MOE if packed else TYPES[kind][1]
    assert found.metadata["general.file_type"] == wanted


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_and_greedy_text_are_those_of_transformers(folder, gguf, name):
    model = from_hf(folder(name))
    tokens = some_tokens(rows_of(model))
    expected = hf_logits(model, tokens)
    with NativeModel(gguf(name, "f32")) as native:
        found = native.logits(tokens)
        text = native.greedy(tokens, 12)
    # llama.cpp looks GELU up in a table of float16.
    rough = name.startswith(("gemma", "gpt", "distil", "pythia"))
    assert nmse(found, expected) < (1e-6 if rough else 1e-9)
    assert np.array_equal(found.argmax(-1), expected.argmax(-1))
    assert same_greedy(text, model, tokens, float(np.abs(found - expected).max()))


def type_name(name: str) -> str:
    with torch.device("meta"):
        config = FAMILIES[name].config(vocab_size=32, **FAMILIES[name].settings)
        return type(model_of(config)).__name__


READ_BY_TRANSFORMERS = [
    name
    for name in FAMILIES
    if KNOWN[type_name(name)].gguf_name in GGUF_SUPPORTED_ARCHITECTURES
    # The first two a GGUF calls a Llama and a Qwen2, and transformers does not; of the
    # others it leaves the scale of each layer out.
    and name not in ("mixtral", "qwen2-images", "gemma4", "gemma4-images")
]


@pytest.mark.parametrize("name", READ_BY_TRANSFORMERS)
def test_transformers_reads_the_gguf_back_to_the_very_numbers(folder, gguf, name):
    """With the settings of config.json, not all of which it reads from a GGUF."""
    model = from_hf(folder(name))
    tokens = some_tokens(rows_of(model))
    file = gguf(name, "f32")
    # It reads a Mistral as the Llama that its GGUF says it is.
    config = (
        None
        if name == "mistral"
        else AutoConfig.from_pretrained(folder(name)).get_text_config()
    )
    back: Any = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, config=config, dtype=torch.float32
    ).eval()
    assert np.array_equal(hf_logits(back, tokens), hf_logits(model, tokens))


def test_longrope_takes_its_long_factors_in_a_long_text(folder, gguf):
    model = from_hf(folder("phi-long"))
    tokens = some_tokens(rows_of(model), 300)
    with NativeModel(gguf("phi-long", "f32")) as native:
        assert nmse(native.logits(tokens), hf_logits(model, tokens)) < 1e-6


OLD = {
    "llama3": {
        "rope_theta": 500000.0,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    },
    "llama-linear": {
        "rope_theta": 10000.0,
        "rope_scaling": {"type": "linear", "factor": 2.0},
    },
    "qwen2-yarn": {
        "rope_theta": 10000.0,
        "rope_scaling": {
            "type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    },
    "gemma3": {
        "rope_theta": 1e6,
        "rope_local_base_freq": 10000.0,
        "rope_scaling": {"rope_type": "linear", "factor": 2.0},
        "sliding_window_pattern": 6,
        "layer_types": None,
    },
    "phi": {"rope_theta": 10000.0, "rope_scaling": None},
}


@pytest.mark.parametrize("name", OLD)
def test_a_config_as_it_was_before_transformers_5_gives_the_same_file(
    folder, gguf, tmp_path, name
):
    old = shutil.copytree(folder(name), tmp_path / name)
    values = json.loads((old / "config.json").read_text("utf-8"))
    del values["rope_parameters"]
    (old / "config.json").write_text(json.dumps(values | OLD[name]), "utf-8")
    file = convert_model(old, tmp_path / "old.gguf", None, "f32")
    assert file.read_bytes() == gguf(name, "f32").read_bytes()


@pytest.mark.parametrize("name", FAMILIES)
def test_what_config_json_leaves_out_is_what_transformers_takes(name):
    config = FAMILIES[name].config()
    defaults = KNOWN[type_name(name)].defaults
    tied = config.tie_word_embeddings  # read outside alone
    config = config.get_text_config()
    values = {"rope_theta": config.default_theta} | config.to_dict()
    values["tie_word_embeddings"] = tied
    for key, value in defaults.items():
        if value is not None:
            assert values[key] == value, key


def test_a_short_config_is_completed_as_transformers_does(folder, tmp_path, gguf):
    short = shutil.copytree(folder("llama"), tmp_path / "llama")
    values = json.loads((short / "config.json").read_text("utf-8"))
    for key in ("head_dim", "tie_word_embeddings", "rms_norm_eps", "rope_parameters"):
        del values[key]
    (short / "config.json").write_text(json.dumps(values), "utf-8")
    file = convert_model(short, tmp_path / "short.gguf", None, "f32")
    assert file.read_bytes() == gguf("llama", "f32").read_bytes()


def test_a_bfloat16_checkpoint_is_copied_bit_for_bit(folder, gguf):
    found = contents(gguf("qwen2", "bf16"))
    assert found.tensors["blk.0.ffn_up.weight"].startswith("BF16 96x64")
    assert found.tensors["blk.0.attn_norm.weight"].startswith("F32 64")


def test_a_gpt2_with_a_feed_forward_of_its_own_width_is_written_as_it_is(tmp_path):
    family = FAMILIES["gpt2"]
    hf = save_family("gpt2", tmp_path / "gpt2", n_inner=96)
    assert family.settings.get("n_inner") is None
    file = convert_model(hf, tmp_path / "wide.gguf", None, "f32")
    model = from_hf(hf)
    tokens = some_tokens(rows_of(model))
    with NativeModel(file) as native:
        assert nmse(native.logits(tokens), hf_logits(model, tokens)) < 1e-6


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("olmo2", {"tie_word_embeddings": True}),  # llama.cpp wants the tensor twice
        ("pythia", {"tie_word_embeddings": True}),
        ("granite-dense", {"position_embedding_type": None}),
    ],
)
def test_what_upstream_gets_wrong_is_written_as_the_model_computes(
    tmp_path, name, changes
):
    hf = save_family(name, tmp_path / name, **changes)
    file = convert_model(hf, tmp_path / "m.gguf", None, "f32")
    model = from_hf(hf)
    tokens = some_tokens(rows_of(model))
    with NativeModel(file) as native:
        assert nmse(native.logits(tokens), hf_logits(model, tokens)) < 1e-6


def test_a_window_that_llama_cpp_does_not_compute_is_said(folder, tmp_path):
    hf = shutil.copytree(folder("mistral"), tmp_path / "mistral")
    assert ModelFolder.open(hf).architecture.notes == ()
    change_json(hf / "config.json", sliding_window=64)
    (said,) = ModelFolder.open(hf).architecture.notes
    assert "64 tokens" in said


def test_every_known_architecture_is_tried():
    assert {type_name(name) for name in FAMILIES} | {"LLaMAForCausalLM"} == {*KNOWN}
