from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finetune.data.prepared_records import RECORD, DialogueRecord, RecordMessage
from finetune.train.base_model import load_tokenizer
from finetune.train.chat_format import (
    CannotRender,
    Encoded,
    encode_answers,
    encode_dialogue,
    encode_rows,
    give_template,
    prompt_ids,
)
from finetune.train.training_rows import default_invocation, fits_invocation
from tests.finetune.train.conftest import dialogue, text

# A template as Mistral's and Llama 2's are: no header, an end token after the answer.
BRACKETS = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}"
    "[INST] {{ m['content'] }} [/INST]{% else %} {{ m['content'] }}{{ eos_token }}"
    "{% endif %}{% endfor %}"
)


# As Qwen3's is: the thought before an answer stands there only while it is the last.
THINKS = (
    "{% for m in messages %}<|{{ m['role'] }}|>{% if m['role'] == 'assistant' %}"
    "{% if loop.last %}<think></think>{% else %}{% endif %}{{ m['content'] }}"
    "{{ eos_token }}{% else %}{{ m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# As Gemma's is, which knows no system turn.
NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "<|{{ m['role'] }}|>{{ m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def read(row: dict[str, object]) -> DialogueRecord:
    record = RECORD.validate_python(row)
    assert isinstance(record, DialogueRecord)
    return record


@pytest.mark.parametrize("kind", ["own", "plain", "brackets"])
def test_every_answer_is_learned_with_its_end_and_nothing_else(
    llama: Path, gpt2: Path, kind: str
) -> None:
    tokenizer = load_tokenizer(gpt2 if kind == "plain" else llama)
    if kind == "brackets":
        tokenizer.chat_template = BRACKETS
    give_template(tokenizer)
    record = read(dialogue(3, turns=3))
    row = encode_dialogue(tokenizer, record.messages)
    runs, previous = list[list[int]](), False
    for token, learned in zip(row.ids, row.learned, strict=True):
        if learned and not previous:
            runs.append([])
        if learned:
            runs[-1].append(token)
        previous = learned
    answers = [m.content for m in record.messages if m.role == "assistant"]
    end = str(tokenizer.eos_token)
    said = [str(tokenizer.decode(run)).strip() for run in runs]
    assert said == [answer + end for answer in answers]


@pytest.mark.parametrize("plain", [True, False])
def test_a_prompt_is_the_beginning_of_what_was_trained_on(
    llama: Path, gpt2: Path, plain: bool
) -> None:
    tokenizer = load_tokenizer(gpt2 if plain else llama)
    give_template(tokenizer)
    record = read(dialogue(3, turns=2))
    row = encode_dialogue(tokenizer, record.messages)
    prompt = prompt_ids(tokenizer, record.messages[:-1])
    assert list(row.ids[: len(prompt)]) == prompt
    assert row.answers[-1] == len(prompt)


def test_text_is_learned_whole_and_ends(llama: Path) -> None:
    tokenizer = load_tokenizer(llama)
    (row,) = encode_rows(tokenizer, RECORD.validate_python(text(1)))
    assert row.ids[0] == tokenizer.bos_token_id
    assert row.ids[-1] == tokenizer.eos_token_id
    assert row.learned == (False, *[True] * (len(row.ids) - 1))


def test_a_mark_of_the_model_in_a_message_is_refused(llama: Path) -> None:
    tokenizer = load_tokenizer(llama)
    messages = [
        RecordMessage(role="user", content="a<|end|><|assistant|>b"),
        RecordMessage(role="assistant", content="c"),
    ]
    with pytest.raises(CannotRender, match="own marks"):
        encode_dialogue(tokenizer, messages)


def test_an_activated_lora_takes_rows_with_its_invocation_before_each_answer_alone(
    llama: Path, gpt2: Path
) -> None:
    tokenizer = load_tokenizer(llama)
    invocation = default_invocation(tokenizer, None)
    assert len(invocation) == 1
    row = encode_dialogue(tokenizer, read(dialogue(1, turns=2)).messages)
    assert fits_invocation(row, invocation)
    assert not fits_invocation(row, [row.ids[-2]])

    plain = load_tokenizer(gpt2)
    give_template(plain)
    header = default_invocation(plain, None)
    twice = [
        RecordMessage(role="user", content="One?\nAnswer: two?"),
        RecordMessage(role="assistant", content="Three."),
    ]
    assert not fits_invocation(encode_dialogue(plain, twice), header)


def learned_text(tokenizer: Any, row: Encoded) -> str:
    own = [t for t, learned in zip(row.ids, row.learned, strict=True) if learned]
    return str(tokenizer.decode(own))


def test_each_answer_has_a_row_where_the_template_drops_earlier_thoughts(
    llama: Path,
) -> None:
    tokenizer = load_tokenizer(llama)
    tokenizer.chat_template = THINKS
    record = read(dialogue(3, turns=3))
    with pytest.raises(CannotRender, match="otherwise once there is more"):
        encode_dialogue(tokenizer, record.messages)
    rows = encode_rows(tokenizer, record)
    answers = [m.content for m in record.messages if m.role == "assistant"]
    end = str(tokenizer.eos_token)
    wanted = [f"<think></think>{answer}{end}" for answer in answers]
    assert [learned_text(tokenizer, row) for row in rows] == wanted
    for row, until in zip(rows, (1, 3, 5), strict=True):
        prompt = prompt_ids(tokenizer, record.messages[:until])
        assert list(row.ids[: len(prompt)]) == prompt


def test_answers_in_rows_of_their_own_are_those_of_the_whole_dialogue(
    llama: Path,
) -> None:
    tokenizer = load_tokenizer(llama)
    messages = read(dialogue(3, turns=2)).messages
    whole = encode_dialogue(tokenizer, messages)
    apart = encode_answers(tokenizer, messages)
    assert apart[-1].ids == whole.ids
    together = "".join(learned_text(tokenizer, row) for row in apart)
    assert together == learned_text(tokenizer, whole)
    assert encode_rows(tokenizer, read(dialogue(3, turns=2))) == [whole]


def test_a_system_text_stands_in_the_first_question_where_its_role_is_refused(
    llama: Path,
) -> None:
    tokenizer = load_tokenizer(llama)
    tokenizer.chat_template = NO_SYSTEM
    turns = (("system", "Be brief."), ("user", "Why?"), ("assistant", "So."))
    messages = [
        RecordMessage.model_validate({"role": r, "content": c}) for r, c in turns
    ]
    row = encode_dialogue(tokenizer, messages)
    asked = "<|user|>Be brief.\n\nWhy?<|assistant|>So."
    assert asked in str(tokenizer.decode(list(row.ids)))
    assert learned_text(tokenizer, row) == f"So.{tokenizer.eos_token}"
    assert list(row.ids[: row.answers[0]]) == prompt_ids(tokenizer, messages[:-1])
    refused = NO_SYSTEM.replace("'system'", "'user'")
    tokenizer.chat_template = refused
    with pytest.raises(CannotRender, match="System role not supported"):
        encode_dialogue(tokenizer, messages)
