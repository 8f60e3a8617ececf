"""Byte-level and SentencePiece vocabularies of every kind get what llama.cpp needs."""

from __future__ import annotations

import json

import pytest
from gguf import GGUFReader, TokenType
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from convert.errors import ConvertError
from convert.verify.token_ids import compare_tokens
from convert.vocabulary import load_tokenizer, read_vocabulary
from convert.vocabulary.pre_tokenizers import known
from medassist.engine.scorer import GgufVocabulary
from tests.convert.tiny_vocabularies import (
    END,
    byte_level_folder,
    convert_vocabulary,
    save,
    sentence_piece_folder,
    vocabulary_gguf,
)
from tests.convert.vocabulary_cases import LLAMA_2_MODEL

EXACT = [rule.name for rule in known() if rule.exact]
INEXACT = [rule.name for rule in known() if not rule.exact]


def change(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | values), "utf-8")


@pytest.mark.parametrize("name", EXACT)
def test_a_pre_tokenizer_is_recognised_and_reads_500_texts_alike(tmp_path, name):
    folder = byte_level_folder(tmp_path / "hf", name)
    gguf = convert_vocabulary(folder, tmp_path / "v.gguf")
    field = GGUFReader(gguf).get_field("tokenizer.ggml.pre")
    assert field is not None
    assert field.contents() == name
    check = compare_tokens(folder, gguf)
    assert check.first_difference is None
    assert (check.equal, check.compared) == (True, 500)


@pytest.mark.parametrize("name", INEXACT)
def test_one_that_llama_cpp_splits_otherwise_is_refused_with_the_way_out(
    tmp_path, name
):
    folder = byte_level_folder(tmp_path / "hf", name)
    with pytest.raises(ConvertError, match=f"--pre {name}"):
        read_vocabulary(folder, 2000)
    forced = read_vocabulary(folder, 2000, name)
    assert forced.pre == name
    check = compare_tokens(folder, vocabulary_gguf(tmp_path / "v.gguf", forced))
    assert not check.equal
    assert check.first_difference is not None


def test_rules_in_another_spelling_are_the_same_rules(tmp_path):
    folder = byte_level_folder(tmp_path / "hf", "llama-bpe")
    file = folder / "tokenizer.json"
    rules = json.loads(file.read_text("utf-8"))
    split = rules["pre_tokenizer"]["pretokenizers"][0]
    regex = split["pattern"]["Regex"].replace(
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])",
    )
    split |= {"pattern": {"Regex": regex}, "behavior": "Removed", "invert": True}
    file.write_text(json.dumps(rules), "utf-8")
    assert read_vocabulary(folder, 2000).pre == "llama-bpe"


def test_an_unknown_pre_tokenizer_is_refused_and_can_be_named_by_the_user(tmp_path):
    folder = byte_level_folder(tmp_path / "hf", "gpt-2")
    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    made.save(str(folder / "tokenizer.json"))
    with pytest.raises(ConvertError, match="convert gguf --pre"):
        read_vocabulary(folder, 2000)
    assert read_vocabulary(folder, 2000, "falcon").pre == "falcon"
    with pytest.raises(ConvertError, match=r"knows no pre-tokenizer 'gpt2'.*gpt-2"):
        read_vocabulary(folder, 2000, "gpt2")


def test_a_wrong_name_given_by_the_user_does_not_pass_the_comparison(tmp_path):
    folder = byte_level_folder(tmp_path / "hf", "smollm")
    wrong = read_vocabulary(folder, 2000, "gpt-2")
    check = compare_tokens(folder, vocabulary_gguf(tmp_path / "v.gguf", wrong))
    assert not check.equal


def test_ignore_merges_that_llama_cpp_would_not_ignore_is_refused(tmp_path):
    folder = byte_level_folder(tmp_path / "hf", "qwen2")
    file = folder / "tokenizer.json"
    rules = json.loads(file.read_text("utf-8"))
    rules["model"]["ignore_merges"] = True
    file.write_text(json.dumps(rules), "utf-8")
    with pytest.raises(ConvertError, match="ignore_merges"):
        read_vocabulary(folder, 2000)


@pytest.mark.parametrize("kind", ["llama", "gemma"])
@pytest.mark.parametrize("has_model", [True, False])
def test_sentencepiece_reads_500_texts_alike_with_and_without_its_model_file(
    tmp_path, kind, has_model
):
    folder = sentence_piece_folder(tmp_path / "hf", kind)
    if not has_model:
        load_tokenizer(folder).save_pretrained(folder)
        (folder / "tokenizer.model").unlink()
        if kind == "llama":
            change(folder / "tokenizer_config.json", legacy=True)
    gguf = convert_vocabulary(folder, tmp_path / "v.gguf")
    check = compare_tokens(folder, gguf)
    assert check.first_difference is None
    assert (check.equal, check.compared) == (True, 500)


def test_scores_out_of_the_merges_stand_in_the_order_of_the_true_ones(tmp_path):
    folder = sentence_piece_folder(tmp_path / "hf", "llama")
    true = read_vocabulary(folder, 1600)
    load_tokenizer(folder).save_pretrained(tmp_path / "json")
    change(tmp_path / "json" / "tokenizer_config.json", legacy=True)
    found = read_vocabulary(tmp_path / "json", 1600)
    assert found.tokens == true.tokens
    assert found.types == true.types
    assert found.scores
    assert true.scores
    joined = [i for i, score in enumerate(found.scores) if score < 0]
    by_true = sorted(joined, key=true.scores.__getitem__, reverse=True)
    by_rank = sorted(joined, key=found.scores.__getitem__, reverse=True)
    pieces = [i for i in by_true if len(true.tokens[i]) > 1]
    assert len(pieces) > 500
    assert [i for i in by_rank if len(true.tokens[i]) > 1] == pieces


def test_types_of_sentencepiece_tokens_are_named(tmp_path):
    folder = sentence_piece_folder(tmp_path / "hf", "gemma")
    found = read_vocabulary(folder, 2048)
    kinds = dict(zip(found.tokens, found.types, strict=True))
    assert kinds["<unk>"] is TokenType.UNKNOWN
    assert kinds["<end_of_turn>"] is TokenType.CONTROL
    assert kinds["<0x0A>"] is TokenType.BYTE
    assert kinds["▁the"] is TokenType.NORMAL
    assert kinds["[PAD2047]"] is TokenType.UNUSED
    assert found.adds_blank is False


def test_a_model_file_of_another_tokenizer_is_refused(tmp_path):
    folder = sentence_piece_folder(tmp_path / "hf", "gemma")
    load_tokenizer(folder).save_pretrained(folder)
    other = sentence_piece_folder(tmp_path / "other", "llama")
    (folder / "tokenizer.model").write_bytes((other / "tokenizer.model").read_bytes())
    with pytest.raises(ConvertError, match=r"not of one tokenizer: token \d"):
        read_vocabulary(folder, 2000)


def test_merges_in_another_order_than_the_scores_are_refused(tmp_path):
    folder = sentence_piece_folder(tmp_path, "llama")
    load_tokenizer(folder).save_pretrained(folder)
    file = folder / "tokenizer.json"
    rules = json.loads(file.read_text("utf-8"))
    merges = rules["model"]["merges"]
    merges.insert(0, merges.pop(700))
    file.write_text(json.dumps(rules), "utf-8")
    with pytest.raises(ConvertError, match=r"tokenizer\.model joins .* before"):
        read_vocabulary(folder, 1600)
    (folder / "tokenizer.model").unlink()
    gguf = vocabulary_gguf(tmp_path / "v.gguf", read_vocabulary(folder, 1600))
    assert compare_tokens(folder, gguf).equal


@pytest.mark.skipif(not LLAMA_2_MODEL.is_file(), reason="wants MEDASSIST_DATA")
def test_llama_2s_model_file_alone_which_transformers_misreads_is_refused(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(LLAMA_2_MODEL.read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', "utf-8")
    settings = '{"tokenizer_class": "LlamaTokenizer", "legacy": true}'
    (tmp_path / "tokenizer_config.json").write_text(settings, "utf-8")
    with pytest.raises(ConvertError, match="the base model's own tokenizer"):
        read_vocabulary(tmp_path, 32000)


def test_a_broken_model_file_is_refused_by_name(tmp_path):
    folder = sentence_piece_folder(tmp_path / "hf", "gemma")
    load_tokenizer(folder).save_pretrained(folder)
    (folder / "tokenizer.model").write_bytes(b"not one")
    with pytest.raises(ConvertError, match=r"tokenizer\.model is no SentencePiece"):
        read_vocabulary(folder, 2000)


def test_one_blank_before_the_first_piece_alone_keeps_conversations_exact(tmp_path):
    folder = sentence_piece_folder(tmp_path / "hf", "llama", legacy=False)
    assert read_vocabulary(folder, 1600).adds_blank is False
    # The plain form, in which a model without a template is asked, begins with BOS too.
    without = sentence_piece_folder(
        tmp_path / "base", "llama", legacy=False, chat_template=None
    )
    assert read_vocabulary(without, 1600).adds_blank is False
    bare = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    begins_with_text = sentence_piece_folder(
        tmp_path / "text", "llama", legacy=False, chat_template=bare
    )
    assert read_vocabulary(begins_with_text, 1600).adds_blank is True


def test_tokens_that_swallow_blanks_need_phi_3_in_the_name(tmp_path):
    folder = sentence_piece_folder(tmp_path / "hf", "llama")
    made = load_tokenizer(folder).backend_tokenizer
    made.add_special_tokens(["<|endoftext|>", "<|user|>"])
    rules = json.loads(made.to_str())
    for token in rules["added_tokens"]:
        token["rstrip"] = token["content"] in ("</s>", "<|user|>")
    settings = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    folder = save(tmp_path / "json", Tokenizer.from_str(json.dumps(rules)), **settings)
    found = read_vocabulary(folder, 2000)
    assert found.swallows_blanks
    assert found.model_name("My model") == "My model (phi-3)"
    assert found.model_name("My Phi-3") == "My Phi-3"
    gguf = vocabulary_gguf(tmp_path / "v.gguf", found)
    assert compare_tokens(folder, gguf).first_difference is None
    with GgufVocabulary(gguf) as vocabulary:
        read = vocabulary.tokenize("<|user|> \nHi", special=True)
    assert read == load_tokenizer(folder).encode("<|user|>Hi")[1:]
    rules["added_tokens"][0]["lstrip"] = True
    save(folder, Tokenizer.from_str(json.dumps(rules)), **settings)
    with pytest.raises(ConvertError, match="swallows blanks"):
        read_vocabulary(folder, 2000)


def test_a_name_that_llama_cpp_would_take_for_a_phi_3_is_refused(tmp_path):
    found = read_vocabulary(byte_level_folder(tmp_path), 2000)
    assert found.model_name("Phil's 3rd") == "Phil's 3rd"
    with pytest.raises(ConvertError, match="another name"):
        found.model_name("better than phi3")


def test_every_end_token_of_the_settings_is_named_in_the_gguf(tmp_path):
    folder = byte_level_folder(tmp_path)
    tokenizer = load_tokenizer(folder)
    ids = [tokenizer.convert_tokens_to_ids(t) for t in ("<|im_end|>", END, "<note>")]
    settings = folder / "generation_config.json"
    settings.write_text(json.dumps({"eos_token_id": ids[:2]}), "utf-8")
    found = read_vocabulary(folder, 2000)
    assert (found.ends.eos, found.ends.turn_end) == (ids[0], ids[0])
    assert found.ends.message_end == ids[1]
    gguf = vocabulary_gguf(tmp_path / "v.gguf", found)
    assert compare_tokens(folder, gguf).equal
    settings.write_text(json.dumps({"eos_token_id": ids}), "utf-8")
    with pytest.raises(ConvertError, match="a GGUF can name three"):
        read_vocabulary(folder, 2000)


def test_a_tokenizer_without_a_begin_token_leaves_none_to_llama_cpps_guess(tmp_path):
    folder = byte_level_folder(tmp_path)
    found = read_vocabulary(folder, 2000)
    assert load_tokenizer(folder).bos_token_id is None
    assert found.ends.bos == found.ends.eos
    assert not found.ends.adds_bos
    change(folder / "config.json", bos_token_id=2)
    assert read_vocabulary(folder, 2000).ends.bos == 2


def test_an_added_token_without_a_row_is_left_out_unless_it_is_needed(tmp_path):
    folder = byte_level_folder(tmp_path / "hf")
    size = len(load_tokenizer(folder)) - 1
    gguf = convert_vocabulary(folder, tmp_path / "v.gguf", size)
    assert compare_tokens(folder, gguf).equal
    assert "<note>" not in read_vocabulary(folder, size).tokens
    template = (
        "{{ '<note>' }}{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"
    )
    (folder / "chat_template.jinja").write_text(template, "utf-8")
    with pytest.raises(ConvertError, match="'<note>' has the id"):
        read_vocabulary(folder, size)


def test_named_templates_are_kept_in_a_fixed_order(tmp_path):
    folder = byte_level_folder(tmp_path / "hf")
    more = folder / "additional_chat_templates"
    more.mkdir()
    for name in ("tool_use", "rag"):
        (more / f"{name}.jinja").write_text(f"{{{{ '{name}' }}}}", "utf-8")
    found = read_vocabulary(folder, 2000)
    assert found.templates.named == {
        "tool_use": "{{ 'tool_use' }}",
        "rag": "{{ 'rag' }}",
    }
    reader = GGUFReader(vocabulary_gguf(tmp_path / "v.gguf", found))
    names = reader.get_field("tokenizer.chat_templates")
    tool = reader.get_field("tokenizer.chat_template.tool_use")
    assert names is not None
    assert tool is not None
    assert names.contents() == ["rag", "tool_use"]
    assert tool.contents() == "{{ 'tool_use' }}"


def test_an_answer_may_end_behind_a_blank(tmp_path):
    folder = sentence_piece_folder(tmp_path, "llama")
    assert read_vocabulary(folder, 1600).ends.turn_end == 2


def test_two_tokens_of_one_text_are_refused_before_llama_cpp_aborts(tmp_path):
    folder = byte_level_folder(tmp_path / "hf")
    found = read_vocabulary(folder, 2000)
    twice = (*found.tokens[:-1], found.tokens[300])
    broken = type(found)(
        found.kind,
        found.pre,
        type(found.rows)(twice, found.types, merges=found.merges),
        found.ends,
        found.templates,
    )
    with pytest.raises(ConvertError, match="the tokens 300 and 1999 have one text"):
        vocabulary_gguf(tmp_path / "v.gguf", broken)


def test_a_unigram_tokenizer_is_refused_before_it_is_loaded(tmp_path):
    made = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0)], 0, False))
    PreTrainedTokenizerFast(tokenizer_object=made).save_pretrained(tmp_path)
    with pytest.raises(ConvertError, match="a Unigram tokenizer"):
        read_vocabulary(tmp_path, 10)


def test_a_blank_before_every_text_is_refused_in_byte_level_bpe(tmp_path):
    folder = byte_level_folder(tmp_path, "gpt-2")
    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    save(folder, made, eos_token="<|im_end|>")
    with pytest.raises(ConvertError, match="pre-tokenizer"):
        read_vocabulary(folder, 2000)
