"""An answer that its limit cut off is written on, from its own last word."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from medassist.core.values import Figures, PairFiles, StopReason
from medassist.engine.wire import Answered, Question
from medassist.text.thought_marks import before_answer
from tests.engine.conversation import GREEDY, answers, question, tiny_engine
from tests.scripted_model import CHATML, GO, write_scripted_model

# Tokens of a user's are found in any text, so that this is read as it was written.
ANSWER = ["First", "-one", ",then", "-two", ",and", "-in", "-the", "-end", ":three."]
WHOLE = "".join(ANSWER)
SHORT = replace(GREEDY, max_tokens=4)
THINKS = ["<think>", "\nMaybe", " 900", "\n</think>", "\n\n", *ANSWER]
OPENED = CHATML.replace(GO, "<think>\n" + GO)


async def in_rounds(file: Path) -> list[Answered]:
    """The answer in as many rounds as its limit makes of it."""
    rounds: list[Answered] = []
    asked = question("How much?", sampling=SHORT)
    async with tiny_engine(PairFiles(base=file)) as engine:
        while len(rounds) < 5 and (not rounds or rounds[-1].figures.ending == "length"):
            rounds.append((await answers(engine, asked))["base"])
            thought = rounds[0].thought
            asked = Question(
                messages=asked.messages,
                sampling=SHORT,
                written=rounds[-1].text,
                thought=thought,
            )
    return rounds


@pytest.mark.parametrize(
    ("pieces", "template"),
    [(ANSWER, CHATML), (THINKS, CHATML), (THINKS[1:], OPENED)],
    ids=["plain", "after a thought", "after a thought that the prompt opened"],
)
async def test_in_rounds_a_model_writes_what_it_writes_in_one_go(
    tmp_path: Path, pieces: list[str], template: str
) -> None:
    file = tmp_path / "model.gguf"
    write_scripted_model(file, pieces, template=template, added=ANSWER)
    rounds = await in_rounds(file)
    assert len(rounds) == 3
    assert rounds[-1].text == WHOLE and rounds[-1].figures.ending == "end"
    for earlier, later in pairwise(rounds):
        assert later.text.startswith(earlier.text) and earlier.text
    assert all(one.figures.tokens_answered <= 4 for one in rounds)
    assert "900" not in rounds[-1].text


def test_what_stands_between_prompt_and_answer_is_as_each_family_writes_it() -> None:
    harmony = {"<|channel|>"}
    closes = "<|end|><|start|>assistant<|channel|>final<|message|>"
    cases = [
        ("", {"<think>"}, False, ("", "")),
        ("", {"<think>"}, True, ("<think>\n", "\n</think>\n\n")),
        ("<think>", {"<think>"}, True, ("", "\n</think>\n\n")),
        ("<think>", {"<think>"}, False, ("", "\n</think>\n\n")),
        ("", {"[THINK]"}, True, ("[THINK]\n", "\n[/THINK]\n\n")),
        ("", {"<unused94>"}, True, ("<unused94>thought\n", "\n<unused95>\n\n")),
        ("", harmony, True, ("<|channel|>analysis<|message|>", closes)),
        ("", harmony, False, ("<|channel|>final<|message|>", "")),
        ("<|channel|>", harmony, True, ("", closes)),
    ]
    for opened, known, thinks, expected in cases:
        assert before_answer(opened, known, thinks) == expected


def figures(
    ending: StopReason, written: int, speed: float, thought: int = 0
) -> Figures:
    return Figures(ending, 10, 5, written, 0.5, speed, 50, thought)


def test_the_figures_of_an_answer_in_rounds_are_those_of_all_of_it() -> None:
    first, second = figures("length", 30, 10, thought=10), figures("end", 10, 5)
    both = second.after(first)
    assert both.tokens_answered == 30 and both.tokens_thought == 10
    assert both.tok_per_s == pytest.approx(8)
    assert (both.ending, both.gone_on_at, both.ttft_s) == ("end", (20,), 0.5)
    assert figures("end", 1, 5).after(both).gone_on_at == (20, 30)
