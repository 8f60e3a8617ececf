"""The comparison of token ids finds each fault and names it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from convert.errors import ConvertError
from convert.verify.corpus import SIZE, corpus
from convert.verify.token_ids import compare_tokens
from convert.vocabulary import TokenizerVocabulary, load_tokenizer, read_vocabulary
from tests.convert.tiny_vocabularies import (
    END,
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


def with_rows(vocabulary: TokenizerVocabulary, **changed) -> TokenizerVocabulary:
    return replace(vocabulary, rows=replace(vocabulary.rows, **changed))


def check(folder, file, vocabulary):
    found = compare_tokens(folder, vocabulary_gguf(file, vocabulary))
    assert not found.equal
    assert found.first_difference
    return found.first_difference


def test_the_corpus_has_500_texts_and_holds_the_models_own_tokens():
    texts = corpus(["<|mine|>", "<|yours|>"])
    assert len(set(texts)) == len(texts) == SIZE == 500
    assert texts == corpus(["<|mine|>", "<|yours|>"])
    assert sum("<|mine|>" in text for text in texts) >= 3
    many = corpus([f"<|reserved_{i}|>" for i in range(256)])
    assert any("<|reserved_0|>" in text for text in many)
    assert any("<|reserved_2" in text for text in many)


def test_a_whole_vocabulary_passes(folder, tmp_path, vocabulary):
    found = compare_tokens(folder, vocabulary_gguf(tmp_path / "v.gguf", vocabulary))
    assert found.equal
    assert found.compared == 500
    assert found.differences == 0


def test_a_token_id_that_is_shifted_is_found(folder, tmp_path, vocabulary):
    texts = list(vocabulary.tokens)
    at = texts.index("Ġthe")
    texts[at], texts[at + 1] = texts[at + 1], texts[at]
    said = check(folder, tmp_path / "v.gguf", with_rows(vocabulary, texts=tuple(texts)))
    assert f"{at} 'Ġthe'" in said
    assert str(at + 1) in said


def test_all_ids_shifted_by_one_are_found(folder, tmp_path, vocabulary):
    texts = (*vocabulary.tokens[1:], vocabulary.tokens[0])
    types = (*vocabulary.types[1:], vocabulary.types[0])
    shifted = with_rows(vocabulary, texts=texts, types=types)
    assert "token" in check(folder, tmp_path / "v.gguf", shifted)


def test_a_missing_merge_is_found(folder, tmp_path, vocabulary):
    merges = tuple(m for m in vocabulary.merges or () if m != "Ġ t")
    said = check(folder, tmp_path / "v.gguf", with_rows(vocabulary, merges=merges))
    assert "the tokenizer reads" in said


def test_a_lost_end_token_is_found_and_named(folder, tmp_path, vocabulary):
    settings = folder / "generation_config.json"
    end = vocabulary.tokens.index(END)
    settings.write_text(json.dumps({"eos_token_id": [1, end]}), "utf-8")
    try:
        said = check(folder, tmp_path / "v.gguf", vocabulary)
    finally:
        settings.unlink()
    assert f"{end} ('{END}') does not end an answer" in said


def test_another_end_token_is_found_and_named(folder, tmp_path, vocabulary):
    ends = replace(vocabulary.ends, eos=7)
    said = check(folder, tmp_path / "v.gguf", replace(vocabulary, ends=ends))
    assert "the end token is 1 ('<|im_end|>'), and the GGUF says 7" in said


def test_a_begin_token_too_much_is_found(folder, tmp_path, vocabulary):
    ends = replace(vocabulary.ends, adds_bos=True)
    said = check(folder, tmp_path / "v.gguf", replace(vocabulary, ends=ends))
    assert "read whole" in said


def test_a_special_token_that_became_letters_is_found(folder, tmp_path, vocabulary):
    types = list(vocabulary.types)
    at = vocabulary.tokens.index("<|begin|>")
    types[at] = types[300]
    said = check(folder, tmp_path / "v.gguf", with_rows(vocabulary, types=tuple(types)))
    assert "<|begin|>" in said


def test_letters_that_became_a_special_token_are_found(folder, tmp_path, vocabulary):
    types = list(vocabulary.types)
    types[vocabulary.tokens.index("Ġthe")] = types[0]
    said = check(folder, tmp_path / "v.gguf", with_rows(vocabulary, types=tuple(types)))
    assert "('Ġthe') writes b' the' in the tokenizer, b'' in the GGUF" in said


def test_scores_that_are_all_alike_are_found(tmp_path):
    hf = sentence_piece_folder(tmp_path / "hf", "llama")
    vocabulary = read_vocabulary(hf, 1600)
    alike = (-1000.0,) * len(vocabulary.tokens)
    said = check(hf, tmp_path / "v.gguf", with_rows(vocabulary, scores=alike))
    assert "the tokenizer reads" in said


def test_a_blank_too_much_before_text_is_found(tmp_path):
    hf = sentence_piece_folder(tmp_path / "hf", "gemma")
    vocabulary = replace(read_vocabulary(hf, 1700), adds_blank=True)
    assert check(hf, tmp_path / "v.gguf", vocabulary)


def test_loose_accents_are_compared_composed_where_the_tokenizer_composes(
    tmp_path, folder
):
    rules = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    rules["normalizer"] = {"type": "NFC"}
    for name in ("tokenizer_config.json", "config.json", "chat_template.jinja"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "tokenizer.json").write_text(json.dumps(rules), "utf-8")
    gguf = vocabulary_gguf(tmp_path / "v.gguf", read_vocabulary(tmp_path, 1500))
    found = compare_tokens(tmp_path, gguf)
    assert found.equal
    assert any("NFC" in note for note in found.notes)


def test_a_file_that_is_no_gguf_is_refused_by_name(tmp_path, folder):
    file = tmp_path / "x.gguf"
    with pytest.raises(ConvertError, match=r"x\.gguf: there is no such file"):
        compare_tokens(folder, file)
    file.write_bytes(b"something else")
    with pytest.raises(
        ConvertError,
        match=r"x\.gguf: expected a model in GGUF",
    ):
        compare_tokens(folder, file)
    file.write_bytes(b"GGUF\3\0\0\0")
    with pytest.raises(ConvertError, match=r"x\.gguf: the file is cut off"):
        compare_tokens(folder, file)


def test_the_comparison_tells_how_far_it_is(folder, tmp_path, vocabulary):
    seen: list[tuple[str, int, int]] = []
    compare_tokens(
        folder,
        vocabulary_gguf(tmp_path / "v.gguf", vocabulary),
        watcher=lambda what, done, total: seen.append((what, done, total)),
    )
    assert seen[-1] == ("token ids", 500, 500)
