"""The streamed model is transformers' own, and never whole in memory."""

from __future__ import annotations

import math
import shutil
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from convert.errors import ConvertError
from convert.verify.streamed_model import StreamedModel
from tests.convert.families import FAMILIES, change_json, load_model, save_family
from tests.convert.tiny_hf import hf_logits, load

MANY = 4000  # tokens of a large vocabulary
TEXTS = [[0, 5, 9, 33, 12], [0, *range(7, 90)], [3]]


def streamed(model: StreamedModel, texts, *, adapted=False):
    hidden = model.hidden(texts, adapted=adapted)
    with model.output_layer():
        return [model.logits(states) for states in hidden]


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_are_those_of_the_whole_model(tmp_path, name):
    folder = save_family(name, tmp_path / name)
    whole = load_model(folder).eval()
    found = streamed(StreamedModel(folder), TEXTS)
    for text, logits in zip(TEXTS, found, strict=True):
        expected = hf_logits(cast(Any, whole), text)
        assert np.abs(logits - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("kind", ["plain", "activated"])
def test_an_adapter_is_put_on_and_taken_off(hf, kind):
    whole = load(hf.base, getattr(hf, kind))
    config = cast(Any, whole).peft_config["default"]
    invocation = config.alora_invocation_tokens or []
    texts = [[0, 5, 6, *invocation, 9, 10, 11], [0, 5, *invocation, *range(20, 60)]]
    model = StreamedModel(hf.base, getattr(hf, kind))
    base = load(hf.base)
    for adapted, expected in ((True, whole), (False, base), (True, whole)):
        for text, found in zip(
            texts, streamed(model, texts, adapted=adapted), strict=True
        ):
            assert np.abs(found - hf_logits(expected, text)).max() < 1e-4


def held(model: StreamedModel) -> int:
    """Numbers of the model's weights in memory; a row that stands for all is one."""
    return sum(
        math.prod(n for n, step in zip(p.shape, p.stride(), strict=True) if step)
        for p in model._model.parameters()
        if p.device.type != "meta"
    )


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("llama", {}),
        ("qwen35-images", {}),
        ("gemma4-images", {"vocab_size_per_layer_input": MANY}),
    ],
)
def test_one_matrix_of_a_layer_at_a_time_is_in_memory(name, more, tmp_path):
    """And of the tables of the vocabulary the rows of the texts alone."""
    folder = save_family(name, tmp_path / name, vocab_size=MANY, **more)
    model = StreamedModel(folder)
    most = 0

    def watched(*_: object) -> None:
        nonlocal most
        most = max(most, held(model))

    for module in model._owners:
        module.register_forward_pre_hook(watched)
    model.hidden(TEXTS, adapted=False)
    assert held(model) == 0
    table = cast(Any, model._model.get_input_embeddings()).weight
    assert 0 < most < table.numel() / 8


def test_the_output_layer_is_let_go_too(hf):
    model = StreamedModel(hf.base)
    streamed(model, TEXTS)
    assert all(p.device.type == "meta" for p in model._model.parameters())


def test_in_bf16_a_model_computes_as_its_bf16_file_would(hf):
    model = StreamedModel(hf.base)
    exact = streamed(model, TEXTS)[1]
    model.rounded_to = torch.bfloat16
    rounded = streamed(model, TEXTS)[1]
    change = np.abs(rounded - exact).max() / np.abs(exact).max()
    assert 1e-4 < change < 0.1


@pytest.fixture
def copy(hf, tmp_path):
    return shutil.copytree(hf.base, tmp_path / "base")


def test_weights_that_lack_a_tensor_are_told(copy):
    file = copy / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(ConvertError, match=r"lack model\.layers\.1\.mlp\.up_proj"):
        StreamedModel(copy)


def test_weights_of_another_shape_are_told(copy):
    change_json(copy / "config.json", intermediate_size=128)
    model = StreamedModel(copy)
    with pytest.raises(ConvertError, match="shape"):
        model.hidden(TEXTS, adapted=False)


def test_code_of_the_model_is_never_run(copy, tmp_path):
    change_json(
        copy / "config.json",
        model_type="own",
        auto_map={"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"},
    )
    (copy / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ConvertError, match="cannot build"):
        StreamedModel(copy)
    assert not (tmp_path / "ran").exists()


def test_a_pickled_adapter_is_not_read(hf, tmp_path):
    adapter = shutil.copytree(hf.plain, tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(ConvertError, match="safetensors"):
        StreamedModel(hf.base, adapter)
