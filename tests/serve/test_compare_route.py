"""Both models as one stream: flags first, blind, stopped, and what does not fit."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from medassist.consult.sides import Sides
from medassist.core.values import TooLong
from medassist.serve import compare_route
from tests.serve.serving import (
    HEART,
    PATIENCE_S,
    QUESTION,
    Served,
    events_in,
    said,
    served,
)
from tests.stubs.engine import Script, answer_of


async def compared(
    client: httpx.AsyncClient, text: str = QUESTION, **more: Any
) -> list[tuple[str, Any]]:
    body = {"messages": said(text)} | more
    answer = await client.post("/v1/compare", json=body)
    assert answer.status_code == 200, answer.text
    return events_in(answer.text)


def of(events: list[tuple[str, Any]], name: str) -> list[Any]:
    return [data for kind, data in events if kind == name]


async def test_flags_come_first_and_both_answers_whole() -> None:
    async with served() as server, server.http() as client:
        events = await compared(client, HEART, sampling={"seed": 7}, mode="in-turn")
        assert server.engine.modes == ["in-turn"]
        assert {q.sampling.seed for q in server.engine.asked[0].values()} == {7}
    assert events[0][0] == "red_flags"
    assert events[0][1]["red_flags"]
    assert events[0][1]["panes"] == ["base", "tuned"]
    assert events[-1][0] == "done"
    assert events[-1][1]["outcome"] == "answered"
    assert {r["pane"] for r in of(events, "reading")} == {"base", "tuned"}
    for answered in of(events, "answered"):
        pane = answered["pane"]
        assert answered["text"] == answer_of(pane, HEART)
        pieces = [w["text"] for w in of(events, "written") if w["pane"] == pane]
        assert "".join(pieces) == answered["text"]
        assert answered["stop_reason"] == "end"
        assert answered["tokens_read"] == 2048
        assert "No source" in answered["notices"][-1]
    done = events[-1][1]
    assert set(done["provenance"]) == {"base", "tuned"}
    assert done["provenance"]["tuned"]["adapter"] == "adapter.gguf"


async def test_each_model_goes_on_from_its_own_answers() -> None:
    async with served() as server, server.http() as client:

        def history(pane: str) -> list[Any]:
            answer = {"role": "assistant", "content": f"{pane} said so."}
            return [*said(), answer, *said("And then?")]

        messages = {"base": history("base"), "tuned": history("tuned")}
        await compared(client, messages=messages)
        asked = server.engine.asked[0]
        both = {pane: q.messages[1].content for pane, q in asked.items()}
        assert both == {"base": "base said so.", "tuned": "tuned said so."}
        answer = await client.post(
            "/v1/compare",
            json={"messages": {"base": said("One?"), "tuned": said("Two?")}},
        )
        assert answer.status_code == 400


async def test_a_dose_far_from_the_other_models_is_told_at_the_end() -> None:
    script = Script(
        answers={
            "base": ["Give 5 mg of morphine intravenously."],
            "tuned": ["Give 50 mg of morphine intravenously."],
        }
    )
    async with served(script) as server, server.http() as client:
        done = (await compared(client))[-1][1]
    assert all(
        "morphine" in " ".join(said).lower() for said in done["notices"].values()
    )


async def test_blind_nothing_tells_which_side_is_which_until_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script(
        answers={
            "base": ["I am ", "Tiny ", "base."],
            "tuned": ["I am Ti", "ny tun", "ed."],
        },
        thoughts={"tuned": "Who am I?"},
    )
    async with (
        served(script, named=["anna", "bert"]) as server,
        server.http("anna") as client,
        server.http("bert") as other,
    ):
        shown: dict[str, Any] = {}
        id = ""
        for first in ("tuned", "base"):
            sides = Sides(first, blind=True)  # pyright: ignore[reportArgumentType]
            monkeypatch.setattr(compare_route, "drawn", lambda drawn=sides: drawn)
            answer = await client.post(
                "/v1/compare", json={"messages": said(), "blind": True}
            )
            text = answer.text.lower()
            events = events_in(answer.text)
            for name in (
                "tiny",
                "tuned",
                "base.gguf",
                "adapter",
                '"base"',
                "who am",
            ):
                assert name not in text
            assert [a["pane"] for a in of(events, "answered")] == ["A", "B"]
            assert not of(events, "written")
            assert not of(events, "reading")
            assert set(of(events, "answered")[0]) == {
                *("pane", "text", "stop_reason", "notices")
            }
            id = events[0][1]["id"]
            assert events[-1][1]["provenance"] is None
            hidden = await other.post(f"/v1/compare/{id}/reveal", json={})
            assert hidden.status_code == 404
            shown = (await client.post(f"/v1/compare/{id}/reveal", json={})).json()
            assert sorted(shown["sides"].values()) == ["base", "tuned"]
            assert shown["sides"]["A"] == first
        # The next question keeps the sides.
        histories = {
            side: [
                *said(),
                {"role": "assistant", "content": f"{pane} said so."},
                *said("And then?"),
            ]
            for side, pane in shown["sides"].items()
        }
        body = {"messages": histories, "blind": True, "sides_of": id}
        assert (await client.post("/v1/compare", json=body)).status_code == 200
        asked = server.engine.asked[-1]
        assert {p: q.messages[1].content for p, q in asked.items()} == {
            "base": "base said so.",
            "tuned": "tuned said so.",
        }
        assert (await other.post("/v1/compare", json=body)).status_code == 404


async def begun(server: Served) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not (server.engines.made and server.engine.asked):
            await asyncio.sleep(0.005)


async def test_a_comparison_is_stopped_as_a_whole_or_in_one_pane() -> None:
    hold = asyncio.Event()
    async with (
        served(Script(hold=hold), named=["anna", "bert"]) as server,
        server.http("anna") as client,
        server.http("bert") as other,
    ):
        for pane in ("base", None):
            server.engine.asked.clear()
            hold.clear()
            asking = asyncio.create_task(compared(client))
            await begun(server)
            id = server.running.desk.queue.running["anna"].id
            assert (await other.delete(f"/v1/compare/{id}")).status_code == 404
            params = {"pane": pane} if pane else {}
            stopped = await client.delete(f"/v1/compare/{id}", params=params)
            assert stopped.status_code == 200
            if pane:
                hold.set()
            events = await asking
            endings = {a["pane"]: a["stop_reason"] for a in of(events, "answered")}
            other_ending = "end" if pane else "stopped"
            assert endings == {"base": "stopped", "tuned": other_ending}
            outcome = "answered" if pane else "stopped"
            assert events[-1][1]["outcome"] == outcome
        gone = await client.delete(f"/v1/compare/{id}")
        assert gone.status_code == 404


async def test_what_does_not_fit_is_told_in_numbers() -> None:
    def too_long(pane: str, question: object) -> TooLong | None:
        if pane == "base":
            return None
        return TooLong(pane="tuned", tokens=9000, fits=3500, droppable=())

    async with served(Script(too_long=too_long)) as server, server.http() as client:
        events = await compared(client)
    assert of(events, "too_long") == [{"pane": "tuned", "tokens": 9000, "fits": 3500}]
    assert events[-1] == ("done", events[-1][1])
    assert events[-1][1]["outcome"] == "too_long"


async def test_a_death_in_mid_stream_is_an_event_of_its_own() -> None:
    async with served(Script(dies=True)) as server, server.http() as client:
        events = await compared(client)
    assert events[-1][0] == "error"
    assert events[-1][1]["error"]["code"] == "engine_died"


@pytest.mark.parametrize(
    "more",
    [
        {"messages": {"left": said()}},
        {"blind": True, "messages": {"A": said()}},
        {"sides_of": "x"},
        {"sampling": {"tfs_z": 1}},
        {"sampling": {"temperature": -1}},
        {"mode": "apart"},
        {"models": ["a"]},
    ],
)
async def test_what_cannot_be_compared_is_refused(more: dict[str, Any]) -> None:
    async with served() as server, server.http() as client:
        body = {"messages": said()} | more
        answer = await client.post("/v1/compare", json=body)
        assert answer.status_code == 400
        assert server.engine.asked == []


async def test_what_a_terminal_would_obey_is_cleaned_across_pieces() -> None:
    script = Script(answers={"base": ["Red\x1b", "[31m flag\u202e", "."]})
    async with served(script) as server, server.http() as client:
        events = await compared(client)
    pieces = [w["text"] for w in of(events, "written") if w["pane"] == "base"]
    answered = next(a for a in of(events, "answered") if a["pane"] == "base")
    assert "".join(pieces) == answered["text"] == "Red flag."
