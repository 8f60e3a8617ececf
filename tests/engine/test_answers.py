from __future__ import annotations

from dataclasses import replace

import pytest

from medassist.core.values import Mode, PairFiles, PaneName, Sampling
from medassist.engine.wire import Answered, Question, Reading, Written
from tests.engine.conversation import (
    GREEDY,
    LONG,
    Conversation,
    answers,
    events_of,
    question,
    tiny_engine,
)
from tests.tiny_models import TinyPair

QUESTIONS = (LONG, "And in children? " * 5, "Which dose, and how often? " * 9)
SAMPLED = Sampling(temperature=0.9, seed=3, max_tokens=24)


def adapted(tiny: TinyPair, activated: bool = True) -> PairFiles:
    adapter = tiny.activated if activated else tiny.plain
    return PairFiles(base=tiny.base, adapter=adapter)


async def test_an_adapter_answers_as_the_merged_model_does(tiny: TinyPair) -> None:
    async with tiny_engine(adapted(tiny, activated=False)) as engine:
        with_adapter = await answers(engine, question("What is anaemia?"))
    async with tiny_engine(PairFiles(base=tiny.base, tuned=tiny.merged)) as engine:
        merged = await answers(engine, question("What is anaemia?"))
    assert with_adapter["tuned"].text == merged["tuned"].text
    assert with_adapter["base"].text == merged["base"].text
    assert with_adapter["base"].text != with_adapter["tuned"].text


@pytest.mark.parametrize("activated", [False, True])
async def test_an_adapter_answers_the_same_beside_another_model(
    tiny: TinyPair, activated: bool
) -> None:
    pair = adapted(tiny, activated)
    async with tiny_engine(pair) as engine:
        before = await answers(engine, question("What is anaemia?"))
    async with tiny_engine(pair.with_pane("base", (tiny.merged,))) as engine:
        after = await answers(engine, question("What is anaemia?"))
        assert engine.loaded is not None
        assert not engine.loaded.panes["tuned"].shares_prefill
    async with tiny_engine(PairFiles(base=tiny.merged)) as engine:
        alone = await answers(engine, question("What is anaemia?"))
    assert after["tuned"].text == before["tuned"].text
    assert after["base"].text == alone["base"].text


async def test_an_adapter_answers_without_a_pane_of_its_base(tiny: TinyPair) -> None:
    async with tiny_engine(adapted(tiny)) as engine:
        beside = await answers(engine, question("What is anaemia?"))
    alone = PairFiles(adapter=tiny.activated, adapter_base=tiny.base)
    async with tiny_engine(alone) as engine:
        said = await answers(engine, question("What is anaemia?"))
    assert list(said) == ["tuned"]
    assert said["tuned"].text == beside["tuned"].text


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED])
@pytest.mark.parametrize("prepared", [False, True])
async def test_a_shared_prefill_gives_the_answers_of_two_full_ones_in_three_turns(
    tiny: TinyPair, sampling: Sampling, prepared: bool
) -> None:
    texts: list[list[str]] = []
    read: list[int] = []
    for share in (True, False):
        async with tiny_engine(adapted(tiny), share_prefill=share) as engine:
            talk = Conversation(engine, sampling, prepared)
            turns = [await talk.turn(q) for q in QUESTIONS]
        texts.append([t[p].text for t in turns for p in ("base", "tuned")])
        read.append(turns[0]["tuned"].figures.tokens_read)
    assert texts[0] == texts[1]
    assert read[0] == 1  # the invocation alone
    assert read[1] > 128


async def test_an_activated_adapter_changes_the_answer_and_nothing_before_it(
    tiny: TinyPair,
) -> None:
    async with tiny_engine(adapted(tiny)) as engine:
        got = await answers(engine, question(LONG))
        assert engine.loaded is not None
        assert engine.loaded.panes["tuned"].shares_prefill
    async with tiny_engine(PairFiles(base=tiny.base)) as engine:
        alone = await answers(engine, question(LONG))
    assert got["base"].text == alone["base"].text
    assert got["tuned"].text != got["base"].text
    assert got["tuned"].figures.tokens_reused == got["base"].figures.tokens_read - 1


@pytest.mark.parametrize("activated", [True, False])
async def test_the_same_conversation_gives_the_same_text_whatever_was_cached(
    tiny: TinyPair, activated: bool
) -> None:
    files = adapted(tiny, activated)
    async with tiny_engine(files) as engine:
        talk = Conversation(engine, SAMPLED, prepared=True)
        grown = [await talk.turn(q) for q in QUESTIONS]
        await answers(engine, question("Something else. " * 30))
        conversation: dict[PaneName, Question] = {
            pane: question(*(m.content for m in history[:-1]), sampling=SAMPLED)
            for pane, history in talk.histories.items()
        }
        again = await answers(engine, conversation)
    async with tiny_engine(files) as engine:
        fresh = await answers(engine, conversation)
    for pane in ("base", "tuned"):
        assert grown[-1][pane].text == fresh[pane].text == again[pane].text


async def test_a_prepared_second_turn_reads_only_what_is_new(tiny: TinyPair) -> None:
    async with tiny_engine(adapted(tiny)) as engine:
        talk = Conversation(engine, prepared=True)
        first = await talk.turn(LONG)
        second = await talk.turn("And in children?")
    for pane in ("base", "tuned"):
        prompt = second[pane].figures.tokens_read + second[pane].figures.tokens_reused
        before = first[pane].figures.tokens_read + first[pane].figures.tokens_reused
        # What is settled is settled in whole chunks of 128 tokens.
        assert second[pane].figures.tokens_reused >= before // 128 * 128
        assert second[pane].figures.tokens_read < prompt - before + 128


async def test_both_modes_write_the_same_and_differ_in_the_order(
    tiny: TinyPair,
) -> None:
    texts: dict[Mode, dict[str, str]] = {}
    async with tiny_engine(adapted(tiny, activated=False)) as engine:
        for mode in ("together", "in-turn"):
            got = await answers(engine, question(LONG), mode)
            texts[mode] = {pane: a.text for pane, a in got.items()}
        panes = dict.fromkeys(engine.files.panes, question("In turn?"))
        order = [event.pane async for event in engine.ask(panes, "in-turn")]
    assert texts["together"] == texts["in-turn"]
    assert order == sorted(order)


async def test_together_neither_pane_waits_for_the_other_to_finish(
    tiny: TinyPair,
) -> None:
    sampling = Sampling(temperature=0, max_tokens=400, repeat_penalty=1)
    async with tiny_engine(adapted(tiny, activated=False)) as engine:
        events = await events_of(engine, question("Why?", sampling=sampling))
    written = [e.pane for e in events if isinstance(e, Written)]
    ended = [e.pane for e in events if isinstance(e, Answered)]
    assert written.index("tuned") < len(written) - written[::-1].index("base")
    assert set(ended) == {"base", "tuned"}


async def test_reading_reports_each_chunk_up_to_the_whole_prompt(
    tiny: TinyPair,
) -> None:
    async with tiny_engine(PairFiles(base=tiny.base)) as engine:
        events = await events_of(engine, question(LONG))
    steps = [e for e in events if isinstance(e, Reading)]
    assert [s.done for s in steps[:2]] == [0, 128]
    assert steps[-1].done == steps[-1].total
    answer = events[-1]
    assert isinstance(answer, Answered)
    assert answer.figures.tokens_read == steps[-1].total


async def test_pieces_add_up_to_the_answer(tiny: TinyPair) -> None:
    async with tiny_engine(adapted(tiny)) as engine:
        events = await events_of(engine, question("Why?", sampling=SAMPLED))
    for pane in ("base", "tuned"):
        pieces = [e.text for e in events if isinstance(e, Written) and e.pane == pane]
        whole = [e.text for e in events if isinstance(e, Answered) and e.pane == pane]
        assert ["".join(pieces)] == whole


async def test_seed_and_temperature_decide_what_is_written(tiny: TinyPair) -> None:
    hot = [Sampling(temperature=1.5, seed=s, max_tokens=24) for s in (1, 1, 2)]
    async with tiny_engine(PairFiles(base=tiny.base)) as engine:
        texts = [
            (await answers(engine, question("Why?", sampling=s)))["base"].text
            for s in hot
        ]
    assert texts[0] == texts[1] != texts[2]


async def test_a_repeat_penalty_keeps_an_answer_from_repeating_itself(
    tiny: TinyPair,
) -> None:
    repeats = []
    for penalty in (1, 8):
        sampling = Sampling(temperature=0, max_tokens=60, repeat_penalty=penalty)
        async with tiny_engine(PairFiles(base=tiny.base)) as engine:
            got = await answers(engine, question("Why?", sampling=sampling))
        tokens = tiny.tokenizer.encode(got["base"].text).ids
        repeats.append(len(tokens) - len(set(tokens)))
    assert repeats[0] > repeats[1]


async def test_an_answer_ends_at_its_limit_and_at_the_end_of_the_context(
    tiny: TinyPair,
) -> None:
    endless = Sampling(temperature=0, max_tokens=None, repeat_penalty=1)
    async with tiny_engine(PairFiles(base=tiny.base), context=128) as engine:
        limited = await answers(engine, question("Why?"))
        full = await answers(engine, question("Why?", sampling=endless))
    assert limited["base"].figures.ending == "length"
    assert limited["base"].figures.tokens_written == GREEDY.max_tokens
    assert full["base"].figures.ending == "length"
    prompt = full["base"].figures.tokens_read + full["base"].figures.tokens_reused
    assert prompt + full["base"].figures.tokens_written == 128 + 1


async def test_a_stop_string_ends_an_answer_and_is_not_shown(tiny: TinyPair) -> None:
    async with tiny_engine(PairFiles(base=tiny.base)) as engine:
        whole = (await answers(engine, question("Why?")))["base"].text
        stop = whole[6:9]
        sampling = replace(GREEDY, stop=(stop,))
        events = await events_of(engine, question("Why?", sampling=sampling))
    shown = "".join(e.text for e in events if isinstance(e, Written))
    answer = events[-1]
    assert isinstance(answer, Answered)
    assert answer.figures.ending == "end"
    assert shown == answer.text == whole[: whole.index(stop)]


async def test_a_q8_cache_and_flash_attention_answer_too(tiny: TinyPair) -> None:
    async with tiny_engine(adapted(tiny), kv="q8_0") as engine:
        got = await answers(engine, question(LONG))
        assert engine.loaded is not None
        assert engine.loaded.panes["base"].flash_attention
    assert got["base"].text
    assert got["tuned"].figures.tokens_read == 1
