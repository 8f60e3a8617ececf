"""The GGUF reads text as the Hugging Face tokenizer does, id by id."""

from __future__ import annotations

import json

import pytest
from gguf import GGUFReader, TokenType

from convert.errors import ConvertError
from convert.vocabulary import load_tokenizer, read_vocabulary, template_end
from finetune.starter.chat import SPECIAL
from medassist.text.answer_end import AnswerEnd
from tests.convert.native import NativeModel
from tests.convert.tiny_hf import tiny_tokenizer

TEXTS = (
    "",
    " ",
    "a",
    "  two blanks, then\ttabs\t\tand\n\n\nlines \n ",
    "It's the patient's; they've said we'll, I'd, I'M and don't.",
    "Sodium 128 mmol/L; 37,9 °C; 1.000.000 cells; x²; ½; 10⁶",
    "Müller, façade, naïve, Ångström, ŁÓDŹ, Ελληνικά, кириллица",
    "日本語のテキスト。한국어 텍스트 中文字符",
    "👩‍⚕️ 🫀🫁 e\u0301 (combining) \u200b\ufeff zero width",
    "code_with_underscores(camelCase, 0x1F) -> [1, 2] # {3}",
    "https://example.org/a?b=c&d=e#f",
    "\x00\x01\x7f\x80 control",
    "\r\n\x0b\x0c",
    "...!!!???---___***",
    "<|user|> <|end|> <|assistant|",
    "a" * 300,
    " a" * 100,
)


def test_plain_text_has_the_same_ids(hf, gguf_f32):
    tokenizer = load_tokenizer(hf.base)
    with NativeModel(gguf_f32.base) as native:
        for text in TEXTS:
            expected = tokenizer.encode(
                text, add_special_tokens=False, split_special_tokens=True
            )
            assert native.tokenize(text) == expected, text


def test_markers_in_rendered_prompts_have_the_same_ids(hf, gguf_f32):
    tokenizer = load_tokenizer(hf.base)
    with NativeModel(gguf_f32.base) as native:
        for text in TEXTS:
            rendered = tokenizer.apply_chat_template(
                [{"role": "user", "content": text}],
                tokenize=False,
                add_generation_prompt=True,
            )
            assert isinstance(rendered, str)
            expected = tokenizer.encode(rendered, add_special_tokens=False)
            assert native.tokenize(rendered, special=True) == expected, text


def test_a_text_begins_with_bos_where_the_tokenizer_puts_it(hf, gguf_f32):
    tokenizer = load_tokenizer(hf.base)
    with NativeModel(gguf_f32.base) as native:
        found = native.tokenize("The heart", add=True)
    assert found == tokenizer.encode("The heart")
    assert found[0] == tokenizer.bos_token_id


def test_special_tokens_are_control_and_the_end_of_a_turn_is_named(gguf_f32):
    reader = GGUFReader(gguf_f32.base)

    def value(key):
        field = reader.get_field(f"tokenizer.{key}")
        assert field is not None, key
        return field.contents()

    kinds = dict(zip(value("ggml.tokens"), value("ggml.token_type"), strict=True))
    assert {t for t, kind in kinds.items() if kind == TokenType.CONTROL} == set(SPECIAL)
    assert value("ggml.tokens")[value("ggml.eos_token_id")] == "<|end|>"
    assert value("ggml.eot_token_id") == value("ggml.eos_token_id")
    assert value("ggml.pre") == "gpt-2"
    assert value("ggml.add_bos_token") is True
    assert "<|assistant|>" in value("chat_template")


def test_rows_of_the_embedding_without_a_token_become_unused_tokens(hf):
    size = len(load_tokenizer(hf.base))
    vocabulary = read_vocabulary(hf.base, size + 2)
    assert vocabulary.types[size:] == (TokenType.UNUSED,) * 2
    assert len(set(vocabulary.tokens)) == size + 2


def test_more_tokens_than_rows_are_refused(hf):
    with pytest.raises(ConvertError, match="rows of embeddings"):
        read_vocabulary(hf.base, len(load_tokenizer(hf.base)) - 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pre_tokenizer": {"type": "Whitespace"}}, "pre-tokenizer"),
        ({"pre_tokenizer": None}, "pre-tokenizer"),
        ({"normalizer": {"type": "Lowercase"}}, "normalizer"),
        ({"model": {"type": "WordPiece"}}, "byte-level BPE"),
    ],
)
def test_a_tokenizer_that_llama_cpp_would_read_otherwise_is_refused(
    hf, tmp_path, change, said
):
    for file in hf.base.glob("token*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(ConvertError, match=said):
        read_vocabulary(tmp_path, 400)


@pytest.mark.parametrize(
    ("turn", "stop"),
    [
        ("<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n", "<|im_end|>"),
        ("{{ m.role | upper }}: {{ m.content }}\n", "\nUSER:"),
        ("### {{ m.role }}\n{{ m.content }}\n\n", "\n### user\n"),
    ],
)
def test_a_template_that_ends_answers_with_text_gives_a_stop_text_and_is_told(
    hf, tmp_path, turn, stop
):
    tokenizer = load_tokenizer(hf.base)
    tokenizer.chat_template = "{% for m in messages %}" + turn + "{% endfor %}"
    tokenizer.save_pretrained(tmp_path)
    found = read_vocabulary(tmp_path, len(tokenizer))
    assert (found.ends.eos, found.ends.turn_end) == (tokenizer.eos_token_id, None)
    assert found.ends.template is not None
    assert found.ends.template.text == stop
    (note,) = found.notes
    assert repr(stop) in note and repr(tokenizer.eos_token) in note


def test_a_template_that_tells_no_end_leaves_it_to_the_tokenizers_end_token(
    hf, tmp_path
):
    tokenizer = load_tokenizer(hf.base)
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    tokenizer.save_pretrained(tmp_path)
    found = read_vocabulary(tmp_path, len(tokenizer))
    assert (found.ends.eos, found.ends.turn_end) == (tokenizer.eos_token_id, None)
    (note,) = found.notes
    assert "tells no end" in note


def test_a_token_that_is_added_but_not_special_ends_an_answer_too():
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<over>"])
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}<over>{% endfor %}"
    assert template_end(tokenizer) == AnswerEnd("<over>", "<over>", is_token=True)


def test_a_template_that_fails_is_refused():
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('no') }}"
    with pytest.raises(ConvertError, match="cannot render"):
        template_end(tokenizer)
