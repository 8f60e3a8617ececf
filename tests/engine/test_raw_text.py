"""A text that is gone on with as it stands, without the chat template."""

from __future__ import annotations

import pytest

from medassist.core.errors import QuestionRefused
from medassist.core.values import PairFiles
from medassist.engine.wire import Question
from tests.engine.conversation import GREEDY, answers, question, tiny_engine, user
from tests.tiny_models import TinyPair


def raw(text: str) -> Question:
    return Question(messages=(user("not looked at"),), sampling=GREEDY, raw=text)


async def test_no_template_stands_around_a_raw_text(tiny: TinyPair) -> None:
    async with tiny_engine(PairFiles(base=tiny.base)) as engine:
        alone = (await answers(engine, raw("Anaemia")))["base"].figures
        asked = (await answers(engine, question("Anaemia")))["base"].figures
    read = alone.tokens_read + alone.tokens_reused
    assert read < asked.tokens_read + asked.tokens_reused


async def test_an_adapter_that_a_raw_text_does_not_turn_on_is_told(
    tiny: TinyPair,
) -> None:
    async with tiny_engine(PairFiles(base=tiny.base, adapter=tiny.activated)) as engine:
        with pytest.raises(QuestionRefused, match="invocation"):
            await answers(engine, {"tuned": raw("Anaemia")})
        # It lives on, and the base goes on with any text.
        assert (await answers(engine, {"base": raw("Anaemia")}))["base"].text
