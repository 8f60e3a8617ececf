"""Adapters as trainers leave them count as what PEFT makes of their straight form."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from convert.errors import ConvertError, NeedsMerging
from convert.gguf.adapter import convert_adapter, written_adapter
from convert.gguf.model import About, convert_model
from convert.merge.merge import merge
from convert.plain_adapter import plain_adapter
from convert.verify.gate import verify_model
from convert.verify.streamed_model import StreamedModel
from tests.convert.families import change_json
from tests.convert.tiny_hf import load, save_pair
from tests.convert.tiny_lora import load_adapted, logits_of, save_adapter

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."
TOKENS = [3, 17, 5, 40, 9, 11]


@pytest.fixture(scope="module")
def right(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("right")
    base = save_pair(folder, tied=False).base
    return base, save_adapter(base, folder / "adapter")


def renamed(adapter: Path, to: Path, change: Callable[[str], str]) -> Path:
    shutil.copytree(adapter, to)
    tensors = load_file(adapter / WEIGHTS)
    changed = {change(name): t for name, t in tensors.items()}
    save_file(changed, to / WEIGHTS, {"format": "pt"})
    return to


def as_mlx(adapter: Path, to: Path, kind: str = "lora") -> Path:
    """The same LoRA as mlx_lm.lora saves it: x @ a @ b * scale."""
    to.mkdir()
    shutil.copyfile(adapter / "README.md", to / "README.md")
    tensors = {
        name.removeprefix(PREFIX)
        .removesuffix(".weight")
        .replace("lora_A", "lora_a")
        .replace("lora_B", "lora_b"): t.T.contiguous()
        for name, t in load_file(adapter / WEIGHTS).items()
    }
    save_file(tensors, to / "adapters.safetensors")
    parameters = {"rank": 4, "scale": 3.0, "dropout": 0.0}  # alpha 12 by rank 4
    config = {"fine_tune_type": kind, "num_layers": 2, "lora_parameters": parameters}
    (to / CONFIG).write_text(json.dumps(config | {"model": "base"}))
    return to


NAMES: dict[str, Callable[[str], str]] = {
    "compiled": lambda n: n.replace(PREFIX, f"{PREFIX}_orig_mod."),
    "compiled outside": "_orig_mod.{}".format,
    "FSDP": lambda n: n.replace("mlp.", "_fsdp_wrapped_module.mlp."),
    "checkpointing": lambda n: n.replace("mlp.", "mlp._checkpoint_wrapped_module."),
    "Lightning": "_forward_module.{}".format,
    "DDP": "module.{}".format,
    "doubled": "base_model.model.{}".format,
    "three times": "base_model.model.base_model.model.{}".format,
    "default": lambda n: n.replace(".weight", ".default.weight"),
    "named": lambda n: n.replace(".weight", ".second_try.weight"),
    "without PEFT's prefix": lambda n: n.removeprefix(PREFIX),
    "all at once": lambda n: (
        f"module._orig_mod.{PREFIX}{n.replace('.weight', '.default.weight')}"
    ),
}


@pytest.mark.parametrize("name", [*NAMES, "MLX"])
def test_an_adapter_of_any_trainer_is_merged_and_verified_as_peft_reads_it(
    right, tmp_path, name
):
    base, adapter = right
    if name == "MLX":
        given = as_mlx(adapter, tmp_path / "given")
    else:
        given = renamed(adapter, tmp_path / "given", NAMES[name])
    expected = logits_of(load_adapted(base, adapter, dtype=torch.float32), TOKENS)
    straight = plain_adapter(given)
    read = logits_of(load_adapted(base, straight, dtype=torch.float32), TOKENS)
    np.testing.assert_allclose(read, expected, atol=1e-5)
    merge(base, given, tmp_path / "merged")
    merge(base, adapter, tmp_path / "wanted")
    one, other = (
        logits_of(load(tmp_path / folder), TOKENS) for folder in ("merged", "wanted")
    )
    np.testing.assert_allclose(one, other, atol=1e-5)
    convert_adapter(given, base, tmp_path / "a.gguf", About("a"))
    convert_adapter(adapter, base, tmp_path / "b.gguf", About("b"))
    assert written_adapter(tmp_path / "a.gguf").pairs == 14
    assert written_adapter(tmp_path / "a.gguf").alpha == 12


def test_verify_computes_with_a_straightened_adapter(right, tmp_path):
    base, adapter = right
    given = as_mlx(adapter, tmp_path / "given")
    found = StreamedModel(base, given)
    expected = logits_of(load_adapted(base, adapter, dtype=torch.float32), TOKENS)
    (hidden,) = found.hidden([TOKENS], adapted=True)
    logits = found.logits(hidden, TOKENS, adapted=True)
    np.testing.assert_allclose(np.asarray(logits), expected, atol=1e-3)


def test_an_adapter_that_peft_saved_is_read_where_it_lies(right):
    assert plain_adapter(right[1]) == right[1]


def test_several_adapters_in_one_file_are_asked_about(right, tmp_path):
    base, adapter = right
    given = renamed(
        adapter, tmp_path / "given", lambda n: n.replace(".weight", ".one.weight")
    )
    tensors = load_file(given / WEIGHTS)
    more = {n.replace(".one.", ".two."): t.clone() for n, t in tensors.items()}
    save_file(tensors | more, given / WEIGHTS, {"format": "pt"})
    with pytest.raises(ConvertError, match=r"several adapters \(one, two\)"):
        merge(base, given, tmp_path / "merged")


def test_one_tensor_under_two_names_counts_once_and_others_are_refused(right, tmp_path):
    base, adapter = right
    given = renamed(adapter, tmp_path / "given", str)
    tensors = load_file(given / WEIGHTS)
    more = {f"module.{name}": t.clone() for name, t in tensors.items()}
    save_file(tensors | more, given / WEIGHTS, {"format": "pt"})
    merge(base, given, tmp_path / "alike")
    more = {name: t + 1 for name, t in more.items()}
    save_file(tensors | more, given / WEIGHTS, {"format": "pt"})
    with pytest.raises(ConvertError, match="twice, with other numbers under"):
        merge(base, given, tmp_path / "merged")


def with_its_base(base: Path, given: Path, dtype: torch.dtype, **changed) -> None:
    """Put the base beside the LoRA, as the whole state of a training has it."""
    found = load_adapted(base, given, dtype=dtype).state_dict()
    state = {name: tensor.clone() for name, tensor in found.items()}
    for name, tensor in load_file(given / WEIGHTS).items():
        state[name.replace(".weight", ".default.weight")] = tensor
    assert any(name.endswith("q_proj.base_layer.weight") for name in state)
    save_file(state | changed, given / WEIGHTS, {"format": "pt"})


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "two"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_whole_state_of_a_training_counts_as_its_lora_alone(tmp_path, tied, dtype):
    base = save_pair(tmp_path / "pair", tied=tied).base
    adapter = save_adapter(base, tmp_path / "adapter")
    convert_adapter(adapter, base, tmp_path / "a.gguf", About("a"), "f32")
    given = renamed(adapter, tmp_path / "given", str)
    with_its_base(base, given, dtype)
    convert_adapter(given, base, tmp_path / "b.gguf", About("a"), "f32")
    assert written_adapter(tmp_path / "b.gguf").pairs == 14
    expected = logits_of(load_adapted(base, adapter, dtype=torch.float32), TOKENS)
    proof = StreamedModel(base, given)
    (hidden,) = proof.hidden([TOKENS], adapted=True)
    found = np.asarray(proof.logits(hidden, TOKENS, adapted=True))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    if dtype == torch.float32:
        assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()
        merge(base, given, tmp_path / "merged")
        merge(base, adapter, tmp_path / "wanted")
        one, other = (
            load_file(tmp_path / folder / "model.safetensors")
            for folder in ("merged", "wanted")
        )
        assert {*one} == {*other}
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_norm_that_was_trained_beside_a_lora_is_not_lost(right, tmp_path):
    base, adapter = right
    given = renamed(adapter, tmp_path / "given", str)
    norm = f"{PREFIX}model.norm.weight"
    with_its_base(base, given, torch.float32, **{norm: torch.full((64,), 0.5)})
    with pytest.raises(NeedsMerging, match=r"model\.norm\.weight as a whole"):
        convert_adapter(given, base, tmp_path / "a.gguf", About("a"))
    merge(base, given, tmp_path / "merged")
    merged = load_file(tmp_path / "merged" / "model.safetensors")
    assert torch.equal(merged["model.norm.weight"].float(), torch.full((64,), 0.5))


def test_a_base_of_4_bits_beside_the_lora_is_left_out(right, tmp_path):
    base, adapter = right
    given = renamed(adapter, tmp_path / "given", NAMES["default"])
    state = load_file(given / WEIGHTS)
    modules = {name.partition(".lora_")[0] for name in state}
    for module in modules:
        front = f"{module}.base_layer.weight"
        state[front] = torch.ones(8, 1, dtype=torch.uint8)
        state[f"{front}.absmax"] = torch.ones(8)
        state[f"{front}.quant_map"] = torch.ones(16)
        state[f"{front}.quant_state.bitsandbytes__nf4"] = torch.ones(8)
    save_file(state, given / WEIGHTS, {"format": "pt"})
    convert_adapter(given, base, tmp_path / "b.gguf", About("a"), "f32")
    convert_adapter(adapter, base, tmp_path / "a.gguf", About("a"), "f32")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()
    assert merge(base, given, tmp_path / "merged").changed == 14


def test_the_other_kinds_of_mlx_are_refused_with_a_way_out(right, tmp_path):
    base, adapter = right
    given = as_mlx(adapter, tmp_path / "given", kind="dora")
    with pytest.raises(ConvertError, match=r"mlx_lm\.fuse"):
        merge(base, given, tmp_path / "merged")


@pytest.mark.parametrize("task", ["SEQ_CLS", "TOKEN_CLS", "FEATURE_EXTRACTION"])
def test_an_adapter_of_a_classifier_is_refused_by_its_task(right, tmp_path, task):
    base, adapter = right
    given = renamed(adapter, tmp_path / "given", str)
    change_json(given / CONFIG, task_type=task)
    with pytest.raises(ConvertError, match=f"'{task}'.*does not write.*CAUSAL_LM"):
        merge(base, given, tmp_path / "merged")


def test_a_pickled_adapter_is_refused_with_the_line_that_helps(
    right, tmp_path, monkeypatch
):
    base, adapter = right
    given = renamed(adapter, tmp_path / "given", str)
    torch.save(load_file(given / WEIGHTS), given / "adapter_model.bin")
    (given / WEIGHTS).unlink()
    with pytest.raises(ConvertError, match="can run code") as refused:
        merge(base, given, tmp_path / "merged")
    line = str(refused.value).rpartition('python -c "')[2].rstrip('"')
    monkeypatch.chdir(given)
    exec(line)
    merge(base, given, tmp_path / "merged")


ADDED = ["<dose>", "<unit>"]
SAVED_WHOLE: dict[str, Callable[[str], str]] = {
    "as PEFT saves it": str,
    "of a trainer's state": lambda n: (
        NAMES["default"](n)
        if "lora_" in n
        else n.replace("modules_to_save.weight", "modules_to_save.default.weight")
    ),
    "without PEFT's prefix": NAMES["without PEFT's prefix"],
    "compiled": NAMES["compiled"],
}


@pytest.fixture(scope="module", params=[False, True], ids=["two", "tied"])
def grown(request, tmp_path_factory) -> tuple[Path, Path, int]:
    """A base, an adapter of it with two tokens more, and its rows, which are padded.

    As Unsloth makes it: embedding and output layer trained whole, in float32.
    """
    folder = tmp_path_factory.mktemp("grown")
    base = save_pair(folder, tied=request.param).base
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(ADDED, special_tokens=True)
    rows = -(-len(tokenizer) // 64) * 64
    both = ["embed_tokens", "lm_head"]
    adapter = save_adapter(base, folder / "adapter", rows=rows, modules_to_save=both)
    tensors = {n: t.float() for n, t in load_file(adapter / WEIGHTS).items()}
    save_file(tensors, adapter / WEIGHTS, {"format": "pt"})
    change_json(adapter / CONFIG, unsloth_fixed=True)
    tokenizer.save_pretrained(adapter)
    return base, adapter, rows


@pytest.mark.parametrize("name", SAVED_WHOLE)
def test_added_tokens_with_embedding_and_head_in_the_adapter_are_merged(
    grown, tmp_path, name
):
    base, adapter, rows = grown
    given = renamed(adapter, tmp_path / "given", SAVED_WHOLE[name])
    merge(base, given, tmp_path / "merged")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    tokens = [*TOKENS, *map(int, tokenizer.convert_tokens_to_ids(ADDED))]
    expected = load_adapted(base, adapter, rows, dtype=torch.float32)
    found = logits_of(load(tmp_path / "merged").float(), tokens)
    assert found.shape[-1] == rows
    np.testing.assert_allclose(found, logits_of(expected, tokens), atol=1e-4)


def test_a_model_of_more_tokens_is_a_verified_gguf_and_its_adapter_none(
    grown, tmp_path
):
    base, adapter, _ = grown
    with pytest.raises(
        NeedsMerging, match=r"whole modules were trained.*convert merge"
    ):
        convert_adapter(adapter, base, tmp_path / "a.gguf", About("a"))
    merge(base, adapter, tmp_path / "merged")
    gguf = convert_model(tmp_path / "merged", tmp_path / "m.gguf", About("m"), "f32")
    found = verify_model(tmp_path / "merged", gguf, threads=1)
    assert found.passed, found.failed
