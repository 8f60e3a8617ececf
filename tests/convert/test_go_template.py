"""The TEMPLATE that Ollama gets writes what the model's own chat template writes."""

from __future__ import annotations

import random
from typing import cast

import pytest

from convert.errors import ConvertError
from convert.go_template.derive import read_turns
from convert.go_template.source import read_source, without_system
from convert.go_template.write import go_template
from convert.ollama.model_settings import OllamaWishes, settings_of
from convert.turns import SystemTurn
from medassist.core.values import Role
from tests.convert import go_render
from tests.convert.chat_templates import (
    GEMMA_2,
    LLAMA_32,
    SPOKEN,
    STARTER,
    Spoken,
    chatml,
)

CONVERSATIONS = 200
WORDS = (
    "What is iron for?",
    "  blanks at both ends\t\n",
    "\n\n",
    "Hb 8,1 g/dL \u2192 anaemia; \u00b5g, \u4e2d\u6587, \U0001fa7a",
    "\u00a0no-break\u2003",
    "{{ .Content }}{{/* no action */}}{% if x %}",
    '\'one\' "two" """three""" \\n `back`',
    "<|im_end|></s>[INST] <<SYS>> <end_of_turn>",
    "two\r\nlines\n\nand a third",
    "x",
    "\u200bzero width\u200d",
    "ends in a brace {",
)


def talks(seed: int = 7) -> list[list[dict[str, str]]]:
    chance = random.Random(seed)

    def text() -> str:
        # Blank turns are no part of what is promised.
        found = "".join(chance.choice(WORDS) for _ in range(chance.randint(1, 3)))
        return found if found.strip() else found + "x"

    made: list[list[dict[str, str]]] = []
    for _ in range(CONVERSATIONS):
        roles = ["system"] if chance.random() < 0.5 else []
        roles += ["user", "assistant"] * chance.randint(0, 4) + ["user"]
        made.append([{"role": role, "content": text()} for role in roles])
    return made


def jinja(
    spoken: Spoken, talk: list[dict[str, str]], *, gone_on_with: bool = False
) -> str:
    """By transformers, without the begin token that the runtime writes."""
    tokenizer = spoken.tokenizer()
    template = spoken.template
    if spoken.date:
        template = template.replace("strftime_now('%d %b %Y')", f"'{spoken.date}'")
    if not spoken.takes_system:
        turns = without_system([(cast(Role, m["role"]), m["content"]) for m in talk])
        talk = [{"role": role, "content": text} for role, text in turns]
    text = cast(
        str,
        tokenizer.apply_chat_template(
            talk,
            chat_template=template,
            tokenize=False,
            add_generation_prompt=not gone_on_with,
            continue_final_message=gone_on_with,
        ),
    )
    return text.removeprefix(spoken.bos) if spoken.bos and spoken.adds_bos else text


@go_render.needs_go
@pytest.mark.parametrize("name", SPOKEN)
def test_go_writes_what_the_chat_template_writes(name, tmp_path):
    spoken = SPOKEN[name]
    source = read_source(spoken.folder(tmp_path / "hf"), date=spoken.date)
    template = go_template(read_turns(source))
    conversations = talks()
    (found,) = go_render.render([(template, conversations)])
    assert len(found) == CONVERSATIONS
    for talk, text in zip(conversations, found, strict=True):
        assert text == jinja(spoken, talk)


@go_render.needs_go
@pytest.mark.parametrize(
    "name", sorted(SPOKEN.keys() - {"mistral-0.3", "bos of its own"})
)
def test_an_answer_at_the_end_is_left_open_to_be_gone_on_with(name, tmp_path):
    spoken = SPOKEN[name]
    source = read_source(spoken.folder(tmp_path / "hf"), date=spoken.date)
    template = go_template(read_turns(source))
    talk = [
        {"role": "user", "content": "What is iron for?"},
        {"role": "assistant", "content": "It is for"},
    ]
    ((found,),) = go_render.render([(template, [talk])])
    assert found == jinja(spoken, talk, gone_on_with=True)


@go_render.needs_go
@pytest.mark.parametrize("name", ["chatml", "llama-3", "llama-3.1", "zephyr", "phi-3"])
def test_a_system_turn_in_the_middle_stands_where_it_was_said(name, tmp_path):
    spoken = SPOKEN[name]
    turns = read_turns(read_source(spoken.folder(tmp_path / "hf")))
    assert isinstance(turns.system, SystemTurn)
    talk = [
        {"role": "user", "content": "What is iron for?"},
        {"role": "assistant", "content": "For the blood."},
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "And zinc?"},
    ]
    ((found,),) = go_render.render([(go_template(turns), [talk])])
    assert found == jinja(spoken, talk)


@pytest.mark.parametrize("name", SPOKEN)
def test_a_gguf_says_the_same_as_the_folder_it_was_made_from(name, tmp_path):
    spoken = SPOKEN[name]
    folder = read_source(spoken.folder(tmp_path / "hf"), date=spoken.date)
    gguf = read_source(spoken.gguf(tmp_path / "m.gguf"), date=spoken.date)
    assert read_turns(gguf) == read_turns(folder)
    assert gguf.bos == folder.bos
    assert gguf.ends == folder.ends


FIXED = chatml(None).template
ODD = {
    "numbered turns": FIXED.replace("message.content", "loop.index ~ message.content"),
    "shouted questions": FIXED.replace(
        "message.content",
        "(message.content | upper if message.role == 'user' else message.content)",
    ),
    "only line ends are taken off": FIXED.replace(
        "message.content", "message.content.strip('\\n')"
    ),
    "long texts are marked": FIXED.replace(
        "message.content",
        "(message.content ~ ('!' if message.content | length > 20 else ''))",
    ),
    "the first answer is another": FIXED.replace(
        "~ message.role", "~ ('first ' if loop.index == 2 else '') ~ message.role"
    ),
    "a turn is written twice": FIXED.replace(
        "message.content", "message.content ~ message.content"
    ),
    "answers are left out": FIXED.replace(
        "message.content", "(message.content if message.role == 'user' else '')"
    ),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_template_that_go_cannot_repeat_is_refused(odd, tmp_path):
    spoken = Spoken(ODD[odd], bos=None, eos="<|im_end|>", adds_bos=False)
    with pytest.raises(ConvertError, match="--template"):
        read_turns(read_source(spoken.gguf(tmp_path / "m.gguf")))


def test_a_template_that_refuses_every_question_is_refused(tmp_path):
    spoken = Spoken("{{ raise_exception('not today') }}", bos=None, eos="<e>")
    with pytest.raises(ConvertError, match="not today"):
        read_turns(read_source(spoken.gguf(tmp_path / "m.gguf")))


@pytest.mark.parametrize("form", ["hf", "m.gguf"])
def test_todays_date_has_to_be_fixed_by_the_user(form, tmp_path):
    make = LLAMA_32.gguf if form.endswith("gguf") else LLAMA_32.folder
    path = make(tmp_path / form)
    with pytest.raises(ConvertError, match="--date"):
        read_turns(read_source(path))
    turns = read_turns(read_source(path, date='the "1st"'))
    assert 'Today: the "1st"' in turns.opening


def test_a_model_without_a_template_is_asked_in_the_plain_one(tmp_path):
    bare = Spoken("", bos=None, eos="<e>")
    for path in (bare.gguf(tmp_path / "m.gguf"), bare.folder(tmp_path / "hf")):
        source = read_source(path)
        assert source.stands_in
        turns: list[tuple[Role, str]] = [
            ("user", "Why?"),
            ("assistant", "So."),
            ("user", "Oh?"),
        ]
        asked = "Question: Why?\nAnswer: So.<e>\nQuestion: Oh?\nAnswer:"
        assert source.render(turns) == read_turns(source).render(turns) == asked
        made = settings_of(path, OllamaWishes())
        assert made.stops == ("<e>", "\nQuestion:")
        assert any("no chat template" in note for note in made.notes)


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ConvertError, match="is not there"):
        read_source(tmp_path / "nowhere")
    text = tmp_path / "text.gguf"
    text.write_text("no GGUF at all")
    with pytest.raises(ConvertError, match="no GGUF"):
        read_source(text)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_gguf_that_ends_too_early_is_refused(kept, tmp_path):
    whole = STARTER.gguf(tmp_path / "m.gguf").read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(ConvertError, match="no whole GGUF"):
        read_source(cut)


def test_a_system_text_stands_in_the_first_question_where_there_is_no_such_turn(
    tmp_path,
):
    turns = read_turns(read_source(GEMMA_2.gguf(tmp_path / "m.gguf")))
    assert turns.render([("system", "Be brief."), ("user", "Iron?")]) == (
        "<start_of_turn>user\nBe brief.\n\nIron?<end_of_turn>\n<start_of_turn>model\n"
    )
