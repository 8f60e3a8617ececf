"""A GGUF pair gives the numbers and the text of the Hugging Face pair it came from."""

from __future__ import annotations

import numpy as np
import pytest

from convert.vocabulary import load_tokenizer
from tests.convert.conftest import convert_pair
from tests.convert.native import NativeModel, nmse
from tests.convert.tiny_hf import hf_greedy, hf_logits, load, save_pair

QUESTION = [
    {"role": "system", "content": "Answer briefly."},
    {"role": "user", "content": "Why does the ankle swell? Iron 8 µmol/L."},
]
ANSWER = "The heart pumps too little blood."


@pytest.fixture(scope="session")
def prompt(hf):
    tokenizer = load_tokenizer(hf.base)
    text = tokenizer.apply_chat_template(
        QUESTION, tokenize=False, add_generation_prompt=True
    )
    assert isinstance(text, str)
    return tokenizer.encode(text, add_special_tokens=False)


@pytest.fixture(scope="session")
def answered(hf, prompt):
    answer = load_tokenizer(hf.base).encode(ANSWER, add_special_tokens=False)
    return [*prompt, *answer]


@pytest.mark.parametrize(("quantization", "gate"), [("f32", 1e-9), ("f16", 1e-4)])
@pytest.mark.parametrize("pane", ["base", "plain", "activated"])
def test_logits_are_those_of_the_hugging_face_pair(
    hf, prompt, answered, tmp_path, pane, quantization, gate
):
    gguf = convert_pair(hf, tmp_path, quantization)
    adapter = {"base": None, "plain": hf.plain, "activated": hf.activated}[pane]
    file = {"base": None, "plain": gguf.plain, "activated": gguf.activated}[pane]
    adapted_from = {"base": None, "plain": 0, "activated": len(prompt) - 1}[pane]
    expected = hf_logits(load(hf.base, adapter), answered)
    with NativeModel(gguf.base, file) as native:
        found = native.logits(answered, adapted_from)
    assert nmse(found, expected) < gate
    assert np.array_equal(found.argmax(-1), expected.argmax(-1))


@pytest.mark.parametrize("pane", ["base", "plain", "activated"])
def test_greedy_text_is_that_of_the_hugging_face_pair(hf, gguf_f32, prompt, pane):
    adapter = {"base": None, "plain": hf.plain, "activated": hf.activated}[pane]
    file = {"base": None, "plain": gguf_f32.plain, "activated": gguf_f32.activated}
    adapted_from = {"base": None, "plain": 0, "activated": len(prompt) - 1}[pane]
    with NativeModel(gguf_f32.base, file[pane]) as native:
        found = native.greedy(prompt, 32, adapted_from)
    assert found == hf_greedy(load(hf.base, adapter), prompt, 32)
    assert len(set(found)) > 4, "a text of one token would be equal by accident"


def test_the_three_panes_really_differ(hf, answered, prompt):
    base, plain, activated = (
        hf_logits(load(hf.base, a), answered) for a in (None, hf.plain, hf.activated)
    )
    before = len(prompt) - 1
    assert nmse(activated[:before], base[:before]) < 1e-12
    assert nmse(activated[before:], base[before:]) > 1e-2
    assert nmse(plain[:before], base[:before]) > 1e-2


def test_an_activated_adapter_carries_its_invocation(hf, gguf_f32, prompt):
    with NativeModel(gguf_f32.base, gguf_f32.activated) as native:
        assert native.invocation() == [prompt[-1]]
    with NativeModel(gguf_f32.base, gguf_f32.plain) as native:
        assert native.invocation() == []


def test_a_q8_base_stays_close_to_the_original(hf, answered, tmp_path):
    gguf = convert_pair(hf, tmp_path, "q8_0")
    with NativeModel(gguf.base) as native:
        found = native.logits(answered)
    error = nmse(found, hf_logits(load(hf.base), answered))
    assert 1e-9 < error < 5e-3


def test_a_separate_output_layer_and_sharded_weights_are_carried_over(
    answered, tmp_path
):
    hf = save_pair(tmp_path / "hf", tied=False)
    model = load(hf.base)
    (hf.base / "model.safetensors").unlink()
    model.save_pretrained(str(hf.base), max_shard_size="120KB")
    assert len(list(hf.base.glob("model-*.safetensors"))) > 1
    gguf = convert_pair(hf, tmp_path, "f32")
    with NativeModel(gguf.base) as native:
        assert nmse(native.logits(answered), hf_logits(model, answered)) < 1e-9


def test_the_scale_of_a_rank_stabilised_lora_is_kept(answered, tmp_path):
    hf = save_pair(tmp_path / "hf", use_rslora=True)
    gguf = convert_pair(hf, tmp_path, "f32")
    expected = hf_logits(load(hf.base, hf.plain), answered)
    with NativeModel(gguf.base, gguf.plain) as native:
        assert nmse(native.logits(answered, 0), expected) < 1e-9
