"""The gate lets a right file through and names what is wrong with a wrong one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from convert.commands import app
from convert.errors import ConvertError
from convert.gguf.model import convert_model
from convert.quantize import quantize
from convert.verify import gate, token_ids
from convert.verify.gate import verify_adapter, verify_model
from convert.verify.result import read_verified, require_verified
from convert.verify.texts import prose
from medassist.core.proofs import Verified
from medassist.core.run_folder import VERIFY
from medassist.core.tensors_hash import hash_of_tensors
from medassist.core.validated import validated
from medassist.engine import gguf_client
from tests.convert.conftest import GgufFiles, convert_pair
from tests.convert.families import change_json
from tests.convert.tiny_hf import HfFolders, save_pair
from tests.convert.verify import faults

VOCABULARY = {"token ids", "rendered prompt"}
LOGITS = {"embeddings", "logits", "greedy text"}
ADAPTER = {"invocation", "rendered prompt", "adapter logits", "adapter effect"}
ADAPTER |= {"adapter greedy text"}


@pytest.fixture(scope="module")
def f16(hf, tmp_path_factory) -> GgufFiles:
    return convert_pair(hf, tmp_path_factory.mktemp("f16"), "f16")


@pytest.fixture
def weights_only(monkeypatch):
    """What the vocabulary has to do with it is looked at elsewhere."""
    monkeypatch.setattr(gate, "_vocabulary", lambda *_: [])


@pytest.fixture
def few_words(tmp_path) -> Path:
    """Enough for a few chunks; the built-in text takes its time."""
    file = tmp_path / "few.txt"
    file.write_text(prose()[:3000], "utf-8")
    return file


def names(checks) -> set[str]:
    return {check.name for check in checks}


def said(found: Verified, name: str) -> str:
    return next(check.said for check in found.checks if check.name == name)


@pytest.mark.parametrize("kind", ["f32", "f16", "bf16"])
def test_a_right_file_passes(hf, tmp_path, kind):
    file = convert_model(hf.base, tmp_path / "model.gguf", None, kind)
    found = verify_model(hf.base, file, threads=1)
    assert found.passed
    assert names(found.checks) == VOCABULARY | LOGITS
    assert found.quantization == kind.upper()
    logits = next(c for c in found.checks if c.name == "logits")
    assert "32 prompts" in logits.said
    assert logits.figures["NMSE limit"] == (1e-6 if kind == "f32" else 1e-4)
    assert 0 < logits.figures["NMSE"] < logits.figures["NMSE limit"]
    assert require_verified(file) == found
    assert found.tensors == hash_of_tensors(file)
    assert found.peak_mib["this process"] > 10


def test_one_process_reads_the_file_for_all_that_is_verified(hf, gguf_f32, monkeypatch):
    started: list[object] = []

    class Counted(gguf_client.Child):
        def __init__(self, *given, **more):
            started.append(given)
            super().__init__(*given, **more)

    monkeypatch.setattr(gguf_client, "Child", Counted)
    assert verify_model(hf.base, gguf_f32.base, threads=1).passed
    assert len(started) == 1


@pytest.mark.parametrize(("fault", "named"), [fault[1:] for fault in faults.IN_A_MODEL])
def test_a_file_with_a_fault_fails_and_the_check_that_fails_is_its_own(
    hf, gguf_f32, tmp_path, fault, named
):
    wrong = faults.changed(gguf_f32.base, tmp_path / "wrong.gguf", fault)
    found = verify_model(hf.base, wrong, threads=1)
    assert not found.passed
    assert named in names(found.failed)
    # What is right about it is said to be right.
    assert names(found.failed) <= (LOGITS if named == "logits" else VOCABULARY)
    with pytest.raises(ConvertError, match=rf"did not pass.*{named}"):
        require_verified(wrong)


def test_a_template_with_one_blank_less_is_named(hf, tmp_path):
    wrong = convert_model(hf.base, tmp_path / "wrong.gguf", None, "f32")
    model = faults.with_one_blank_more(hf.base, tmp_path / "model")
    found = verify_model(model, wrong, threads=1)
    assert names(found.failed) == {"rendered prompt"}
    assert "the tokenizer renders" in said(found, "rendered prompt")


def test_a_wrong_row_of_a_word_that_no_prompt_has_is_named(tmp_path):
    """The logits do not see it where the output layer is a tensor of its own."""
    untied = save_pair(tmp_path / "hf", tied=False)
    file = convert_model(untied.base, tmp_path / "model.gguf", None, "f16")
    assert verify_model(untied.base, file, threads=1).passed
    wrong = faults.changed(file, tmp_path / "w" / "wrong.gguf", faults.row_of_no_text)
    found = verify_model(untied.base, wrong, threads=1)
    assert names(found.failed) == {"embeddings"}
    assert "1 of 400 rows of token_embd.weight" in said(found, "embeddings")


def test_a_wrong_row_of_the_output_layer_is_named(tmp_path):
    """In a model of many tokens the logits hardly notice it."""
    untied = save_pair(tmp_path / "hf", tied=False)
    file = convert_model(untied.base, tmp_path / "model.gguf", None, "f16")
    wrong = faults.changed(file, tmp_path / "w" / "wrong.gguf", faults.row_of_output)
    found = verify_model(untied.base, wrong, threads=1)
    assert "1 of 400 rows of output.weight" in said(found, "embeddings")


def test_a_head_that_was_trained_and_thrown_away_is_named(hf, f16, tmp_path):
    """The converter once did so where config.json ties it to the embedding."""
    trained = faults.with_a_head(hf.base, tmp_path / "trained")
    found = verify_model(trained, f16.base, threads=1)
    assert names(found.failed) == LOGITS
    assert "lacks output.weight" in said(found, "embeddings")


def test_an_end_of_generate_that_the_gguf_lost_is_named(hf, f16, tmp_path, monkeypatch):
    """The gate asks transformers, not what the converter took for the ends."""
    model = shutil.copytree(hf.base, tmp_path / "model")
    change_json(model / "generation_config.json", eos_token_id=[1, 9])
    monkeypatch.setattr(token_ids, "end_tokens", lambda *_: (1,))
    found = verify_model(model, f16.base, threads=1)
    assert names(found.failed) == {"token ids"}
    assert "the end token 9" in said(found, "token ids")


def test_a_file_that_is_changed_while_it_is_verified_is_not_verified(
    hf, gguf_f32, tmp_path, monkeypatch
):
    file = tmp_path / "model.gguf"
    shutil.copyfile(gguf_f32.base, file)
    look = gate.compare_tokens

    def meanwhile(*given, **more):
        found = look(*given, **more)
        faults.changed(gguf_f32.base, file, faults.permuted_q)
        return found

    monkeypatch.setattr(gate, "compare_tokens", meanwhile)
    with pytest.raises(ConvertError, match="changed while it was verified"):
        verify_model(hf.base, file, threads=1)
    assert not (tmp_path / VERIFY).exists()


@pytest.mark.parametrize("kind", ["plain", "activated"])
def test_a_right_adapter_passes(hf, f16, kind):
    folder, file = getattr(hf, kind), getattr(f16, kind)
    found = verify_adapter(hf.base, f16.base, folder, file, threads=1)
    assert found.passed, found.failed
    assert names(found.checks) == ADAPTER
    assert found.kind == "adapter"
    assert require_verified(file) == found


@pytest.mark.parametrize("kind", ["plain", "activated"])
def test_an_adapter_with_the_wrong_alpha_is_named(hf, f16, tmp_path, kind):
    wrong = faults.changed(
        getattr(f16, kind), tmp_path / "wrong.gguf", faults.wrong_alpha
    )
    found = verify_adapter(hf.base, f16.base, getattr(hf, kind), wrong, threads=1)
    assert "adapter effect" in names(found.failed)
    assert "alpha" in said(found, "adapter effect")


def test_a_wrong_alpha_is_found_in_an_adapter_that_hardly_does_anything(tmp_path):
    """Its logits are within the limit of F16; the change that it makes is not."""
    weak = save_pair(tmp_path / "hf", lora_alpha=0.02)
    file = convert_pair(weak, tmp_path, "f32")
    right = verify_adapter(weak.base, file.base, weak.plain, file.plain, threads=1)
    assert right.passed, right.failed
    wrong = faults.changed(file.plain, tmp_path / "w.gguf", faults.wrong_alpha)
    found = verify_adapter(weak.base, file.base, weak.plain, wrong, threads=1)
    assert names(found.failed) == {"adapter effect"}


def test_an_adapter_that_lost_its_invocation_is_named(hf, f16, tmp_path):
    shutil.copyfile(f16.plain, tmp_path / "plain.gguf")
    found = verify_adapter(
        hf.base, f16.base, hf.activated, tmp_path / "plain.gguf", threads=1
    )
    assert names(found.failed) == {"invocation"}


def test_an_adapter_is_not_verified_on_a_quantized_base(hf, f16, tmp_path):
    quantize(f16.base, tmp_path / "q.gguf", ["Q8_0"])
    with pytest.raises(ConvertError, match="quantized"):
        verify_adapter(hf.base, tmp_path / "q.gguf", hf.plain, f16.plain)


def test_a_quantized_file_is_measured_against_what_it_was_made_from(
    hf, gguf_f32, tmp_path, few_words
):
    whole = tmp_path / "model-f32.gguf"
    shutil.copyfile(gguf_f32.base, whole)
    quantize(whole, tmp_path / "q.gguf", ["Q8_0"])
    found = verify_model(hf.base, tmp_path / "q.gguf", against=whole, threads=1)
    assert found.passed, found.failed
    assert names(found.checks) == {
        *VOCABULARY,
        "reference",
        "tensors",
        "quantization loss",
    }
    loss = found.loss
    assert loss is not None
    assert loss.text == "built-in"
    assert loss.tokens > 1000
    assert 0 < loss.figures["Mean KLD"].value < 0.01
    assert loss.figures["Mean KLD"].error
    assert 0.9 < loss.figures["Mean PPL(Q)/PPL(base)"].value < 1.1
    # What it was measured against was verified by the way, and is remembered.
    assert require_verified(whole).sha256 == loss.against_sha256
    again = verify_model(
        hf.base, tmp_path / "q.gguf", against=whole, text=few_words, threads=1
    )
    assert "(before)" in said(again, "reference")
    assert again.loss is not None
    assert again.loss.text == "few.txt"
    assert again.loss.tokens < loss.tokens


def test_a_quantized_file_without_a_reference_is_not_verified(hf, f16, tmp_path):
    quantize(f16.base, tmp_path / "q.gguf", ["Q4_0"])
    with pytest.raises(ConvertError, match=r"quantized \(Q4_0\).*--against"):
        verify_model(hf.base, tmp_path / "q.gguf")
    assert not (tmp_path / VERIFY).exists()


def test_a_quantized_file_is_no_measure_for_another(hf, f16, tmp_path, few_words):
    """A loss against what has lost itself looks smaller than it is."""
    quantize(f16.base, tmp_path / "q8.gguf", ["Q8_0"])
    quantize(f16.base, tmp_path / "q4.gguf", ["Q4_0"])
    verify_model(
        *(hf.base, tmp_path / "q8.gguf"), against=f16.base, text=few_words, threads=1
    )
    assert require_verified(tmp_path / "q8.gguf").passed
    with pytest.raises(ConvertError, match=r"q8\.gguf is quantized itself \(Q8_0\)"):
        verify_model(
            *(hf.base, tmp_path / "q4.gguf"),
            against=tmp_path / "q8.gguf",
            text=few_words,
            threads=1,
        )


def test_a_right_quantization_of_a_wrong_file_fails(
    hf, gguf_f32, tmp_path, weights_only, few_words
):
    wrong = faults.changed(gguf_f32.base, tmp_path / "w.gguf", faults.permuted_q)
    quantize(wrong, tmp_path / "q.gguf", ["Q8_0"])
    found = verify_model(
        hf.base, tmp_path / "q.gguf", against=wrong, text=few_words, threads=1
    )
    assert names(found.failed) == {"reference"}
    assert "logits" in said(found, "reference")


def test_a_broken_quantization_fails(hf, f16, tmp_path, weights_only, few_words):
    quantize(f16.base, tmp_path / "q.gguf", ["Q4_0"])
    wrong = faults.changed(
        tmp_path / "q.gguf", tmp_path / "wrong.gguf", faults.swapped_tensors
    )
    found = verify_model(hf.base, wrong, against=f16.base, text=few_words, threads=1)
    assert "tensors" in names(found.failed)
    assert "blk.1.ffn" in said(found, "tensors")


def test_a_quantization_that_says_nothing_like_the_model_fails_by_its_loss(
    hf, f16, tmp_path, weights_only, few_words, monkeypatch
):
    monkeypatch.setattr(
        gate, "compare_tensors", lambda *_: gate.Check(name="t", passed=True, said="")
    )
    quantize(f16.base, tmp_path / "q.gguf", ["Q8_0"])

    def spoil(reader) -> None:
        reader_tensor = faults.tensor(reader, "token_embd.weight")
        reader_tensor.data[:] = np.roll(reader_tensor.data, 1, axis=0)

    wrong = faults.changed(tmp_path / "q.gguf", tmp_path / "w.gguf", spoil)
    found = verify_model(hf.base, wrong, against=f16.base, text=few_words, threads=1)
    assert names(found.failed) == {"quantization loss"}
    assert "broken" in said(found, "quantization loss")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_a_file_that_is_cut_off_is_named(hf, gguf_f32, tmp_path, share):
    whole = gguf_f32.base.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ConvertError, match=r"cut\.gguf"):
        verify_model(hf.base, cut)
    assert not (tmp_path / VERIFY).exists()


def test_a_gguf_that_makes_llama_cpp_abort_ends_verify_with_a_sentence(
    hf, gguf_f32, tmp_path
):
    """It loads: what is missing is looked for when a text is read."""
    wrong = faults.of_another_kind(gguf_f32.base, tmp_path / "wrong.gguf")
    # A process of its own, which may end.
    result = subprocess.run(
        [sys.executable, "-m", "convert", "verify", hf.base, wrong, "--threads", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stderr
    assert re.search(
        r"convert: \S*wrong\.gguf: the process .* give up while it read a text",
        result.stderr,
    )
    assert not (tmp_path / "verify.json").exists()


def test_a_gguf_for_a_folder_and_the_other_way_round_are_told(hf, gguf_f32):
    with pytest.raises(ConvertError, match="folder"):
        verify_model(gguf_f32.base, gguf_f32.base)
    with pytest.raises(ConvertError, match="folder"):
        verify_model(hf.base, hf.base)


def test_a_file_of_another_model_is_told(hf, tmp_path):
    from tests.convert.families import save_family

    other = save_family("qwen2", tmp_path / "other")
    file = convert_model(other, tmp_path / "other.gguf", None, "f32")
    with pytest.raises(ConvertError, match="another model"):
        verify_model(hf.base, file, threads=1)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["verify", *map(str, words), "--threads", "1"])


def test_the_verb_ends_with_1_where_a_file_is_wrong_and_prints_which_check(
    hf: HfFolders, f16, tmp_path
):
    wrong = faults.changed(f16.base, tmp_path / "w.gguf", faults.permuted_q)
    result = run(hf.base, wrong)
    assert result.exit_code == 1, result.output
    assert "WRONG" in result.stdout
    assert "FAIL logits" in result.stdout
    assert "ok   token ids" in result.stdout


def test_the_verb_prints_json_and_ends_with_0_where_all_is_right(hf, f16, tmp_path):
    file = tmp_path / "m.gguf"
    shutil.copyfile(f16.base, file)
    result = run(hf.base, file, "--json")
    assert result.exit_code == 0, result.output
    found = validated(Verified, json.loads(result.stdout))
    assert found == read_verified(file)


def test_an_adapter_is_verified_beside_its_base(hf, f16, tmp_path):
    pair = (
        shutil.copyfile(file, tmp_path / file.name) for file in (f16.base, f16.plain)
    )
    base, plain = pair
    result = run(
        *(hf.base, base, "--adapter", hf.plain, "--adapter-gguf", plain, "--json")
    )
    assert result.exit_code == 0, result.output
    kinds = [validated(Verified, one).kind for one in json.loads(result.stdout)]
    assert kinds == ["model", "adapter"]
    assert isinstance(run(hf.base, base, "--adapter", hf.plain).exception, ConvertError)
