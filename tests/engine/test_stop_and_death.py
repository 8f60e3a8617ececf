from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace

import pytest

from medassist.core.errors import EngineDied, EngineError, LoadStopped
from medassist.core.values import PairFiles, Sampling, TooLong
from medassist.engine.client import Engine
from medassist.engine.wire import Answered, Reading, Written
from tests.engine.conversation import LONG, answers, events_of, question, tiny_engine
from tests.tiny_models import TinyPair

ENDLESS = Sampling(temperature=1.2, max_tokens=1500, repeat_penalty=1, min_p=0)


@pytest.fixture
def files(tiny: TinyPair) -> PairFiles:
    return PairFiles(base=tiny.base, adapter=tiny.plain)


async def test_stopping_keeps_what_was_written(files: PairFiles) -> None:
    async with tiny_engine(files) as engine:
        written: dict[str, str] = {"base": "", "tuned": ""}
        panes = dict.fromkeys(files.panes, question("Why?", sampling=ENDLESS))
        async for event in engine.ask(panes):
            if isinstance(event, Written):
                written[event.pane] += event.text
                if all(written.values()):
                    engine.stop()
            elif isinstance(event, Answered):
                assert event.figures.ending == "stopped"
                assert event.text == written[event.pane] != ""
                assert event.figures.tokens_written < 1500


async def test_one_pane_is_stopped_and_the_other_goes_on(files: PairFiles) -> None:
    reasons = {}
    sampling = replace(ENDLESS, max_tokens=300)
    async with tiny_engine(files) as engine:
        panes = dict.fromkeys(files.panes, question("Why?", sampling=sampling))
        async for event in engine.ask(panes):
            if isinstance(event, Written) and event.pane == "tuned":
                engine.stop("tuned")
            elif isinstance(event, Answered):
                reasons[event.pane] = (
                    event.figures.ending,
                    event.figures.tokens_written,
                )
    assert reasons["tuned"][0] == "stopped"
    assert reasons["base"][0] in ("length", "end")
    assert reasons["tuned"][1] < reasons["base"][1]


async def test_a_prefill_is_stopped_and_the_next_question_is_as_if_new(
    tiny: TinyPair,
) -> None:
    long = question(LONG * 4)
    async with tiny_engine(PairFiles(base=tiny.base)) as engine:
        async for event in engine.ask({"base": long}):
            if isinstance(event, Reading):
                engine.stop()
            elif isinstance(event, Answered):
                assert event.figures.ending == "stopped"
                assert event.text == ""
                assert event.figures.ttft_s is None
        after = await answers(engine, long)
    async with tiny_engine(PairFiles(base=tiny.base)) as engine:
        fresh = await answers(engine, long)
    assert after["base"].text == fresh["base"].text


async def test_leaving_the_answers_early_stops_them(files: PairFiles) -> None:
    panes = dict.fromkeys(files.panes, question("Why?", sampling=ENDLESS))
    async with tiny_engine(files) as engine:
        asking = engine.ask(panes)
        async for event in asking:
            if isinstance(event, Written):
                break
        await asking.aclose()
        got = await answers(engine, question("And now?"))
    assert set(got) == {"base", "tuned"}


async def test_loading_can_be_stopped_and_begun_again(files: PairFiles) -> None:
    engine = tiny_engine(files)
    with pytest.raises(LoadStopped):
        await engine.start(lambda _: engine.stop())
    assert engine.state == "dead"
    await engine.start()
    assert (await answers(engine, question("Why?")))["base"].text
    await engine.close()


async def test_a_killed_child_is_an_error_that_names_the_files_and_starts_again(
    files: PairFiles,
) -> None:
    engine = tiny_engine(files)
    await engine.start()
    pieces: list[str] = []
    panes = dict.fromkeys(files.panes, question("Why?", sampling=ENDLESS))
    with pytest.raises(EngineDied, match=r"tiny-base\.gguf.*memory"):
        async for event in engine.ask(panes):
            if isinstance(event, Written):
                pieces.append(event.text)
                assert engine.pid is not None
                os.kill(engine.pid, signal.SIGKILL)
    assert pieces
    assert engine.state == "dead"
    with pytest.raises(EngineDied, match="memory"):
        await answers(engine, question("Why?"))
    await engine.start()
    assert (await answers(engine, question("Why?")))["tuned"].text
    await engine.close()


async def test_a_child_that_dies_while_nothing_is_asked_is_told_at_the_question(
    files: PairFiles,
) -> None:
    engine = tiny_engine(files)
    await engine.start()
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    while engine.state == "ready":
        await asyncio.sleep(0.01)
    with pytest.raises(EngineDied, match=r"tiny-base\.gguf.*memory"):
        await answers(engine, question("Why?"))
    await engine.close()


async def test_a_pair_closed_while_it_starts_stays_closed(files: PairFiles) -> None:
    engine = tiny_engine(files)
    starting = asyncio.create_task(engine.start())
    await asyncio.sleep(0)
    await engine.close()
    with pytest.raises(EngineError, match="closed"):
        await starting
    assert engine.state == "closed"
    assert engine.memory() is None


async def test_an_abort_in_native_code_is_told_with_the_signal(
    files: PairFiles,
) -> None:
    engine = tiny_engine(files)
    await engine.start()
    panes = dict.fromkeys(files.panes, question("Why?", sampling=ENDLESS))
    with pytest.raises(EngineDied, match="give up while it answered"):
        async for event in engine.ask(panes):
            if isinstance(event, Written) and engine.pid is not None:
                os.kill(engine.pid, signal.SIGABRT)
    await engine.close()


async def test_the_child_ends_with_the_engine(files: PairFiles) -> None:
    engine = tiny_engine(files)
    await engine.start()
    assert (engine.memory() or 0) > 10_000_000
    pid = engine.pid
    assert pid is not None
    await engine.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_prompt_that_does_not_fit_is_told_and_nothing_runs(
    files: PairFiles,
) -> None:
    async with tiny_engine(files, context=256) as engine:
        earlier = ["What is asthma? " * 5, "A disease. " * 10]
        events = await events_of(engine, question(*earlier, *earlier, LONG))
        assert events
        for event in events:
            assert isinstance(event, TooLong)
            assert event.tokens > event.fits
            assert event.fits == 256 - 24
            assert len(event.droppable) == 2
            assert all(tokens > 50 for tokens in event.droppable)
        dropped = await events_of(engine, question("Short?"))
    assert isinstance(dropped[-1], Answered)


async def test_two_hundred_thousand_words_are_counted_and_refused(
    files: PairFiles,
) -> None:
    async with tiny_engine(files) as engine:
        events = await events_of(engine, question("fever " * 200_000))
    assert len(events) == 2
    assert all(isinstance(e, TooLong) and e.tokens > 200_000 for e in events)


async def test_what_was_read_for_one_asker_is_not_used_for_another(
    files: PairFiles,
) -> None:
    panes = dict.fromkeys(files.panes, question(LONG * 3))

    async def reused(engine: Engine, asker: str) -> set[int]:
        events = [event async for event in engine.ask(panes, asker=asker)]
        found = [e.figures for e in events if isinstance(e, Answered)]
        assert all(f.tokens_read + f.tokens_reused > 256 for f in found)
        return {figures.tokens_reused for figures in found}

    async with tiny_engine(files) as engine:
        assert await reused(engine, "anna") == {0}
        assert 0 not in await reused(engine, "anna")
        assert await reused(engine, "bert") == {0}
        assert await reused(engine, "anna") == {0}
