"""Changes to weights that nothing computes with are left out, and it is said why.

Makers publish such weights, and trainers adapt them with the others of their name.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from convert.commands import app
from convert.errors import ConvertError
from convert.gguf.adapter import convert_adapter
from convert.gguf.model import convert_model
from convert.hf_folder import WEIGHTS
from convert.merge import merge
from convert.verify.gate import verify_adapter
from medassist.core.run_folder import ADAPTER_WEIGHTS
from tests.convert.conftest import ABOUT
from tests.convert.families import save_family
from tests.convert.tiny_lora import save_adapter

Tensors = dict[str, torch.Tensor]
TEXT = r".*language_model\.layers.*(q_proj|k_proj|o_proj)"


@dataclass(frozen=True)
class Unused:
    """A base, an adapter of it, and the same with LoRAs on what nothing uses."""

    base: Path
    plain: Path
    mixed: Path
    alone: Path
    reason: str


def with_tensors(folder: Path, copy: Path, tensors: Tensors) -> Path:
    shutil.copytree(folder, copy)
    save_file(tensors, copy / ADAPTER_WEIGHTS, {"format": "pt"})
    return copy


@pytest.fixture(
    scope="module",
    params=[
        ("gemma4-images", "layers.5.", "keys and values of an earlier one"),
        ("qwen35-images", "mtp.layers.0.", "guesses further tokens ahead"),
    ],
    ids=["shared keys", "guesses ahead"],
)
def unused(request, tmp_path_factory) -> Unused:
    family, place, reason = request.param
    folder = tmp_path_factory.mktemp("unused")
    base = save_family(family, folder / "base")
    plain = save_adapter(base, folder / "plain", target_modules=TEXT)
    tensors = load_file(plain / ADAPTER_WEIGHTS)
    layer = "layers.1." if family.startswith("gemma4") else "layers.3."
    more = {
        respelled(name, layer, place): torch.randn_like(tensor)
        for name, tensor in tensors.items()
        if f"{layer}self_attn.k_proj" in name
    }
    assert more
    return Unused(
        base,
        plain,
        with_tensors(plain, folder / "mixed", tensors | more),
        with_tensors(plain, folder / "alone", more),
        reason,
    )


def respelled(name: str, layer: str, place: str) -> str:
    front, _, end = name.partition(layer)
    if place.startswith("mtp"):
        front = front.removesuffix("model.language_model.")
    return front + place + end


def test_the_adapter_is_that_without_them_and_the_note_says_why(unused, tmp_path):
    plain = convert_adapter(unused.plain, unused.base, tmp_path / "1", ABOUT, "f32")
    words = [unused.mixed, tmp_path / "2", "--base", unused.base]
    words += ["--outtype", "f32", "--name", ABOUT.name]
    result = CliRunner().invoke(app, ["adapter", *map(str, words)])
    assert result.exception is None, result.exception
    assert (tmp_path / "2").read_bytes() == plain.read_bytes()
    assert unused.reason in result.stdout


def test_the_merged_model_is_that_without_them_and_the_note_says_why(unused, tmp_path):
    merge(unused.base, unused.plain, tmp_path / "1")
    record = merge(unused.base, unused.mixed, tmp_path / "2")
    one, two = (load_file(tmp_path / n / WEIGHTS) for n in "12")
    assert one.keys() == two.keys()
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())
    assert unused.reason in " ".join(record.notes)


def test_the_gate_proves_what_was_made_of_it(unused, tmp_path):
    base = convert_model(unused.base, tmp_path / "m.gguf", ABOUT, "f32")
    lora = convert_adapter(unused.mixed, unused.base, tmp_path / "l", ABOUT, "f32")
    found = verify_adapter(unused.base, base, unused.mixed, lora, threads=1)
    assert found.passed, found.failed
    with pytest.raises(ConvertError, match=unused.reason):
        verify_adapter(unused.base, base, unused.alone, lora, threads=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda adapter, base, out: convert_adapter(adapter, base, out, ABOUT),
        lambda adapter, base, out: merge(base, adapter, out),
    ],
    ids=["convert", "merge"],
)
def test_an_adapter_that_changes_nothing_else_is_refused(
    make: Callable[[Path, Path, Path], object], unused, tmp_path
):
    with pytest.raises(ConvertError, match="use the base as it is") as caught:
        make(unused.alone, unused.base, tmp_path / "out")
    assert unused.reason in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_weights_that_their_makers_publish_unused_stay_as_they_are(unused, tmp_path):
    base = shutil.copytree(unused.base, tmp_path / "base")
    tensors = load_file(unused.mixed / ADAPTER_WEIGHTS)
    extra = {
        name.partition(".lora_")[0].removeprefix("base_model.model.") + ".weight"
        for name in tensors.keys() - load_file(unused.plain / ADAPTER_WEIGHTS).keys()
    }
    whole = load_file(base / WEIGHTS)
    like = next(t for n, t in whole.items() if n.endswith(".self_attn.k_proj.weight"))
    whole |= {name: like.clone() for name in extra}
    save_file(whole, base / WEIGHTS, {"format": "pt"})
    merge(base, unused.mixed, tmp_path / "merged")
    found = load_file(tmp_path / "merged" / WEIGHTS)
    assert all(torch.equal(found[name], like) for name in extra)
