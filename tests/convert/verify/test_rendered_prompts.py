"""The comparison of rendered prompts finds each fault and names it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from convert.verify.corpus import conversations
from convert.verify.rendered_prompts import compare_prompts
from convert.vocabulary import TokenizerVocabulary, load_tokenizer, read_vocabulary
from convert.vocabulary.gguf_vocabulary import Templates
from tests.convert.hf_from_gguf import CHATML
from tests.convert.tiny_vocabularies import (
    GEMMA,
    LLAMA_2,
    byte_level_folder,
    sentence_piece_folder,
    vocabulary_gguf,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return byte_level_folder(tmp_path_factory.mktemp("hf"))


@pytest.fixture(scope="module")
def vocabulary(folder) -> TokenizerVocabulary:
    return read_vocabulary(folder, len(load_tokenizer(folder)))


def check(folder, file, vocabulary, template):
    changed = replace(vocabulary, templates=Templates(template))
    return compare_prompts(folder, vocabulary_gguf(file, changed))


def test_conversations_are_with_and_without_a_system_turn_and_of_many_turns():
    every = conversations()
    assert len(every) > 90
    assert {c.turns[0][0] == "system" for c in every} == {True, False}
    assert max(len(c.turns) for c in every) >= 8
    assert {c.asks for c in every} == {True, False}


def test_the_same_template_passes(folder, tmp_path, vocabulary):
    found = check(folder, tmp_path / "v.gguf", vocabulary, CHATML)
    assert found.equal
    assert found.compared == len(conversations())
    assert found.refused == 0


def test_one_blank_less_is_found_and_shown(folder, tmp_path, vocabulary):
    found = check(
        folder,
        tmp_path / "v.gguf",
        vocabulary,
        CHATML.replace("assistant\\n", "assistant"),
    )
    assert not found.equal
    assert found.first_difference is not None
    assert "conversation 1 of" in found.first_difference
    assert r"assistant\n'" in found.first_difference


def test_another_end_of_a_turn_is_found(folder, tmp_path, vocabulary):
    found = check(
        folder,
        tmp_path / "v.gguf",
        vocabulary,
        CHATML.replace("'<|im_end|>'", "'<|im_end|>' + ''").replace(
            "'<|im_end|>' + '' + '\\n'", "'<|im_end|>'"
        ),
    )
    assert not found.equal


def test_a_template_that_is_lost_is_found(folder, tmp_path, vocabulary):
    found = check(folder, tmp_path / "v.gguf", vocabulary, None)
    assert not found.equal
    assert "the GGUF has none" in (found.first_difference or "")


def test_a_template_that_is_no_template_is_found(folder, tmp_path, vocabulary):
    found = check(folder, tmp_path / "v.gguf", vocabulary, "{% for %}")
    assert not found.equal
    assert "does not work" in (found.first_difference or "")


def test_a_template_that_uses_another_begin_token_is_found(tmp_path):
    hf = sentence_piece_folder(tmp_path / "hf", "gemma")
    vocabulary = read_vocabulary(hf, 1700)
    ends = replace(vocabulary.ends, bos=0)
    gguf = vocabulary_gguf(tmp_path / "v.gguf", replace(vocabulary, ends=ends))
    found = compare_prompts(hf, gguf)
    assert not found.equal
    assert "<bos>" in (found.first_difference or "")
    assert "<pad>" in (found.first_difference or "")


def test_a_refused_system_turn_must_be_refused_by_both(tmp_path):
    hf = sentence_piece_folder(tmp_path / "hf", "gemma")
    vocabulary = read_vocabulary(hf, 1700)
    found = check(hf, tmp_path / "v.gguf", vocabulary, vocabulary.templates.default)
    assert found.equal
    assert found.refused > 70
    lenient = GEMMA.replace("{{ raise_exception('System role not supported') }}", "")
    found = check(hf, tmp_path / "w.gguf", vocabulary, lenient)
    assert not found.equal
    assert "the tokenizer refuses it" in (found.first_difference or "")


def test_a_blank_that_llama_cpp_puts_into_conversations_is_found(tmp_path):
    hf = sentence_piece_folder(tmp_path / "hf", "llama", legacy=False)
    vocabulary = read_vocabulary(hf, 1700)
    good = vocabulary_gguf(tmp_path / "v.gguf", vocabulary)
    assert compare_prompts(hf, good).equal
    wrong = replace(vocabulary, adds_blank=True)
    found = compare_prompts(hf, vocabulary_gguf(tmp_path / "w.gguf", wrong))
    assert not found.equal
    assert "the tokenizer reads" in (found.first_difference or "")


def test_conversations_that_no_gguf_reads_alike_are_told_the_way_out(tmp_path):
    template = LLAMA_2.replace("{{ bos_token }}", "")
    found = []
    for legacy in (False, True):
        hf = sentence_piece_folder(
            tmp_path / str(legacy), "llama", legacy=legacy, chat_template=template
        )
        gguf = vocabulary_gguf(tmp_path / "v.gguf", read_vocabulary(hf, 1700))
        found.append(compare_prompts(hf, gguf))
    apart, alike = found
    assert not apart.equal
    assert any('"legacy": true' in note for note in apart.notes)
    assert alike.equal
    assert alike.notes == ()


def test_a_model_without_a_template_is_asked_in_the_plain_one(tmp_path):
    folder = byte_level_folder(tmp_path / "hf", chat_template=None)
    vocabulary = read_vocabulary(folder, 1500)
    found = compare_prompts(folder, vocabulary_gguf(tmp_path / "v.gguf", vocabulary))
    assert found.equal
    assert found.compared == len(conversations())
    other = check(folder, tmp_path / "w.gguf", vocabulary, CHATML)
    assert "only the GGUF has one" in (other.first_difference or "")
