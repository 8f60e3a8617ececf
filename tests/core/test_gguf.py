from __future__ import annotations

from pathlib import Path

import pytest

from medassist.core.errors import ModelFileError
from medassist.core.gguf import read_header, require_adapter, require_model
from tests.tiny_models import ASSISTANT, CONTEXT, TEMPLATE, TinyPair, write_pair


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("tiny"))


def test_a_header_says_what_the_model_is(tiny: TinyPair) -> None:
    header = require_model(tiny.base)
    assert header.name == "Tiny base"
    assert header.architecture == "llama"
    assert header.quantization == "F32"
    assert header.context_length == CONTEXT
    assert header.chat_template == TEMPLATE
    assert header.tensors == len(tiny.weights)
    assert header.parameters == sum(w.size for w in tiny.weights.values())
    assert not header.is_adapter


def test_an_activated_adapter_says_what_switches_it_on(tiny: TinyPair) -> None:
    base = require_model(tiny.base)
    activated = require_adapter(tiny.activated, base)
    assert activated.is_adapter
    assert activated.invocation_tokens == (tiny.tokenizer.token_to_id(ASSISTANT),)
    assert require_adapter(tiny.plain, base).invocation_tokens == ()


def test_a_file_without_a_name_goes_by_its_own(tiny: TinyPair) -> None:
    assert read_header(tiny.plain).name == "tiny-plain"


def test_a_header_cut_off_anywhere_is_an_error(tiny: TinyPair, tmp_path: Path) -> None:
    whole = tiny.base.read_bytes()
    path = tmp_path / "cut.gguf"
    for length in range(0, 20_000, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match=r"cut\.gguf"):
            read_header(path)


def test_any_flipped_byte_of_a_header_is_read_or_refused_in_words(
    tiny: TinyPair, tmp_path: Path
) -> None:
    whole = tiny.base.read_bytes()
    path = tmp_path / "flipped.gguf"
    refused = 0
    for place in range(0, 20_000, 53):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        path.write_bytes(broken)
        try:
            read_header(path)
        except ModelFileError as error:
            assert "flipped.gguf" in str(error)
            refused += 1
    assert refused > 20
