"""A GGUF becomes the Hugging Face model that it could have been made of."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from gguf.quants import dequantize
from safetensors.numpy import load_file
from tokenizers import Regex, pre_tokenizers

from convert.errors import ConvertError
from convert.gguf.model import About, convert_model
from convert.quantize import quantize
from convert.unpack import tokenizer_check
from convert.unpack.unpack import unpack
from convert.verify.logits import LIMITS
from convert.vocabulary.pre_tokenizers import known
from medassist.core.files import sha256_of_file
from medassist.core.unpacked import read_unpacked
from medassist.engine.scorer import GgufScorer, GgufVocabulary
from tests.convert.tiny_hf import HfFolders, hf_logits, load, save_pair, tiny_tokenizer

TEXT = "Give 5 mg at 12:30, not 500 mg.\n  The heart\tis well."


def nmse(found: np.ndarray, expected: np.ndarray) -> float:
    return float(((found - expected) ** 2).sum() / (expected**2).sum())


@pytest.fixture(scope="module")
def q4(hf: HfFolders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base, digits read one by one, quantized to 4 bits."""
    folder = tmp_path_factory.mktemp("q4")
    digits = tiny_tokenizer()
    digits.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    base = save_pair(folder / "pair").base
    digits.save_pretrained(base)
    whole = convert_model(base, folder / "f16.gguf", About("tiny"))
    quantize(whole, folder / "tiny-q4.gguf", ["Q4_1"], threads=1)
    return folder / "tiny-q4.gguf"


@pytest.fixture(scope="module")
def unpacked(q4: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked") / "base"
    unpack(q4, folder)
    return folder


def test_its_weights_are_the_quantized_ones_in_the_places_they_came_from(q4, unpacked):
    original = load_file(q4.parent / "pair" / "base" / "model.safetensors")
    found = load_file(unpacked / "model.safetensors")
    assert found.keys() == original.keys()
    for name, values in original.items():
        assert nmse(found[name], values) < 0.02, name
    reader = GGUFReader(q4)
    table = next(t for t in reader.tensors if t.name == "token_embd.weight")
    embedding = dequantize(table.data, table.tensor_type)
    assert np.array_equal(found["model.embed_tokens.weight"], embedding)


def test_packed_again_it_is_the_same_numbers(q4, unpacked, tmp_path):
    again = convert_model(unpacked, tmp_path / "again.gguf", quantization="f32")
    first = {t.name: dequantize(t.data, t.tensor_type) for t in GGUFReader(q4).tensors}
    for tensor in GGUFReader(again).tensors:
        assert np.array_equal(tensor.data, first[tensor.name]), tensor.name


def test_what_it_computes_is_what_llama_cpp_computes(q4, unpacked, tmp_path):
    quantize(q4, tmp_path / "f32.gguf", ["F32"], allow_requantize=True, threads=1)
    model = load(unpacked)
    for file, limit in ((tmp_path / "f32.gguf", LIMITS["F32"]), (q4, 1e-2)):
        with GgufScorer(file, exact=True, threads=1) as opened:
            tokens = opened.tokenize(TEXT)
            found = opened.logits(tokens)
        assert nmse(found, hf_logits(model, tokens)) < limit


def test_it_reads_digits_as_the_gguf_says(q4, unpacked):
    found = tokenizer_check.load_tokenizer(unpacked)
    with GgufVocabulary(q4) as vocabulary:
        texts = [TEXT, *tokenizer_check.odd_texts()]
        for text in texts:
            ids = found.encode(text, add_special_tokens=False)
            assert ids == vocabulary.tokenize(text, special=True), text
    pieces = found.convert_ids_to_tokens(found.encode("500", add_special_tokens=False))
    assert pieces[-3:] == ["5", "0", "0"]


def test_the_odd_texts_tell_every_known_way_to_split_from_the_others():
    """A tokenizer that splits as another name says is found out."""
    texts = [*tokenizer_check.odd_texts()]

    def splits(name: str) -> list[object]:
        rules = next(rules for rules in known() if rules.name == name)
        split = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(rule), "isolated") for rule in rules.splits]
        )
        return [[piece for piece, _ in split.pre_tokenize_str(t)] for t in texts]

    found = {rules.name: splits(rules.name) for rules in known()}
    same = {"llama-bpe", "dbrx"}  # they differ in how letters are joined
    for one in found:
        for other in found.keys() - {one}:
            if {one, other} != same:
                assert found[one] != found[other], (one, other)


def test_a_tokenizer_that_reads_otherwise_is_not_trained_with(q4, unpacked, tmp_path):
    folder = copytree(unpacked, tmp_path / "base")
    file = folder / "tokenizer.json"
    rules = json.loads(file.read_text("utf-8"))
    rules["pre_tokenizer"]["pretokenizers"].pop(0)  # digits one by one
    file.write_text(json.dumps(rules), "utf-8")
    with pytest.raises(ConvertError, match=r"(?s)reads .* otherwise than llama.cpp"):
        unpack(q4, folder)


def test_a_chat_template_that_renders_otherwise_is_not_trained_with(
    q4, unpacked, tmp_path
):
    folder = copytree(unpacked, tmp_path / "base")
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    with pytest.raises(ConvertError, match="other prompts"):
        unpack(q4, folder)


def test_it_says_which_gguf_it_was_made_of(q4, unpacked):
    made = read_unpacked(unpacked)
    assert made is not None
    assert made.sha256 == {q4.name: sha256_of_file(q4)}
    assert made.file == str(q4)
    assert [file.name for file in unpacked.parent.iterdir()] == ["base"]


def test_what_is_unpacked_is_not_unpacked_again_where_the_gguf_was_moved(
    q4, unpacked, tmp_path
):
    folder = copytree(unpacked, tmp_path / "base")
    other = tmp_path / q4.name
    other.write_bytes(q4.read_bytes())
    before = (folder / "model.safetensors").stat()
    assert unpack(other, folder).file == str(other)
    assert (folder / "model.safetensors").stat() == before


def test_another_folder_in_its_place_is_left_alone(q4, hf, tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(ConvertError, match="was not made of a GGUF"):
        unpack(q4, folder)
    assert (folder / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("tied", [True, False])
def test_an_output_layer_of_its_own_stays_one(tied, tmp_path):
    base = save_pair(tmp_path / "pair", tied=tied).base
    gguf = convert_model(base, tmp_path / "tiny.gguf", quantization="f32")
    unpack(gguf, tmp_path / "base")
    expected = load_file(base / "model.safetensors")
    found = load_file(tmp_path / "base" / "model.safetensors")
    assert ("lm_head.weight" in found) is not tied
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert np.array_equal(found[name], values), name


def changed(source: Path, target: Path, **settings: object) -> Path:
    """`source` with other settings, written by the gguf library."""
    reader = GGUFReader(source)
    writer = GGUFWriter(target, "llama")
    for field in reader.fields.values():
        if field.name.startswith(("GGUF.", "general.architecture")):
            continue
        value = settings.pop(field.name, field.contents())
        kinds = field.types
        writer.add_key_value(field.name, value, kinds[0], *kinds[-1:][: len(kinds) > 1])
    for name, value in settings.items():
        writer.add_float32(name, float(value))  # pyright: ignore[reportArgumentType]
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"llama.rope.scaling.factor": 4.0}, "rope.scaling.factor is 4.0"),
        ({"llama.attention.scale": 0.5}, "attention.scale is 0.5"),
        ({"tokenizer.ggml.pre": "viking"}, "'viking'; this program knows gpt-2"),
    ],
)
def test_what_would_be_trained_as_another_model_is_refused(
    q4, tmp_path, settings, said
):
    other = changed(q4, tmp_path / "other.gguf", **settings)
    with pytest.raises(ConvertError, match=said):
        unpack(other, tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_a_file_that_is_no_gguf_is_told_so(tmp_path):
    (tmp_path / "x.gguf").write_text("no")
    with pytest.raises(ConvertError, match=r"x\.gguf"):
        unpack(tmp_path / "x.gguf", tmp_path / "base")
