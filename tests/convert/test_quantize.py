"""A GGUF is quantized to every type that llama.cpp has, or it is said why not."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import gguf
import llama_cpp.llama_cpp as llama
import numpy as np
import pytest

from convert.errors import ConvertError
from convert.gguf.contents import read_model
from convert.gguf.head import read_head
from convert.quantization_types import (
    HOPELESS,
    not_of_the_quantizer,
    quantization_types,
    read_types,
)
from convert.quantize import quantize, read_bytes
from medassist.engine.scorer import GgufScorer
from tests import tiny_models

ROWS = 256
"""As long as the blocks of the K-quants, so that no tensor falls back."""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of one layer whose rows are whole blocks."""
    folder = tmp_path_factory.mktemp("wide")
    made = tiny_models.tokenizer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_models, "EMBEDDING", ROWS)
        patch.setattr(tiny_models, "FEED_FORWARD", ROWS)
        patch.setattr(tiny_models, "HEAD", ROWS // tiny_models.HEADS)
        patch.setattr(tiny_models, "LAYERS", 1)
        weights = tiny_models.random_weights(made.get_vocab_size(), 3)
        return tiny_models.write_model(folder / "wide-f32.gguf", weights, made)


@pytest.fixture(scope="module")
def imatrix(model, tmp_path_factory):
    return write_imatrix(tmp_path_factory.mktemp("imatrix") / "text.gguf", model)


def write_imatrix(file: Path, model: Path, rename: str = "", kind: str = "imatrix"):
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(file, kind)
    writer.add_type(kind)
    writer.add_array("imatrix.datasets", ["/home/somebody/calibration.txt"])
    writer.add_uint32("imatrix.chunk_count", 3)
    writer.add_uint32("imatrix.chunk_size", 512)
    for tensor in gguf.GGUFReader(model).tensors:
        if tensor.name.startswith("blk.") and len(tensor.shape) == 2:
            sums = random.exponential(size=(1, int(tensor.shape[0]))) ** 3
            name = tensor.name + rename
            writer.add_tensor(f"{name}.in_sum2", sums.astype(np.float32))
            writer.add_tensor(f"{name}.counts", np.array([[100]], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def tensors(file: Path) -> dict[str, gguf.ReaderTensor]:
    return {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}


def nothing_left(folder: Path) -> bool:
    return not folder.exists() or not list(folder.iterdir())


def test_the_table_has_every_type_of_the_installed_llama_cpp():
    installed = {
        name.removeprefix("LLAMA_FTYPE_")
        .removeprefix("MOSTLY_")
        .removeprefix("ALL_"): n
        for name, n in vars(llama).items()
        if name.startswith("LLAMA_FTYPE_") and name != "LLAMA_FTYPE_GUESSED"
    }
    known = {name: kind.ftype for name, kind in quantization_types().items()}
    assert len(installed) > 30
    assert installed.items() <= (known | not_of_the_quantizer()).items()
    assert len(set(known.values())) == len(known)


def test_q8_0_is_bit_for_bit_what_the_gguf_library_makes(model, tmp_path):
    out = tmp_path / "q8.gguf"
    quantize(model, out, ["Q8_0"])
    found = tensors(out)
    for name, original in tensors(model).items():
        if len(original.shape) == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            expected = gguf.quants.quantize(original.data, kind)
            assert np.array_equal(found[name].data, expected), name
        else:
            assert np.array_equal(found[name].data, original.data), name


def test_several_types_are_made_in_one_call(model, tmp_path):
    made = quantize(model, tmp_path / "out", ["Q4_K_M", "Q2_K"])
    assert [file.file.name for file in made.files] == [
        "wide-Q4_K_M.gguf",
        "wide-Q2_K.gguf",
    ]
    for file in made.files:
        assert read_model(file.file).quantization == file.type
        assert file.fallbacks == 0
        assert file.bytes == file.file.stat().st_size < file.original_bytes
    assert made.files[0].bytes > made.files[1].bytes
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_name_with_a_place_for_the_type_is_filled_in(model, tmp_path):
    made = quantize(model, tmp_path / "a.{type}.gguf", ["Q8_0"])
    assert made.files[0].file == tmp_path / "a.Q8_0.gguf"
    assert made.files[0].file.is_file()


@pytest.mark.soak
@pytest.mark.parametrize("name", quantization_types())
def test_every_type_is_made_and_llama_cpp_asks_for_a_matrix_where_we_do(
    model, imatrix, tmp_path, name, monkeypatch
):
    needs = quantization_types()[name].needs_imatrix
    made = quantize(model, tmp_path / "told.gguf", [name], imatrix=imatrix)
    assert made.files[0].fallbacks == 0
    with GgufScorer(made.files[0].file, threads=1) as scorer:
        assert np.isfinite(scorer.logits([1, 2, 3])).all()
    monkeypatch.setattr("convert.quantize._check_whole_request", lambda *_: None)
    if needs:
        with pytest.raises(ConvertError, match="importance matrix"):
            quantize(model, tmp_path / "plain.gguf", [name])
    else:
        quantize(model, tmp_path / "plain.gguf", [name])


@pytest.mark.parametrize("name", ["Q4_0", "IQ4_XS", "TQ2_0", "MXFP4_MOE", "BF16"])
def test_types_of_every_family_are_made(model, tmp_path, name):
    made = quantize(model, tmp_path / "out.gguf", [name])
    assert made.files[0].bytes < model.stat().st_size


def test_an_importance_matrix_changes_the_weights_and_is_named_in_the_file(
    model, imatrix, tmp_path
):
    plain, told = tmp_path / "plain.gguf", tmp_path / "told.gguf"
    quantize(model, plain, ["Q4_K_S"])
    quantize(model, told, ["Q4_K_S"], imatrix=imatrix)
    name = "blk.0.ffn_up.weight"
    assert not np.array_equal(tensors(plain)[name].data, tensors(told)[name].data)
    head = read_head(told)
    assert head.text("quantize.imatrix.file") == "text.gguf"
    # Where the maker's folders are is nobody's business.
    assert head.text("quantize.imatrix.dataset") == "calibration.txt"
    # What is used more is kept better.
    original = tensors(model)[name]
    sums = gguf.GGUFReader(imatrix)
    weight = next(t.data for t in sums.tensors if t.name == f"{name}.in_sum2").ravel()

    def error(file: Path) -> float:
        found = tensors(file)[name]
        values = gguf.quants.dequantize(found.data, found.tensor_type)
        return float(((values - original.data) ** 2 * weight).sum())

    assert error(told) < error(plain)


def test_types_that_need_a_matrix_say_so_before_anything_is_written(model, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ConvertError, match=r"IQ2_XXS, IQ1_S.*--imatrix"):
        quantize(model, out, ["Q8_0", "IQ2_XXS", "IQ1_S"])
    assert nothing_left(out)


def test_a_refusal_of_llama_cpps_own_is_a_sentence_too(model, tmp_path, monkeypatch):
    monkeypatch.setattr("convert.quantize._check_whole_request", lambda *_: None)
    with pytest.raises(ConvertError, match="importance matrix"):
        quantize(model, tmp_path / "out.gguf", ["IQ2_XXS"])
    assert nothing_left(tmp_path)


def test_a_matrix_of_another_model_is_refused(model, tmp_path):
    other = write_imatrix(tmp_path / "other.gguf", model, rename="x")
    with pytest.raises(ConvertError, match="of another model"):
        quantize(model, tmp_path / "out.gguf", ["Q4_K_M"], imatrix=other)


def test_what_is_no_importance_matrix_is_refused(model, tmp_path):
    old = tmp_path / "old.dat"
    old.write_bytes(b"\x02\x00\x00\x00")
    with pytest.raises(ConvertError, match="llama-imatrix --in-file"):
        quantize(model, tmp_path / "out.gguf", ["Q4_K_M"], imatrix=old)
    with pytest.raises(ConvertError, match="no importance matrix"):
        quantize(model, tmp_path / "out.gguf", ["Q4_K_M"], imatrix=model)


def test_a_quantized_model_is_refused_unless_losing_twice_is_wanted(model, tmp_path):
    first, second = tmp_path / "q8.gguf", tmp_path / "q4.gguf"
    quantize(model, first, ["Q8_0"])
    with pytest.raises(ConvertError, match=r"quantized already.*Q8_0"):
        quantize(first, second, ["Q4_0"])
    assert not second.exists()
    quantize(first, second, ["Q4_0"], allow_requantize=True)
    assert read_model(second).quantization == "Q4_0"


def test_a_split_model_becomes_one_file(model, tmp_path):
    whole, out = tmp_path / "whole.gguf", tmp_path / "out.gguf"
    made = tiny_models.tokenizer()
    weights = {t.name: np.array(t.data) for t in gguf.GGUFReader(model).tensors}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_models, "EMBEDDING", ROWS)
        patch.setattr(tiny_models, "FEED_FORWARD", ROWS)
        patch.setattr(tiny_models, "HEAD", ROWS // tiny_models.HEADS)
        patch.setattr(tiny_models, "LAYERS", 1)
        tiny_models.write_model(tmp_path / "parts.gguf", weights, made, shard_tensors=4)
    parts = sorted(tmp_path.glob("parts-*-of-*.gguf"))
    assert len(parts) > 1
    quantize(model, whole, ["Q8_0"])
    quantize(parts[0], out, ["Q8_0"])
    expected = tensors(whole)
    for name, tensor in tensors(out).items():
        assert np.array_equal(tensor.data, expected[name].data)
    with pytest.raises(ConvertError, match="later part"):
        quantize(parts[1], tmp_path / "b.gguf", ["Q8_0"])
    parts[1].unlink()
    with pytest.raises(ConvertError, match=f"{parts[1].name} is not there"):
        quantize(parts[0], tmp_path / "b.gguf", ["Q8_0"])


def test_little_memory_gives_the_same_file(model, tmp_path):
    much, little = tmp_path / "much.gguf", tmp_path / "little.gguf"
    quantize(model, much, ["Q4_K_M"])
    quantize(model, little, ["Q4_K_M"], most_memory=1 << 20)
    assert much.read_bytes() == little.read_bytes()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda whole: whole[:-9000], "no whole GGUF"),
        (lambda whole: whole[:300], "no whole GGUF"),
        (lambda _: b"", "no GGUF file"),
        (lambda _: b"not a model at all", "no GGUF file"),
    ],
)
def test_a_damaged_file_is_refused_and_nothing_is_left(model, tmp_path, content, said):
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(content(model.read_bytes()))
    out = tmp_path / "out"
    with pytest.raises(ConvertError, match=rf"bad\.gguf.*{said}"):
        quantize(bad, out / "q.gguf", ["Q8_0"])
    assert nothing_left(out)


def test_a_folder_an_adapter_and_a_missing_file_are_refused(model, tmp_path):
    with pytest.raises(ConvertError, match="is a folder"):
        quantize(tmp_path, tmp_path / "q.gguf", ["Q8_0"])
    with pytest.raises(ConvertError, match="cannot be read"):
        quantize(tmp_path / "no.gguf", tmp_path / "q.gguf", ["Q8_0"])
    adapter = tiny_models.write_adapter(
        tmp_path / "lora.gguf", {"a": np.ones((2, 2), np.float32)}
    )
    with pytest.raises(ConvertError, match="is an adapter"):
        quantize(adapter, tmp_path / "q.gguf", ["Q8_0"])


def test_what_is_there_is_not_overwritten_without_force(model, tmp_path):
    out = tmp_path / "q.gguf"
    out.write_bytes(b"what was there")
    with pytest.raises(ConvertError, match="--force"):
        quantize(model, out, ["Q8_0"])
    assert out.read_bytes() == b"what was there"
    quantize(model, out, ["Q8_0"], force=True)
    assert read_model(out).quantization == "Q8_0"
    with pytest.raises(ConvertError, match="is the model itself"):
        quantize(model, model, ["Q8_0"], force=True)


def test_one_file_for_several_types_is_refused(model, tmp_path):
    with pytest.raises(ConvertError, match=r"\{type\}"):
        quantize(model, tmp_path / "q.gguf", ["Q8_0", "Q4_0"])


def test_a_tensor_that_makes_the_quantizer_fail_is_a_sentence(model, tmp_path):
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(model.read_bytes())
    reader = gguf.GGUFReader(bad, "r+")
    tensor = next(t for t in reader.tensors if t.name == "blk.0.ffn_up.weight")
    tensor.data[3, 5] = np.nan
    reader.data.flush()
    with pytest.raises(ConvertError, match=r"bad\.gguf could not be quantized to Q4_0"):
        quantize(bad, tmp_path / "q.gguf", ["Q4_0"])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bad.gguf"]


def run(*arguments: str, **how) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "convert", "quantize", *arguments),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        **how,
    )


def test_a_disk_that_takes_no_more_is_told_and_nothing_is_left(model, tmp_path):
    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    result = run(
        str(model), str(tmp_path / "q.gguf"), "--type", "q8_0", preexec_fn=little_room
    )
    assert result.returncode == 1
    assert "took no more" in result.stderr
    assert nothing_left(tmp_path)


def test_the_verb_prints_json_and_takes_small_letters(model, tmp_path):
    out = tmp_path / "q.gguf"
    result = run(str(model), str(out), "--type", "q4_k", "--json")
    assert result.returncode == 0, result.stderr
    (made,) = json.loads(result.stdout)["files"]
    assert (made["file"], made["type"]) == (str(out), "Q4_K_M")
    assert result.stderr == ""


def test_an_unknown_type_is_told_with_those_that_there_are():
    with pytest.raises(ConvertError, match=r"Q4_M is no type.*Q4_K_M"):
        read_types("Q8_0, Q4_M")
    assert read_types("q4_k, Q8_0 q4_K_m") == ["Q4_K_M", "Q8_0"]


def test_sizes_are_read_as_people_write_them():
    assert read_bytes("512M") == 512 << 20
    assert read_bytes("1.5 GiB") == 3 << 29
    assert read_bytes("4096") == 4096
    with pytest.raises(ConvertError, match="no size"):
        read_bytes("much")


def test_fewer_bits_may_lose_more_and_nothing_may_lose_everything():
    most = {name: kind.most_kld for name, kind in quantization_types().items()}
    assert most["Q8_0"] < most["Q6_K"] < most["Q4_K_M"] < most["Q3_K_S"]
    assert max(most.values()) == HOPELESS
