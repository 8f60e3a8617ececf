"""Several people, one engine: who is answered when, and what others learn of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from medassist.core.values import PairFiles
from medassist.serve.limits import Limits
from medassist.serve.options import ServeOptions
from medassist.session.choice import Choice
from medassist.settings import Settings
from tests.serve.serving import (
    PAIR,
    PATIENCE_S,
    Served,
    chat_body,
    said,
    served,
)
from tests.stubs.engine import Script, answer_of
from tests.tiny_models import TinyPair

NAMES = ("anna", "bert", "cora")
PATH = "/v1/chat/completions"


async def waits(server: Served, count: int) -> None:
    """Until one is answered and so many others wait."""
    queue = server.running.desk.queue
    async with asyncio.timeout(PATIENCE_S):
        while not queue.running or queue.length != count:
            await asyncio.sleep(0.005)


async def test_each_user_is_answered_in_turn() -> None:
    hold = asyncio.Event()
    limits = replace(Limits(), waiting_each=5)
    options = ServeOptions(choice=PAIR, limits=limits)
    async with served(Script(hold=hold), named=NAMES, options=options) as server:
        clients = {name: server.openai(name) for name in NAMES}
        asking: list[asyncio.Task[Any]] = []

        async def ask(name: str, number: int) -> None:
            create = clients[name].chat.completions.create
            text = f"{name} {number}"
            work = create(model="base", messages=said(text))
            asking.append(asyncio.create_task(work))
            await waits(server, len(asking) - 1)

        # Anna is there first, with four questions; the others come with two each.
        for number in range(4):
            await ask("anna", number)
        for number in range(2):
            await ask("bert", number)
        await ask("cora", 0)
        hold.set()
        answers = await asyncio.gather(*asking)
        assert all(a.choices[0].message.content for a in answers)
        order = [a["base"].messages[-1].content for a in server.engine.asked]
        for client in clients.values():
            await client.close()
    assert order == [
        *("anna 0", "bert 0", "cora 0"),
        *("anna 1", "bert 1", "anna 2", "anna 3"),
    ]


async def test_who_waits_is_told_the_place_and_about_how_long() -> None:
    hold = asyncio.Event()
    async with (
        served(Script(hold=hold), named=NAMES) as server,
        server.http("anna") as anna,
        server.http("bert") as bert,
    ):
        first = asyncio.create_task(anna.post(PATH, json=chat_body()))
        async with asyncio.timeout(PATIENCE_S):
            while not server.running.desk.queue.running:
                await asyncio.sleep(0.005)
        async with bert.stream(
            "POST", "/v1/compare", json={"messages": said()}
        ) as stream:
            lines = stream.aiter_lines()
            seen: list[str] = []
            async with asyncio.timeout(PATIENCE_S):
                while not seen or not seen[-1].startswith('data: {"position"'):
                    seen.append(await anext(lines))
            assert '"position":1' in seen[-1]
            assert '"eta_s":' in seen[-1]
            # The flags of the question stand there already.
            assert any("red_flags" in line for line in seen)
            hold.set()
            rest = [line async for line in lines]
        assert any("event: done" in line for line in rest)
        assert (await first).status_code == 200


async def test_too_many_of_one_and_too_many_of_all_are_told_apart() -> None:
    hold = asyncio.Event()
    limits = replace(Limits(), waiting_each=2, waiting=3)
    options = ServeOptions(choice=PAIR, limits=limits)
    async with (
        served(Script(hold=hold), named=NAMES, options=options) as server,
        server.http("anna") as anna,
        server.http("bert") as bert,
    ):
        asking = []
        for number in range(3):
            asking.append(asyncio.create_task(anna.post(PATH, json=chat_body())))
            await waits(server, number)
        mine = await anna.post(PATH, json=chat_body())
        assert mine.status_code == 429
        assert mine.json()["error"]["code"] == "rate_limit_exceeded"
        assert int(mine.headers["retry-after"]) >= 1
        asking.append(asyncio.create_task(bert.post(PATH, json=chat_body())))
        await waits(server, 3)
        alls = await bert.post(PATH, json=chat_body())
        assert alls.status_code == 503
        assert alls.json()["error"]["code"] == "overloaded"
        assert int(alls.headers["retry-after"]) >= 1
        hold.set()
        answers = await asyncio.gather(*asking)
        assert Counter(a.status_code for a in answers) == {200: 4}


async def test_who_leaves_the_queue_is_not_answered() -> None:
    hold = asyncio.Event()
    async with (
        served(Script(hold=hold), named=NAMES) as server,
        server.http("anna") as anna,
        server.http("bert") as bert,
    ):
        first = asyncio.create_task(anna.post(PATH, json=chat_body()))
        await waits(server, 0)
        body = chat_body(text="I leave.", stream=True)
        for more in ({}, {"stream": False}):
            second = asyncio.create_task(bert.post(PATH, json=body | more))
            await waits(server, 1)
            second.cancel()
            await waits(server, 0)
        hold.set()
        assert (await first).status_code == 200
        assert len(server.engine.asked) == 1


async def test_an_answer_that_takes_too_long_is_cut_off_and_says_so() -> None:
    limits = replace(Limits(), answer_s=0.2)
    options = ServeOptions(choice=PAIR, limits=limits)
    script = Script(hold=asyncio.Event())
    async with served(script, options=options) as server, server.openai() as client:
        answer = await client.chat.completions.create(model="base", messages=said())
    assert answer.choices[0].finish_reason == "length"


async def test_a_process_that_dies_again_is_not_started_for_ever() -> None:
    script = Script(dies=True)
    async with served(script) as server, server.http() as client:
        assert (await client.post(PATH, json=chat_body())).status_code == 500
        await server.healthy()
        script.dies = True
        assert (await client.post(PATH, json=chat_body())).status_code == 500
        answer = await client.post(PATH, json=chat_body())
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "engine_died"
        health = await client.get("/health")
        assert (health.status_code, health.json()) == (503, {"status": "dead"})
        assert server.running.desk.source.restarts == 1


async def test_who_waits_while_the_process_dies_is_answered_after_it_is_back() -> None:
    hold = asyncio.Event()
    script = Script(hold=hold, dies=True)
    async with (
        served(script, named=NAMES) as server,
        server.http("anna") as anna,
        server.http("bert") as bert,
    ):
        script.hold_before_first = True
        first = asyncio.create_task(anna.post(PATH, json=chat_body()))
        await waits(server, 0)
        second = asyncio.create_task(bert.post(PATH, json=chat_body()))
        await waits(server, 1)
        hold.set()
        assert (await first).json()["error"]["code"] == "engine_died"
        answer = await second
        assert answer.status_code == 200
        text = answer.json()["choices"][0]["message"]["content"]
        assert text == answer_of("tuned", said()[0]["content"])


async def test_what_one_user_had_read_is_read_anew_for_another(tiny: TinyPair) -> None:
    choice = Choice.of(PairFiles(base=tiny.base, adapter=tiny.plain))
    options = ServeOptions(choice=choice)
    settings = Settings(threads=1)
    text = "What are the symptoms of anaemia, and which tests are done first? " * 30
    from medassist.engine.client import Engine

    async with served(
        named=NAMES, options=options, make=Engine, settings=settings
    ) as server:

        async def cached(name: str) -> int:
            async with server.openai(name) as client:
                answer = await client.chat.completions.create(
                    model="base", messages=said(text), max_tokens=4
                )
            assert answer.usage is not None
            details = answer.usage.prompt_tokens_details
            assert details is not None
            assert answer.usage.prompt_tokens > 256
            return details.cached_tokens or 0

        assert await cached("anna") == 0
        assert await cached("anna") > 0
        assert await cached("bert") == 0
        assert await cached("anna") == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_a_real_answer_is_stopped_when_its_client_leaves(
    tiny: TinyPair, stream: bool
) -> None:
    from medassist.engine.client import Engine

    choice = Choice.of(PairFiles(base=tiny.base))
    options = ServeOptions(choice=choice)
    async with served(
        options=options, make=Engine, settings=Settings(threads=1)
    ) as server:
        desk = server.running.desk
        body = chat_body("base", max_tokens=2000, temperature=1.5, stream=stream)
        async with server.http() as client:
            asking = asyncio.create_task(client.post(PATH, json=body | {"min_p": 0}))
            async with asyncio.timeout(PATIENCE_S):
                while not desk.queue.running:
                    await asyncio.sleep(0.001)
            (ticket,) = desk.queue.running.values()
            asking.cancel()
        async with asyncio.timeout(PATIENCE_S):
            while desk.queue.running:
                await asyncio.sleep(0.001)
        assert ticket.outcome == "left"
        assert ticket.figures["base"].ending == "stopped"
        assert ticket.figures["base"].tokens_written < 2000
