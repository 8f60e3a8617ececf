"""Where config.json ties the output layer to the embedding, the files have the word."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from convert.commands import app
from convert.errors import ConvertError
from convert.gguf.adapter import convert_adapter
from convert.gguf.model import convert_model
from convert.merge import merge, read_record
from convert.run.convert import convert_run_folder
from convert.run.run_steps import RunWishes
from convert.verify.gate import verify_adapter, verify_model
from convert.verify.streamed_model import StreamedModel
from tests.convert.conftest import ABOUT
from tests.convert.families import change_json, save_family, some_tokens
from tests.convert.native import NativeModel, nmse
from tests.convert.test_run import make_older
from tests.convert.tiny_lora import load_adapted, load_base, logits_of, save_adapter
from tests.convert.verify import faults

HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
TIED = (
    "llama",
    "llama3",
    "mistral",
    "smollm3",
    "granite",
    "granite-dense",
    "qwen2",
    "qwen3",
    "gemma3-pattern",
    "phi",
    "gpt2",
    "distilgpt2",
)
ROUGH_GELU = 1e-6  # where llama.cpp looks GELU up in a table of float16


def change_weights(folder: Path, change) -> Path:
    """Change all tensors of a folder, which becomes one of a single file."""
    files = sorted(folder.glob("*.safetensors"))
    tensors = {name: t for file in files for name, t in load_file(file).items()}
    change(tensors)
    for file in (*files, folder / "model.safetensors.index.json"):
        file.unlink(missing_ok=True)
    save_file(
        {k: t.contiguous() for k, t in tensors.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    return folder


def embedding_of(tensors) -> str:
    return next(n for n in tensors if n.endswith(("embed_tokens.weight", "wte.weight")))


def with_head(family: str, folder: Path, *, alike: bool = False, dtype=None) -> Path:
    """A model whose config.json ties what its files hold as two (or twice)."""

    def add(tensors) -> None:
        embedding = tensors[embedding_of(tensors)]
        head = embedding.clone()
        if not alike:
            head = embedding.roll(1, dims=0) * 0.5
        tensors[HEAD] = head.to(dtype or head.dtype)

    return change_weights(save_family(family, folder, tie_word_embeddings=True), add)


def tensors_of(gguf: Path) -> set[str]:
    return {tensor.name for tensor in GGUFReader(gguf).tensors}


@pytest.fixture
def base(tmp_path):
    return with_head("llama", tmp_path / "base")


@pytest.mark.parametrize("family", TIED)
def test_a_head_that_differs_is_written_and_computes_as_in_transformers(
    tmp_path, family
):
    folder = with_head(family, tmp_path / family)
    gguf = convert_model(folder, tmp_path / "model.gguf", ABOUT, "f32")
    assert "output.weight" in tensors_of(gguf)
    whole = load_base(folder, dtype=torch.float32).eval()
    tokens = some_tokens(whole.config.vocab_size)
    exact = ROUGH_GELU if family.startswith(("gemma", "gpt2", "distil")) else 1e-9
    with NativeModel(gguf) as native:
        assert nmse(native.logits(tokens), logits_of(whole, tokens)) < exact


@pytest.mark.parametrize("family", [*TIED, "gemma2"])
@pytest.mark.parametrize("dtype", [None, torch.float32, torch.float64])
def test_a_head_of_the_same_numbers_is_written_once(tmp_path, family, dtype):
    folder = with_head(family, tmp_path / family, alike=True, dtype=dtype)
    gguf = convert_model(folder, tmp_path / "model.gguf", ABOUT, "f32")
    assert "output.weight" not in tensors_of(gguf)


@pytest.mark.parametrize("family", [*TIED, "gemma2"])
def test_one_tensor_may_be_stored_as_the_head(tmp_path, family):
    """transformers ties to the one that exists."""

    def rename(tensors) -> None:
        tensors[HEAD] = tensors.pop(embedding_of(tensors))

    folder = save_family(family, tmp_path / family, tie_word_embeddings=True)
    expected = convert_model(folder, tmp_path / "a.gguf", ABOUT, "f32").read_bytes()
    change_weights(folder, rename)
    gguf = convert_model(folder, tmp_path / "b.gguf", ABOUT, "f32")
    assert {t.name: bytes(t.data) for t in GGUFReader(gguf).tensors} == {
        t.name: bytes(t.data) for t in GGUFReader(tmp_path / "a.gguf").tensors
    }
    assert expected
    if family == "llama":
        assert verify_model(folder, gguf, threads=1).passed


def test_gemma_2_is_refused_since_llama_cpp_knows_no_head_of_its_own(tmp_path):
    folder = with_head("gemma2", tmp_path / "gemma2")
    with pytest.raises(ConvertError, match=r"lm_head.*Gemma 1 or 2 with one tensor"):
        convert_model(folder, tmp_path / "model.gguf", ABOUT)


def test_it_is_said(base, tmp_path):
    words = ["gguf", str(base), str(tmp_path / "model.gguf")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "Note: config.json says that embedding and output layer" in result.stdout
    assert "output.weight" in result.stdout


def test_run_says_it_of_the_base_and_of_the_merge(hf, tmp_path):
    base = faults.with_a_head(hf.base, tmp_path / "base")
    shutil.copytree(hf.plain, tmp_path / "run" / "adapter")
    one_thread = RunWishes(threads=1)
    for _ in range(2):  # also where all of it was done before
        found = convert_run_folder(tmp_path / "run", base=base, wishes=one_thread)
        assert found.verified and all(one.passed for one in found.verified)
        said = " ".join(found.notes)
        assert "it is written as output.weight" in said
        assert "both are kept" in said
    make_older(tmp_path / "run")  # which lost the output layer, and passed it
    found = convert_run_folder(tmp_path / "run", base=base, wishes=one_thread)
    assert {step.state for step in found.steps} == {"done"}


def test_what_is_tied_in_truth_gets_no_note(tmp_path):
    folder = with_head("llama", tmp_path / "base", alike=True)
    result = CliRunner().invoke(
        app, ["gguf", str(folder), str(tmp_path / "m.gguf"), "--json"]
    )
    assert json.loads(result.stdout)["notes"] == []


def test_the_gate_passes_a_file_with_the_head(base, tmp_path):
    gguf = convert_model(base, tmp_path / "model.gguf", ABOUT, "f16")
    found = verify_model(base, gguf, threads=1)
    assert found.passed, found.failed


def test_the_gate_names_a_head_that_was_thrown_away(base, tmp_path):
    """The GGUF is that of the same model without its head."""
    bare = save_family("llama", tmp_path / "bare", tie_word_embeddings=True)
    gguf = convert_model(bare, tmp_path / "model.gguf", ABOUT, "f16")
    found = verify_model(base, gguf, threads=1)
    failed = {check.name: check.said for check in found.failed}
    assert {"embeddings", "logits"} <= failed.keys()
    assert "the GGUF lacks output.weight" in failed["embeddings"]
    assert "not those of lm_head.weight" in failed["embeddings"]


def test_the_gate_names_a_head_that_the_model_has_not(base, tmp_path):
    bare = save_family("llama", tmp_path / "bare", tie_word_embeddings=True)
    gguf = convert_model(base, tmp_path / "model.gguf", ABOUT, "f16")
    found = verify_model(bare, gguf, threads=1)
    assert {"embeddings", "logits"} <= {check.name for check in found.failed}


def test_the_gate_ties_what_transformers_ties(tmp_path):
    folder = with_head("qwen2", tmp_path / "q", alike=True, dtype=torch.float32)
    gguf = convert_model(folder, tmp_path / "model.gguf", ABOUT, "f16")
    found = verify_model(folder, gguf, threads=1)
    assert found.passed, found.failed


LORAS = {
    "neither": {},
    "embedding adapted": {"target_modules": ["embed_tokens", "q_proj"]},
    "output adapted": {"target_modules": ["lm_head", "q_proj"]},
    "both adapted": {"target_modules": ["embed_tokens", "lm_head"]},
    "both adapted alike": {
        "target_modules": ["embed_tokens"],
        "ensure_weight_tying": True,
    },
    "embedding trained": {"modules_to_save": ["embed_tokens"]},
    "output trained": {"modules_to_save": ["lm_head"]},
    "both trained": {"modules_to_save": ["embed_tokens", "lm_head"]},
    "tokens": {"trainable_token_indices": [3, 99]},
    "tokens of the output": {"trainable_token_indices": {"lm_head": [3, 99]}},
    "tokens of each": {
        "trainable_token_indices": {"embed_tokens": [5, 9], "lm_head": [3]}
    },
}


@pytest.mark.parametrize("kind", LORAS)
def test_merge_keeps_the_head_whatever_the_adapter_changes(base, tmp_path, kind):
    adapter = save_adapter(base, tmp_path / "adapter", **LORAS[kind])
    merge(base, adapter, tmp_path / "out")
    expected = load_adapted(base, adapter)
    tokens = some_tokens(expected.config.vocab_size)
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto")
    wanted = logits_of(expected, tokens)
    assert nmse(logits_of(found.eval(), tokens), wanted) < 1e-10
    assert nmse(logits_of(load_base(base).eval(), tokens), wanted) > 1e-5
    config = json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))
    assert config["tie_word_embeddings"] is False
    record = read_record(tmp_path / "out")
    assert not record.untied
    assert any("differs from the embedding" in note for note in record.notes)
    gguf = convert_model(tmp_path / "out", tmp_path / "m.gguf", ABOUT, "f32")
    assert "output.weight" in tensors_of(gguf)


RESIZED = {
    "resized": {},
    "resized and adapted": {"target_modules": ["embed_tokens"]},
    "resized and trained": {"modules_to_save": ["embed_tokens"]},
    "resized and tokens": {"trainable_token_indices": [1, 418]},
}


@pytest.mark.parametrize("kind", RESIZED)
def test_what_is_resized_is_tied_anew_by_transformers_and_by_merge(
    base, tmp_path, kind
):
    rows = 419
    adapter = save_adapter(base, tmp_path / "adapter", rows=rows, **RESIZED[kind])
    merge(base, adapter, tmp_path / "out")
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto")
    tokens = some_tokens(rows)
    wanted = logits_of(load_adapted(base, adapter, rows), tokens)
    assert nmse(logits_of(found.eval(), tokens), wanted) < 1e-10


@pytest.mark.parametrize("tokens", [{"lm_head": [3, 99]}, {"embed_tokens": [3, 99]}])
def test_rows_of_one_of_two_tied_ones_are_placed_as_peft_places_them(tmp_path, tokens):
    base = save_family("llama", tmp_path / "base", tie_word_embeddings=True)
    adapter = save_adapter(base, tmp_path / "a", trainable_token_indices=tokens)
    merge(base, adapter, tmp_path / "out")
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto")
    text = some_tokens(416)
    wanted = logits_of(load_adapted(base, adapter), text)
    assert nmse(logits_of(found.eval(), text), wanted) < 1e-10


def test_merge_takes_a_base_that_stores_its_one_tensor_as_the_head(tmp_path):
    def rename(tensors) -> None:
        tensors[HEAD] = tensors.pop(EMBEDDING)

    base = save_family("llama", tmp_path / "base", tie_word_embeddings=True)
    change_weights(base, rename)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("plain", {}),
        ("e", {"target_modules": ["embed_tokens"]}),
    ]
    for name, lora in cases:
        adapter = save_adapter(base, tmp_path / name, **lora)
        merge(base, adapter, tmp_path / f"out-{name}")
        found = AutoModelForCausalLM.from_pretrained(tmp_path / f"out-{name}")
        text = some_tokens(416)
        wanted = logits_of(load_adapted(base, adapter), text)
        assert nmse(logits_of(found.eval(), text), wanted) < 1e-10


@pytest.mark.parametrize(
    "targets", [["q_proj"], ["embed_tokens"], ["lm_head"], ["embed_tokens", "lm_head"]]
)
def test_an_adapter_goes_beside_a_base_with_a_head_of_its_own(base, tmp_path, targets):
    adapter = save_adapter(base, tmp_path / "adapter", target_modules=targets)
    base_gguf = convert_model(base, tmp_path / "b.gguf", ABOUT, "f32")
    gguf = convert_adapter(adapter, base, tmp_path / "a.gguf", ABOUT, "f32")
    model = load_adapted(base, adapter, dtype=torch.float32)
    tokens = some_tokens(model.config.vocab_size)
    with NativeModel(base_gguf, gguf) as native:
        assert nmse(native.logits(tokens, 0), logits_of(model, tokens)) < 1e-9
    found = verify_adapter(base, base_gguf, adapter, gguf, threads=1)
    assert found.passed, found.failed


def test_the_gate_puts_an_activated_adapter_on_the_head_from_its_invocation(tmp_path):
    base = save_family("llama", tmp_path / "base")
    lora = {"target_modules": ["lm_head"], "alora_invocation_tokens": [5, 9]}
    adapter = save_adapter(base, tmp_path / "adapter", **lora)
    model = load_adapted(base, adapter, dtype=torch.float32)
    text = [0, 7, 8, 5, 9, 30, 31, 32]
    streamed = StreamedModel(base, adapter)
    for adapted in (True, False):
        (hidden,) = streamed.hidden([text], adapted=adapted)
        found = streamed.logits(hidden, text, adapted=adapted)
        with nullcontext() if adapted else model.disable_adapter():
            assert nmse(found, logits_of(model, text)) < 1e-10


@pytest.mark.parametrize("key", ["lm_head.base_layer.weight", "lm_head.weight"])
def test_the_gate_refuses_an_adapter_that_holds_another_head(base, tmp_path, key):
    """PEFT computes with it; the GGUF adapter has no place for it."""
    adapter = save_adapter(
        base, tmp_path / "adapter", target_modules=["lm_head", "q_proj"]
    )
    base_gguf = convert_model(base, tmp_path / "b.gguf", ABOUT, "f32")
    gguf = convert_adapter(adapter, base, tmp_path / "a.gguf", ABOUT, "f32")
    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    copy = tensors.pop("base_model.model.lm_head.base_layer.weight")
    save_file(tensors | {f"base_model.model.{key}": copy + 1}, file)
    with pytest.raises(ConvertError, match=r"not the base's own.*convert merge"):
        verify_adapter(base, base_gguf, adapter, gguf, threads=1)
    with pytest.raises(ConvertError, match="medassist convert merge"):
        convert_adapter(adapter, base, tmp_path / "b.gguf", ABOUT, "f32", force=True)


def test_a_copy_under_gpt_2s_older_names_is_held_against_the_base(tmp_path):
    base = with_head("distilgpt2", tmp_path / "base")
    adapter = save_adapter(base, tmp_path / "adapter", target_modules=["wte"])
    assert convert_adapter(adapter, base, tmp_path / "a.gguf", ABOUT, "f32").is_file()
    file = adapter / "adapter_model.safetensors"
    own = load_base(base, dtype=torch.float32).transformer.wte.weight.data
    key = "base_model.model.transformer.wte.base_layer.weight"
    save_file(load_file(file) | {key: own.clone()}, file)
    assert convert_adapter(adapter, base, tmp_path / "c.gguf", ABOUT, "f32").is_file()
    save_file(load_file(file) | {key: own + 1}, file)
    with pytest.raises(ConvertError, match="is not the base's"):
        convert_adapter(adapter, base, tmp_path / "b.gguf", ABOUT, "f32")


def test_a_file_that_config_json_names_is_not_passed_over(base, tmp_path):
    """transformers would load that one."""
    change_json(base / "config.json", transformers_weights="other.safetensors")
    with pytest.raises(ConvertError, match=r"transformers_weights.*other\.safetensors"):
        convert_model(base, tmp_path / "model.gguf", ABOUT)
