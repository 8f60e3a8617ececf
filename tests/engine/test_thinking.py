"""A model that thinks, read by the engine: what is shown, and what room is left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medassist.core.values import Message, PairFiles, Sampling
from medassist.engine.prompt import longest_answer, longest_thought
from medassist.engine.template import ChatTemplate
from medassist.engine.wire import Answered
from tests.engine.conversation import GREEDY, answers, question, tiny_engine
from tests.scripted_model import CHATML, GO, write_scripted_model

MANY = replace(GREEDY, max_tokens=400)
THINKS = ["<think>", "\nIs 900 mg", " right? No.", "\n</think>", "\n\nGive", " 10 mg."]
OPENED = CHATML.replace(GO, "<think>\n" + GO)
QUESTION = [Message("user", "How much? I think <think> is no dose.")]
SWITCH = (
    "{% for m in messages %}{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}"
    "A:{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>"
    "\n\n{% elif enable_thinking %}<think>\n{% endif %}{% endif %}"
)


async def said(file: Path, sampling: Sampling = MANY) -> Answered:
    async with tiny_engine(PairFiles(base=file)) as engine:
        return (await answers(engine, question("How much?", sampling=sampling)))["base"]


@pytest.mark.parametrize(
    ("pieces", "template", "control"),
    [
        (THINKS, CHATML, ()),
        (THINKS, CHATML, ("<think>",)),
        (THINKS[1:], OPENED, ()),
        (["<th", "ink>", *THINKS[1:3], "\n</thi", "nk>", *THINKS[4:]], CHATML, ()),
    ],
    ids=["text", "control token", "opened by the template", "split over tokens"],
)
async def test_a_thought_is_no_part_of_the_answer(
    tmp_path: Path, pieces: list[str], template: str, control: tuple[str, ...]
) -> None:
    file = tmp_path / "thinks.gguf"
    write_scripted_model(file, pieces, template=template, control=control)
    answer = await said(file)
    assert answer.text == "Give 10 mg."
    assert answer.thought == "Is 900 mg right? No."
    figures = answer.figures
    assert figures.tokens_written == len(pieces)
    assert 0 < figures.tokens_answered <= 3


async def test_a_thought_has_a_limit_of_its_own_and_the_answer_still_comes(
    tmp_path: Path,
) -> None:
    endless = [f" step {number}," for number in range(60)]
    pieces = ["<think>", *endless, "\n", "</think>", "\n\n", "Give 10 mg."]
    file = tmp_path / "endless.gguf"
    write_scripted_model(file, pieces, template=CHATML, control=("</think>",))
    answer = await said(file, replace(MANY, max_thought_tokens=20))
    assert answer.thought.startswith("step 0,") and "step 30" not in answer.thought
    assert answer.text.endswith("Give 10 mg.")


def test_thought_and_answer_share_the_room_that_there_is() -> None:
    assert longest_answer(4096, 1024) == 1024
    assert longest_answer(1024, 1024) == 512
    assert longest_answer(1024, None) == 1024
    assert longest_thought(4000, 1024, 2048) == 2048
    assert longest_thought(2000, 1024, 2048) == 1000
    assert longest_thought(100, 24, 2048) == 76
    assert longest_thought(100, 4096, None) == 50


def test_a_template_is_asked_to_think_or_not() -> None:
    template = ChatTemplate(SWITCH, "a file", "", "")
    assert template.thinking_switch
    assert template.opened_thought(QUESTION) == ""
    assert template.opened_thought(QUESTION, "on") == "<think>"
    assert template.opened_thought(QUESTION, "off") == ""
    assert template.render(QUESTION, thinking="off").endswith("</think>\n\n")
    assert not ChatTemplate(CHATML, "a file", "", "").thinking_switch


def test_a_template_that_always_asks_and_drops_earlier_thoughts_opens_one_too() -> None:
    drops = (
        "{% for m in messages %}{{ m.content.split('</think>')[-1] | trim }}\n"
        "{% endfor %}A:<think>\n"
    )
    template = ChatTemplate(drops, "a file", "", "")
    assert template.opened_thought(QUESTION) == "<think>"
