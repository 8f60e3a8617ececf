"""The engine on a real small model: the same answers, its template, its ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medassist.core.values import EngineOptions, Message, PairFiles, Sampling
from medassist.engine.client import Engine
from medassist.engine.scorer import GgufVocabulary
from medassist.engine.template import ChatTemplate
from tests.engine.conversation import answers, question

ASKED = "What is the capital of France?"
GREEDY = Sampling(temperature=0, repeat_penalty=1, max_tokens=20)
SAMPLED = Sampling(temperature=0.9, seed=3, max_tokens=24)
OWN_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


@pytest.fixture(scope="module")
def vocabulary(real_base: Path):
    with GgufVocabulary(real_base) as opened:
        yield opened


async def test_one_question_has_one_answer_and_a_seed_another(real_base):
    async with Engine(PairFiles(base=real_base), EngineOptions()) as engine:

        async def said(sampling: Sampling) -> str:
            found = await answers(engine, question(ASKED, sampling=sampling))
            return found["base"].text

        greedy = await said(GREEDY)
        sampled = await said(SAMPLED)
        assert await said(GREEDY) == greedy
        assert await said(SAMPLED) == sampled
        assert await said(replace(SAMPLED, seed=4)) != sampled
    async with Engine(PairFiles(base=real_base), EngineOptions()) as engine:
        assert await said(GREEDY) == greedy  # in another process


async def test_it_ends_by_itself_and_its_end_is_not_shown(real_base):
    async with Engine(PairFiles(base=real_base), EngineOptions()) as engine:
        assert engine.loaded is not None
        assert engine.loaded.panes["base"].template == "model"
        asked = question("Is fire hot? Answer with one word.", sampling=GREEDY)
        answer = (await answers(engine, asked))["base"]
    assert answer.figures.ending == "end"
    assert 0 < answer.figures.tokens_written < 20
    assert "fire" in answer.text
    assert "<|" not in answer.text


async def test_base_and_tuned_answer_from_one_set_of_weights(real_base, real_adapter):
    short = replace(GREEDY, max_tokens=12)
    async with Engine(PairFiles(base=real_base), EngineOptions()) as engine:
        alone = await answers(engine, question(ASKED, sampling=short))
    pair = PairFiles(base=real_base, adapter=real_adapter)
    async with Engine(pair, EngineOptions()) as engine:
        both = await answers(engine, question(ASKED, sampling=short))
    assert both["base"].text == alone["base"].text
    assert both["tuned"].text != both["base"].text


def test_a_conversation_is_written_as_the_model_was_taught(real_base, vocabulary):
    template = ChatTemplate(
        vocabulary.template,
        str(real_base),
        vocabulary.text(vocabulary.bos),
        vocabulary.text(vocabulary.eos),
        adds_bos=vocabulary.adds_bos,
    )
    talk = [
        Message(role="user", content=ASKED),
        Message(role="assistant", content="Paris."),
        Message(role="user", content="And of Spain?"),
    ]
    wanted = (
        f"<|im_start|>system\n{OWN_SYSTEM}<|im_end|>\n"
        f"<|im_start|>user\n{ASKED}<|im_end|>\n"
        "<|im_start|>assistant\nParis.<|im_end|>\n"
        "<|im_start|>user\nAnd of Spain?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert template.render(talk) == wanted
    ids = vocabulary.tokenize(wanted, special=True)
    assert ids.count(1) == 5  # <|im_start|>
    assert ids.count(2) == 4  # <|im_end|>


def test_its_tokens_are_what_its_makers_say(vocabulary):
    assert vocabulary.text(2) == "<|im_end|>"
    assert vocabulary.ends_answer(2)
    assert vocabulary.is_control(1) and not vocabulary.ends_answer(1)
    digits = vocabulary.tokenize("20260", special=False)
    assert [vocabulary.text(token) for token in digits] == [*"20260"]
    assert 2 not in vocabulary.tokenize("<|im_end|>", special=False)
    for text in ("Fever 38.9 °C\r\n\tand 3 kg less", "Блок é\u0301 漢字 😀"):
        pieces = vocabulary.tokenize(text, special=False)
        assert b"".join(map(vocabulary.piece, pieces)).decode() == text
