"""An adapter that was trained on a GGUF: that file stays the base, and is proven on."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from shutil import copytree

import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from convert.commands import app
from convert.errors import ConvertError
from convert.gguf.model import convert_model
from convert.quantize import quantize
from convert.run.convert import RunConverted, convert_run_folder
from convert.run.run_steps import RunWishes
from convert.unpack import tokenizer_check
from convert.verify.result import require_verified
from medassist.core.files import sha256_of_file
from medassist.core.tensors_hash import hash_of_tensors
from tests.convert.tiny_hf import HfFolders


@pytest.fixture(autouse=True, scope="module")
def _few_odd_texts() -> Generator[None]:
    """All of them are read where unpacking itself is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizer_check, "ODD", 20)
        yield


@pytest.fixture(scope="module")
def gguf(hf: HfFolders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("q4")
    whole = convert_model(hf.base, folder / "f16.gguf")
    quantize(whole, folder / "tiny-q4.gguf", ["Q4_1"], threads=1)
    return folder / "tiny-q4.gguf"


def make_run(root: Path, adapter: Path, gguf: Path) -> Path:
    """A run folder whose adapter names `gguf` as its base."""
    copytree(adapter, root / "adapter")
    config = root / "adapter" / "adapter_config.json"
    said = json.loads(config.read_text("utf-8"))
    said["base_model_name_or_path"] = str(gguf)
    config.write_text(json.dumps(said), "utf-8")
    return root


@pytest.fixture(scope="module")
def run(hf: HfFolders, gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "run", hf.plain, gguf)


@pytest.fixture(scope="module")
def converted(run: Path) -> RunConverted:
    return convert_run_folder(run, wishes=RunWishes(types=None, threads=1))


def cli(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


def test_the_adapter_alone_is_made_and_verified_on_the_gguf_itself(
    run, converted, gguf
):
    assert [step.name for step in converted.steps] == ["adapter", "verify adapter"]
    made = sorted(file.name for file in (run / "gguf").glob("*.gguf"))
    assert made == ["adapter.gguf"]
    found = require_verified(run / "gguf" / "adapter.gguf")
    assert found.passed
    assert found.base_sha256 == sha256_of_file(gguf)
    assert found.tensors == hash_of_tensors(run / "gguf" / "adapter.gguf")
    assert converted.modelfile is None
    assert not (run / "merged").exists()
    assert any(f"--base {gguf} --adapter" in note for note in converted.notes)
    assert [f.name for f in (run / "gguf").iterdir() if f.name[0] == "."] == []


def test_a_second_call_does_nothing(run, converted):
    again = convert_run_folder(run, wishes=RunWishes(types=None, threads=1))
    assert {step.state for step in again.steps} == {"unchanged"}


@pytest.mark.parametrize(
    ("wishes", "named"),
    [
        (RunWishes(types=("Q8_0",)), "--types"),
        (RunWishes(system="Be brief."), "--system"),
    ],
)
def test_what_is_for_a_merged_model_is_not_passed_over(run, converted, wishes, named):
    with pytest.raises(ConvertError, match=rf"{named} .*--merge"):
        convert_run_folder(run, wishes=wishes)


def test_a_merged_model_is_made_where_it_is_asked_for(hf, gguf, tmp_path):
    root = make_run(tmp_path / "run", hf.plain, gguf)
    wishes = RunWishes(types=("Q8_0",), merge=True, threads=1)
    found = convert_run_folder(root, wishes=wishes)
    made = sorted(file.stem for file in (root / "gguf").glob("*.gguf"))
    assert made == ["adapter", "tuned-f16", "tuned-q8_0"]
    assert all(entry.passed for entry in found.verified)
    assert found.modelfile == root / "Modelfile"


def test_a_gguf_that_was_moved_is_asked_for_and_then_taken(
    gguf, run, converted, tmp_path
):
    root = copytree(run, tmp_path / "run")
    unpacked = root / "base" / "unpacked.json"
    said = json.loads(unpacked.read_text("utf-8")) | {"file": str(tmp_path / "gone")}
    unpacked.write_text(json.dumps(said), "utf-8")
    with pytest.raises(ConvertError, match=r"which is not there; .*--base FILE\.gguf"):
        convert_run_folder(root)
    found = convert_run_folder(root, base=gguf, wishes=RunWishes(types=None, threads=1))
    assert found.verified[0].passed


def test_the_adapter_is_converted_with_the_gguf_as_with_its_folder(
    hf, gguf, run, converted, tmp_path
):
    words = ("adapter", run / "adapter", "--name", "a", "--base")
    assert cli(*words, gguf, tmp_path / "one.gguf").exit_code == 0
    assert cli(*words, run / "base", tmp_path / "two.gguf").exit_code == 0
    one, two = (tmp_path / f"{n}.gguf" for n in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.gguf", "two.gguf"]


def test_the_gate_tells_a_wrong_adapter_on_a_quantized_base(run, gguf, tmp_path):
    wrong = copytree(run / "adapter", tmp_path / "wrong")
    file = wrong / "adapter_model.safetensors"
    weights = load_file(file)
    name = next(name for name in weights if "v_proj.lora_B" in name)
    weights[name] *= 1.05
    save_file(weights, file)
    made = tmp_path / "wrong.gguf"
    assert cli("adapter", wrong, made, "--base", gguf).exit_code == 0
    words = ("verify", gguf, gguf, "--threads", 1, "--adapter-gguf", made, "--adapter")
    right = cli(*words, wrong)
    assert right.exit_code == 0, right.output
    found = cli(*words, run / "adapter")
    assert found.exit_code == 1, found.output
    assert "FAIL adapter logits" in found.output
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"wrong", "wrong.gguf", "verify.json"}


def test_a_gguf_is_not_verified_against_itself(gguf):
    found = cli("verify", gguf, gguf)
    assert isinstance(found.exception, ConvertError)
    assert "is to be verified of it" in str(found.exception)
