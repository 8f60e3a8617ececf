"""An engine that takes many: several users are answered at once, and still in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from medassist.serve.check import findings
from medassist.serve.options import ServeOptions
from medassist.serve.upstream.options import UpstreamOptions
from tests.serve.serving import PATIENCE_S, Served, events_in, said
from tests.serve.vllm_stand_in import (
    BASE,
    TUNED,
    VllmStandIn,
    answer_of,
    both,
    vllm,
)

NAMES = ("anna", "bert", "cora", "dora")
Answers = asyncio.Task[httpx.Response]


async def until(wanted: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not wanted():
            await asyncio.sleep(0.005)


async def ask(server: Served, user: str, text: str) -> Answers:
    """Both models are asked; waits until the question is answered or in the queue."""
    queue = server.running.desk.queue
    before = queue.length + len(queue.running)

    async def compare() -> httpx.Response:
        async with server.http(user) as client:
            return await client.post("/v1/compare", json={"messages": said(text)})

    asking = asyncio.create_task(compare())
    await until(lambda: queue.length + len(queue.running) > before or asking.done())
    return asking


def of(answer: httpx.Response, wanted: str) -> list[Any]:
    return [data for name, data in events_in(answer.text) if name == wanted]


def texts(answer: httpx.Response) -> dict[str, str]:
    return {data["pane"]: data["text"] for data in of(answer, "answered")}


def both_say(text: str) -> dict[str, str]:
    return {"base": answer_of(BASE, text), "tuned": answer_of(TUNED, text)}


async def test_both_panes_of_several_users_are_in_one_batch(key_file: Path) -> None:
    hold = asyncio.Event()
    async with both(key_file, VllmStandIn(hold=hold), named=NAMES) as (engine, server):
        asking = [await ask(server, name, f"I am {name}.") for name in NAMES]
        await until(lambda: engine.running == 2 * len(NAMES))
        hold.set()
        answers = await asyncio.gather(*asking)
    assert [texts(answer) for answer in answers] == [
        both_say(f"I am {name}.") for name in NAMES
    ]
    assert not any(of(answer, "queue") for answer in answers)
    # What was read for one is used for no other.
    assert len({asked["cache_salt"] for asked in engine.asked}) == len(NAMES)


async def test_a_user_has_one_question_answered_at_a_time(key_file: Path) -> None:
    hold = asyncio.Event()
    async with both(key_file, VllmStandIn(hold=hold), named=NAMES) as (engine, server):
        annas = [await ask(server, "anna", f"No. {number}") for number in range(3)]
        refused = await (await ask(server, "anna", "No. 3"))
        assert refused.status_code == 429
        bert = await ask(server, "bert", "I am there, too.")
        await until(lambda: engine.running == 4)
        assert server.running.desk.queue.length == 2
        hold.set()
        answers = await asyncio.gather(*annas)
        assert texts(await bert) == both_say("I am there, too.")
    places = [[told["position"] for told in of(one, "queue")][:1] for one in answers]
    assert places == [[], [1], [2]]
    assert [texts(one) for one in answers] == [both_say(f"No. {n}") for n in range(3)]
    assert engine.together == 4


async def test_users_come_in_turn_where_fewer_are_answered_at_once(
    key_file: Path,
) -> None:
    hold = asyncio.Event()
    engine = VllmStandIn(hold=hold)
    async with both(key_file, engine, named=NAMES, at_once=2) as (_, server):
        asking = {
            f"{name} {number}": await ask(server, name, f"{name} {number}")
            for number in range(2)
            for name in NAMES
        }
        assert [*server.running.desk.queue.running] == ["anna", "bert"]
        hold.set()
        answers = {text: await asked for text, asked in asking.items()}
    assert engine.together == 4
    order = [asked["messages"][-1]["content"] for asked in engine.asked]
    assert {*order[0:4]} == {"anna 0", "bert 0"}
    assert {*order[4:8]} == {"cora 0", "dora 0"}
    assert {*order[8:12]} == {"anna 1", "bert 1"}
    told = {text: of(answer, "queue") for text, answer in answers.items()}
    first = [told[text][0]["position"] for text in [*asking][2:]]
    assert first == [1, 2, 3, 4, 5, 6]
    assert all(texts(answer) == both_say(text) for text, answer in answers.items())


async def test_who_stops_or_leaves_stops_no_other_answer(key_file: Path) -> None:
    hold = asyncio.Event()
    async with both(key_file, VllmStandIn(hold=hold), named=NAMES) as (engine, server):
        asking = [await ask(server, name, f"I am {name}.") for name in NAMES[:3]]
        await until(lambda: engine.running == 6)
        id = server.running.desk.queue.running["anna"].id
        async with server.http("anna") as client:
            assert (await client.delete(f"/v1/compare/{id}")).is_success
        asking[1].cancel()
        await until(lambda: engine.running == 2)
        hold.set()
        stopped, goes_on = await asking[0], await asking[2]
    assert {d["stop_reason"] for d in of(stopped, "answered")} == {"stopped"}
    assert texts(goes_on) == both_say("I am cora.")


async def found_by_check(key_file: Path, **more: Any) -> tuple[bool, str]:
    async with vllm() as engine:
        upstream = UpstreamOptions(engine.url, key_file=key_file, **more)
        options = ServeOptions(port=0, upstream=upstream)
        found = (await asyncio.to_thread(findings, options))[0]
        return found.ok, found.text


@pytest.mark.parametrize(
    ("more", "at_once"),
    [
        ({}, "; 16 questions at once"),
        ({"at_once": 4}, "; 4 questions at once"),
        ({"kind": "openai"}, "tuned tuned-lora"),
        ({"kind": "openai", "at_once": 4}, "; 4 questions at once"),
    ],
)
async def test_how_many_at_once_hangs_on_the_engine_unless_it_is_said(
    key_file: Path, more: dict[str, Any], at_once: str
) -> None:
    ok, text = await found_by_check(key_file, **more)
    assert ok
    assert text.endswith(at_once)


async def test_a_llama_server_is_not_asked_several_questions_at_once(
    key_file: Path,
) -> None:
    ok, text = await found_by_check(key_file, kind="llama-server", at_once=2)
    assert not ok
    assert "--upstream-at-once" in text
