"""A run's pair is made of what fits, is proven and runs fast, and this is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import gguf
import pytest

from medassist.core.files import sha256_of_file
from medassist.core.values import PairFiles
from medassist.library import fit
from medassist.library.model_import import import_path
from medassist.library.registry import load_registry
from tests.tiny_models import TinyPair

Q8, Q4, F32 = "base-q8_0.gguf", "base-q4_0.gguf", "base-f32.gguf"
ADAPTER = "adapter.gguf"


def quantized(source: Path, target: Path, kind: gguf.GGMLQuantizationType) -> Path:
    """`source` with its matrices in `kind`."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "llama")
    for key, entry in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        inner = entry.types[-1] if entry.types[0] == gguf.GGUFValueType.ARRAY else None
        value = entry.contents()
        if key == gguf.Keys.General.FILE_TYPE:
            value = int(gguf.LlamaFileType[f"MOSTLY_{kind.name}"])
        writer.add_key_value(key, value, entry.types[0], inner)
    for tensor in reader.tensors:
        data, stored = tensor.data, tensor.tensor_type
        if data.ndim == 2 and "blk." in tensor.name:
            data, stored = gguf.quants.quantize(data, kind), kind
        writer.add_tensor(tensor.name, data, raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def proven(folder: Path, losses: dict[str, float | None], failed: str = "") -> None:
    """A verify.json for the files of `folder` and what each lost."""
    files: dict[str, object] = {}
    for name, loss in losses.items():
        sha256 = sha256_of_file(folder / name)
        check = {"name": "logits", "passed": name != failed, "said": "", "figures": {}}
        measured = {
            "against": F32,
            "against_sha256": "0" * 64,
            "text": "built-in",
            "text_sha256": "0" * 64,
            "tokens": 1,
            "chunks": 1,
            "context": 512,
            "figures": {"Mean KLD": {"value": loss}},
        }
        files[sha256] = {
            "kind": "model",
            "file": name,
            "sha256": sha256,
            "quantization": "",
            "checks": [check],
            "loss": None if loss is None else measured,
        }
    text = json.dumps({"version": 1, "files": files})
    (folder / "verify.json").write_text(text)


@pytest.fixture
def run(home: Path, tiny: TinyPair, tmp_path: Path) -> Path:
    """A run with a base in three types, none of them verified yet."""
    folder = tmp_path / "my-run" / "gguf"
    folder.mkdir(parents=True)
    shutil.copy(tiny.base, folder / F32)
    quantized(tiny.base, folder / Q8, gguf.GGMLQuantizationType.Q8_0)
    quantized(tiny.base, folder / Q4, gguf.GGMLQuantizationType.Q4_0)
    shutil.copy(tiny.plain, folder / ADAPTER)
    return folder.parent


def chosen(run: Path) -> tuple[str, str]:
    """The file name of the pair's base, and what is said of it."""
    found = import_path(run)
    assert found.pair
    files = load_registry().files(found.pair)
    assert files and files.base
    (said,) = [note for note in found.notes if note.startswith("The pair takes")]
    assert files.base.name in said
    return files.base.name, said


def test_the_smallest_verified_base_that_lost_little_is_paired(run: Path):
    proven(run / "gguf", {F32: None, Q8: 0.001, Q4: 0.013, ADAPTER: None})
    name, said = chosen(run)
    assert name == Q4
    assert "lost 0.013 nats a token" in said and "fastest" in said
    assert "adapter itself is verified on the unquantized base" in said


def test_an_adapter_that_is_not_verified_or_failed_is_not_said_to_be(run: Path):
    losses = {F32: None, Q8: 0.001, Q4: 0.013}
    proven(run / "gguf", losses)
    assert "adapter itself is not verified" in chosen(run)[1]
    proven(run / "gguf", losses | {ADAPTER: None}, failed=ADAPTER)
    assert "adapter itself did not pass" in chosen(run)[1]


def test_a_base_that_lost_much_is_passed_over_for_a_larger_one(run: Path):
    proven(run / "gguf", {F32: None, Q8: 0.001, Q4: 0.11})
    assert chosen(run)[0] == Q8


def test_a_base_that_is_not_verified_or_failed_is_passed_over(run: Path):
    proven(run / "gguf", {F32: None, Q8: 0.001})
    assert chosen(run)[0] == Q8
    proven(run / "gguf", {F32: None, Q8: 0.001}, failed=Q8)
    name, said = chosen(run)
    assert name == F32
    assert "nats" not in said


def test_without_any_proof_the_unquantized_base_is_taken_as_unproven(run: Path):
    name, said = chosen(run)
    assert name == F32
    assert "not verified, as no other is" in said


def test_what_does_not_fit_is_passed_over_for_what_lost_more(
    run: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = run / "gguf"
    proven(folder, {F32: None, Q8: 0.001, Q4: 0.11})
    lora = folder / "adapter.gguf"
    # What llama.cpp copies of Q4_0 hangs on the processor.
    monkeypatch.setattr(fit, "repacked_bytes", lambda _: 0)
    room = fit.need(PairFiles(base=folder / Q4, adapter=lora)).total
    assert room < fit.need(PairFiles(base=folder / Q8, adapter=lora)).total
    monkeypatch.setattr(fit, "available_memory", lambda: room)
    name, said = chosen(run)
    assert name == Q4
    assert "just fits" in said and "nothing with less loss would do" in said


def test_base_and_merged_model_are_taken_in_one_type(run: Path, tiny: TinyPair):
    folder = run / "gguf"
    (folder / "adapter.gguf").unlink()
    shutil.copy(tiny.merged, folder / "tuned-f32.gguf")
    quantized(tiny.merged, folder / "tuned-q8_0.gguf", gguf.GGMLQuantizationType.Q8_0)
    losses = {F32: None, Q8: 0.001, Q4: 0.013, "tuned-f32.gguf": None}
    proven(folder, {**losses, "tuned-q8_0.gguf": 0.002})
    found = import_path(run)
    files = load_registry().files(found.pair or "")
    assert files and files.base and files.tuned
    assert (files.base.name, files.tuned.name) == (Q8, "tuned-q8_0.gguf")
