"""What is given as a model and is none is told by what it is, with what to give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import pytest

from medassist.core.errors import ModelFileError
from medassist.core.gguf import (
    read_header,
    require_adapter,
    require_model,
    shards,
)
from medassist.core.values import EngineOptions
from medassist.library.catalogue import list_model
from medassist.library.errors import LibraryError
from medassist.library.model_import import import_path, import_run
from medassist.library.registry import StoredModel, load_registry
from tests.tiny_models import TinyPair, write_model, write_pair

Value = str | int | bool | list[str]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "none"))


def write_gguf(
    path: Path, architecture: str, values: Mapping[str, Value] | None = None
) -> Path:
    """A whole GGUF with one tensor; without architecture if that is empty."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in (values or {}).items():
        match value:
            case bool():
                writer.add_bool(key, value)
            case int():
                writer.add_uint32(key, value)
            case str():
                writer.add_string(key, value)
            case list():
                writer.add_array(key, value)
    writer.add_tensor("one.weight", np.ones((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


KINDS: list[tuple[str, dict[str, Value], str, str]] = [
    ("clip", {"general.type": "mmproj"}, "(mmproj)", "of the language model"),
    ("clip", {}, "(mmproj)", "of the language model"),
    ("", {"general.type": "imatrix"}, "(imatrix)", "--imatrix"),
    ("controlvector", {}, "a control vector", "give the model itself"),
    ("nomic-bert", {}, "an embedding model", "that writes text"),
    ("qwen3", {"qwen3.pooling_type": 3}, "an embedding or ranking", "that writes text"),
    ("llama", {"llama.attention.causal": False}, "an embedding", "that writes text"),
    ("t5", {}, "the T5 family", "goes on writing"),
    ("llada", {}, "a text diffusion model", "one word after the other"),
    ("eagle3", {}, "a draft head", "that it was made for"),
    ("wavtokenizer-dec", {}, "speech or sound", "that writes text"),
    ("flux", {}, "makes images", "that writes text"),
    ("", {}, "does not say which architecture", "converted for llama.cpp"),
    (
        "llama",
        {"split.no": 1, "split.count": 3},
        "part 2 of 3",
        "NAME-00001-of-00003.gguf",
    ),
    ("llama", {"split.no": 0, "split.count": 3}, "the first of 3 parts", "call it"),
]


@pytest.mark.parametrize(("architecture", "values", "found", "advice"), KINDS)
def test_a_gguf_that_is_no_model_is_told_by_what_it_is(
    tmp_path: Path,
    architecture: str,
    values: dict[str, Value],
    found: str,
    advice: str,
) -> None:
    path = write_gguf(tmp_path / "given.gguf", architecture, values)
    with pytest.raises(ModelFileError) as caught:
        require_model(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: expected a model in GGUF, found ")
    assert found in said
    assert advice in said.partition("To go on: ")[2]
    assert "again" not in said
    # Nor does it get a name, or fit.
    with pytest.raises(ModelFileError, match="expected a model in GGUF"):
        import_path(path)
    assert not load_registry().models
    listed = list_model("m", StoredModel(path=path), EngineOptions(), 1 << 40)
    assert listed.problem == said
    assert listed.fits == "not known"


def test_a_second_part_names_the_first_by_its_name(
    tiny: TinyPair, tmp_path: Path
) -> None:
    write_model(tmp_path / "m.gguf", tiny.weights, tiny.tokenizer, shard_tensors=8)
    parts = sorted(tmp_path.glob("m-*.gguf"))
    with pytest.raises(ModelFileError, match=r"part 2 of 3.*m-00001-of-00003\.gguf"):
        require_model(parts[1])
    assert require_model(parts[0]).architecture == "llama"


def test_a_part_that_is_missing_or_cut_off_is_told_before_anything_is_loaded(
    tiny: TinyPair, tmp_path: Path
) -> None:
    write_model(tmp_path / "m.gguf", tiny.weights, tiny.tokenizer, shard_tensors=8)
    first, second, _ = parts = shards(tmp_path / "m-00001-of-00003.gguf")
    whole = second.read_bytes()
    second.write_bytes(whole[:-500])
    with pytest.raises(ModelFileError, match=rf"{second.name}: the file is cut off"):
        require_model(first)
    parts[1].unlink()
    with pytest.raises(ModelFileError, match=rf"{second.name} is not beside it"):
        require_model(first)
    with pytest.raises(ModelFileError, match=rf"{second.name} is not beside it"):
        import_path(first)


def test_what_is_given_as_an_adapter_and_is_none_is_told(
    tiny: TinyPair, tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "given.gguf", "clip", {"general.type": "mmproj"})
    with pytest.raises(ModelFileError, match=r"expected an adapter.*mmproj"):
        require_adapter(path, require_model(tiny.base))


def test_a_run_folder_is_imported_without_what_is_no_model(
    tiny: TinyPair, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "base-f32.gguf").write_bytes(tiny.base.read_bytes())
    (run / "tuned-f32.gguf").write_bytes(tiny.merged.read_bytes())
    write_gguf(run / "mmproj.gguf", "clip", {"general.type": "mmproj"})
    taken = import_run(run)
    assert taken.models == ("run-base-f32", "run-tuned-f32")
    assert taken.pair == "run"
    assert any("mmproj.gguf was left out: it is the eyes" in n for n in taken.notes)


def test_a_run_folder_with_nothing_but_that_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    write_gguf(run / "mmproj.gguf", "clip")
    write_gguf(run / "imatrix.gguf", "", {"general.type": "imatrix"})
    with pytest.raises((LibraryError, ModelFileError), match=r"mmproj|imatrix"):
        import_run(run)


BEGINNINGS = [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS"),
    (b"<!DOCTYPE html><html><head>", "a web page"),
    (b"\n  <html lang='en'>", "a web page"),
    (b'\x10\x01\0\0\0\0\0\0{"__metadata__":{}}', "safetensors"),
    (b"PK\x03\x04\x14\0", "a zip archive"),
    (b"\x80\x02}q\0", "a pickle"),
    (b"\x1f\x8b\x08\0", "packed with gzip"),
    (b"lmgg\x01\0\0\0", "GGML, the format before GGUF"),
    (b"tjgg\x03\0\0\0", "GGJT"),
    (b"\x7fELF\x02\x01", "a program"),
    (bytes(4096), "a file of zeros"),
    (b"Patient notes, not a model.", "a file of another kind"),
]


@pytest.mark.parametrize(("content", "found"), BEGINNINGS)
def test_a_file_that_is_no_gguf_is_told_by_its_first_bytes(
    tmp_path: Path, content: bytes, found: str
) -> None:
    path = tmp_path / "given.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=found):
        read_header(path)


def test_a_gguf_of_big_endian_computers_is_told_as_one(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(
        tmp_path / "big.gguf", "llama", endianess=gguf.GGUFEndian.BIG
    )
    writer.add_context_length(2048)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ModelFileError, match=r"big-endian.*gguf-convert-endian"):
        read_header(tmp_path / "big.gguf")


def test_models_and_adapters_are_of_no_other_kind(
    tiny: TinyPair, tmp_path: Path
) -> None:
    assert read_header(tiny.base).other_kind is None
    assert read_header(tiny.merged).other_kind is None
    path = write_gguf(tmp_path / "m.gguf", "qwen3", {"qwen3.pooling_type": 0})
    assert read_header(path).other_kind is None
    assert require_adapter(tiny.plain, read_header(tiny.base)).is_adapter


# Numbers that no model can have.

NUMBERS = [
    ("context_length", 0xFF800000),
    ("context_length", 0xFFFFFFFF),
    ("context_length", 1 << 31),
    ("context_length", 0),
    ("rope.scaling.original_context_length", 1 << 31),
    ("embedding_length", 0xFFFFFFFF),
    ("block_count", 0),
    ("block_count", 0x80000002),
    ("feed_forward_length", 0xFFFFFF80),
    ("attention.head_count", 0x80000000),
    ("attention.head_count_kv", 0xFFFFFFFF),
    ("attention.key_length", 0),
    ("attention.value_length", 1 << 30),
    ("rope.dimension_count", 0xFFFFFFFF),
    ("expert_count", 1 << 31),
    ("expert_used_count", 1 << 30),
    ("attention.sliding_window", 0xFFFFFFFF),
    ("vocab_size", 0xFFFFFFFF),
    ("ssm.inner_size", 1 << 31),
    ("some_count_of_a_later_day", 1 << 31),
]


def with_number(tiny: TinyPair, path: Path, key: str, number: int) -> Path:
    """The tiny model with another number under `key`, which is added if need be."""
    reader = gguf.GGUFReader(tiny.base)
    field = reader.get_field(f"llama.{key}")
    data = bytearray(tiny.base.read_bytes())
    if field is not None:
        at = field.offset + sum(int(part.nbytes) for part in field.parts[:-1])
        data[at : at + 4] = number.to_bytes(4, "little")
    else:
        name = f"llama.{key}".encode()
        entry = len(name).to_bytes(8, "little") + name + (4).to_bytes(4, "little")
        data[16:24] = (int.from_bytes(data[16:24], "little") + 1).to_bytes(8, "little")
        data[24:24] = entry + number.to_bytes(4, "little")
        # What was taken from the padding behind the header is given back there.
        data += bytes(32)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("key", "number"), NUMBERS)
def test_a_number_that_no_model_can_have_is_a_damage_and_is_named(
    tiny: TinyPair, tmp_path: Path, key: str, number: int
) -> None:
    path = with_number(tiny, tmp_path / "torn.gguf", key, number)
    with pytest.raises(ModelFileError) as caught:
        read_header(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: the header is damaged")
    assert f"llama.{key} is {number:,}" in said


def test_numbers_of_the_largest_models_are_read(tiny: TinyPair, tmp_path: Path) -> None:
    for key, number in (
        ("context_length", 100_000_000),
        ("embedding_length", 32_768),
        ("feed_forward_length", 131_072),
        ("vocab_size", 512_000),
    ):
        path = with_number(tiny, tmp_path / "large.gguf", key, number)
        assert read_header(path).number(f"llama.{key}") == number


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [16.0, 16.0], "much"])
def test_an_adapter_whose_strength_is_no_number_is_told_before_it_is_loaded(
    tiny: TinyPair, tmp_path: Path, value: object
) -> None:
    path = tmp_path / "torn.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    match value:
        case float():
            writer.add_float32("adapter.lora.alpha", value)
        case str():
            writer.add_string("adapter.lora.alpha", value)
        case list():
            writer.add_array("adapter.lora.alpha", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ModelFileError) as caught:
        require_adapter(path, require_model(tiny.base))
    assert str(caught.value).startswith(f"{path}: the header is damaged")
    assert "adapter.lora.alpha" in str(caught.value)
    assert tiny.base.name not in str(caught.value)
