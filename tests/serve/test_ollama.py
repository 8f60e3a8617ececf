"""A part of Ollama's API, asked for by Ollama's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import ollama
import pytest

from medassist.core.values import TooLong
from medassist.serve import users
from medassist.serve.admission import Admission, Watchers
from medassist.serve.limits import Limits
from medassist.serve.options import ServeOptions
from tests.serve.serving import HEART, PAIR, QUESTION, Served, said, served
from tests.stubs.engine import Script, answer_of

OPTIONS = ServeOptions(choice=PAIR, ollama_api=True)


@asynccontextmanager
async def serving(script: Script | None = None, **more: Any) -> AsyncIterator[Served]:
    async with served(script, options=OPTIONS, **more) as server:
        yield server


def by_address(server: Served, user: str = "") -> str:
    return f"{server.url}/t/{server.token(user)}"


def body(text: str = QUESTION, **more: Any) -> dict[str, Any]:
    return {"model": "tuned", "messages": said(text), **more}


def lines_in(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_the_client_is_let_in_by_its_key_and_by_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving() as server:
        with pytest.raises(ollama.ResponseError, match="token") as raised:
            await ollama.AsyncClient(server.url).list()
        assert raised.value.status_code == 401
        by_token = ollama.AsyncClient(by_address(server))
        monkeypatch.setenv("OLLAMA_API_KEY", server.token())
        for client in (by_token, ollama.AsyncClient(server.url)):
            listed = await client.list()
            assert [one.model for one in listed.models] == [
                "base:latest",
                "tuned:latest",
            ]
            answer = await client.chat("tuned:latest", said())
            assert answer.message.content == answer_of("tuned", QUESTION)


async def test_each_user_has_an_address_of_their_own() -> None:
    async with serving(named=["ann", "bob"]) as server:
        seen: list[str] = []
        enter = server.running.desk.queue.enter
        server.running.desk.queue.enter = (  # type: ignore[method-assign]
            lambda user, *rest: seen.append(user) or enter(user, *rest)
        )
        for user in ("bob", "ann"):
            client = ollama.AsyncClient(by_address(server, user))
            await client.chat("base", said())
        assert seen == ["bob", "ann"]


async def test_a_token_in_the_address_opens_nothing_else_and_nowhere_else() -> None:
    async with serving() as server, server.http(headers={}) as nobody:
        token = server.token()
        for path in ("/v1/models", "/", "/metrics", ""):
            answer = await nobody.get(f"/t/{token}{path}")
            assert answer.status_code == 401
            assert token not in answer.text
        for wrong in (f"/t/{token}x/api/tags", "/t//api/tags", "/api/tags"):
            assert (await nobody.get(wrong)).status_code == 401
        # A page of another site that has learned it is refused all the same.
        there = f"/t/{token}/api/tags"
        evil = {"Origin": "http://evil.example"}
        assert (await nobody.get(there, headers=evil)).status_code == 403
        assert (await nobody.get(there)).status_code == 200
    async with served() as server, server.http(headers={}) as nobody:
        there = f"/t/{server.token()}/api/tags"
        assert (await nobody.get(there)).status_code == 401


async def test_the_token_of_an_address_is_told_to_nobody() -> None:
    known, token = users.only_you()
    told: list[str] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        told.append(json.dumps([scope["path"], scope["raw_path"].decode()]))
        raise RuntimeError(scope["path"])

    admission = Admission(
        behind,
        hosts=frozenset({"here"}),
        scheme="http",
        users=lambda: known,
        limits=Limits(),
        watchers=Watchers(
            refused=lambda user, path, refusal: told.append(path + refusal.message),
            answered=lambda path, status: told.append(path),
            failed=told.append,
        ),
        in_address="/api/",
    )
    transport = httpx.ASGITransport(admission)  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        for sent in (token, "medassist-wrong"):
            for path in ("/api/tags", "/v1/models", ""):
                answer = await client.get(f"/t/{sent}{path}")
                told.append(answer.text + str(answer.headers))
    assert len(told) > 12
    assert "/api/tags" in told
    assert not [one for one in told if token in one or "medassist-wrong" in one]


async def test_an_answer_comes_in_lines_with_times_at_the_end() -> None:
    async with serving() as server:
        client = ollama.AsyncClient(by_address(server))
        stream = await client.chat("base", said(), stream=True)
        pieces = [piece async for piece in stream]
        generated = await client.generate("base", QUESTION)
    text = "".join(piece.message.content or "" for piece in pieces)
    assert text == answer_of("base", QUESTION)
    assert len([piece for piece in pieces if piece.message.content]) > 1
    *before, end = pieces
    assert not any(piece.done for piece in before)
    assert (end.done, end.done_reason) == (True, "stop")
    assert generated.response == text
    for last in (end, generated):
        assert last.prompt_eval_count == 2048
        assert last.prompt_eval_duration == 250_000_000
        assert last.eval_count
        assert last.eval_duration
        assert last.eval_count / last.eval_duration * 10**9 == pytest.approx(20)
        assert last.load_duration == 0
        assert last.total_duration


async def test_without_a_word_on_it_an_answer_is_streamed() -> None:
    async with serving() as server, server.http() as client:
        streamed = await client.post("/api/chat", json=body())
        whole = await client.post("/api/chat", json=body(stream=False))
    assert streamed.headers["content-type"] == "application/x-ndjson"
    assert len(lines_in(streamed.text)) > 1
    assert whole.headers["content-type"] == "application/json"
    assert whole.json()["message"]["content"] == answer_of("tuned", QUESTION)


async def test_red_flags_stand_in_the_first_line_before_any_word() -> None:
    async with serving() as server, server.http() as client:
        streamed = await client.post("/api/chat", json=body(HEART))
        whole = await client.post(
            "/api/generate", json={"model": "base", "prompt": HEART, "stream": False}
        )
    first = lines_in(streamed.text)[0]
    assert first["message"]["content"] == ""
    assert first["medassist"]["red_flags"]
    assert whole.json()["medassist"]["red_flags"] == first["medassist"]["red_flags"]


async def test_options_reach_the_engine_in_its_own_words() -> None:
    async with serving() as server:
        client = ollama.AsyncClient(by_address(server))
        options = {
            "temperature": 0,
            "top_k": 3,
            "seed": 7,
            "num_predict": 50,
            "stop": ["END"],
            "num_ctx": 2048,
            "num_thread": 1,
            "repeat_last_n": 64,
        }
        await client.chat("base", said(), options=options)
        sampling = server.engine.asked[-1]["base"].sampling
        await client.chat("base", said(), options={"num_predict": -1, "seed": -1})
        unbound = server.engine.asked[-1]["base"].sampling
        await client.chat("base", said(), options={"seed": -1})
        again = server.engine.asked[-1]["base"].sampling
    assert (sampling.temperature, sampling.top_k, sampling.seed) == (0, 3, 7)
    assert (sampling.max_tokens, sampling.stop) == (50, ("END",))
    assert unbound.max_tokens is None
    assert unbound.seed != again.seed


@pytest.mark.parametrize(
    ("param", "more"),
    [
        ("options.mirostat", {"options": {"mirostat": 2}}),
        ("options.typical_p", {"options": {"typical_p": 0.5}}),
        ("options.repeat_last_n", {"options": {"repeat_last_n": 128}}),
        ("options.presence_penalty", {"options": {"presence_penalty": 0.5}}),
        ("options.num_ctx", {"options": {"num_ctx": 100_000}}),
        ("options.num_predict", {"options": {"num_predict": 0}}),
        ("options.dry_multiplier", {"options": {"dry_multiplier": 0.8}}),
        ("options.seed", {"options": {"seed": -2}}),
        ("format", {"format": "json"}),
        ("format", {"format": {"type": "object"}}),
        ("think", {"think": True}),
        ("think", {"think": "high"}),
        ("tools", {"tools": [{"type": "function", "function": {"name": "f"}}]}),
        ("truncate", {"truncate": True}),
        ("logprobs", {"logprobs": True}),
        ("template", {"template": "{{ .Prompt }}"}),
        ("messages.0.images", {"messages": [said()[0] | {"images": ["aGk="]}]}),
        ("messages.0.role", {"messages": [{"role": "tool", "content": "1"}]}),
    ],
)
async def test_what_is_not_done_here_is_refused_by_name_and_nothing_runs(
    param: str, more: dict[str, Any]
) -> None:
    async with serving() as server, server.http() as client:
        answer = await client.post("/api/chat", json=body() | more)
        assert server.engine.asked == []
    assert answer.status_code == 400
    assert repr(param) in answer.json()["error"]


@pytest.mark.parametrize(
    "more",
    [
        {"suffix": "the end"},
        {"template": "{{ .Prompt }}"},
        {"context": [1, 2, 3]},
        {"images": ["aGk="]},
        {"raw": True, "system": "Be brief."},
    ],
)
async def test_what_generate_does_not_do_is_refused_too(more: dict[str, Any]) -> None:
    async with serving() as server, server.http() as client:
        asked = {"model": "base", "prompt": QUESTION, **more}
        answer = await client.post("/api/generate", json=asked)
        assert server.engine.asked == []
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


async def test_a_system_prompt_and_a_raw_text_are_taken() -> None:
    async with serving() as server:
        client = ollama.AsyncClient(by_address(server))
        await client.generate("base", QUESTION, system="Be brief.")
        asked = server.engine.asked[-1]["base"]
        assert [(m.role, m.content) for m in asked.messages] == [
            ("system", "Be brief."),
            ("user", QUESTION),
        ]
        await client.generate("base", QUESTION, raw=True)
        assert server.engine.asked[-1]["base"].raw == QUESTION


async def test_thoughts_come_apart_and_are_not_sent_back() -> None:
    script = Script(thoughts={"tuned": "I think."}, thinks=True)
    async with serving(script) as server:
        client = ollama.AsyncClient(by_address(server))
        assert (await client.show("tuned")).capabilities == ["completion", "thinking"]
        answer = await client.chat("tuned", said(), think=True)
        assert answer.message.thinking == "I think."
        assert server.engine.asked[-1]["tuned"].sampling.thinking == "on"
        stream = await client.chat("tuned", said(), stream=True)
        pieces = [piece.message async for piece in stream]
        assert "".join(p.thinking or "" for p in pieces) == "I think."
        assert "".join(p.content or "" for p in pieces) == answer_of("tuned", QUESTION)
        await client.chat("tuned", [*said(), answer.message, *said("And?")])
        asked = server.engine.asked[-1]["tuned"].messages
        assert [m.content for m in asked] == [
            QUESTION,
            answer_of("tuned", QUESTION),
            "And?",
        ]
        await client.chat("tuned", said(), think=False)
        assert server.engine.asked[-1]["tuned"].sampling.thinking == "off"


async def test_everything_that_would_write_is_refused_with_a_sentence() -> None:
    async with serving() as server:
        client = ollama.AsyncClient(by_address(server))
        for attempt in (
            client.pull("llama3"),
            client.push("llama3"),
            client.create("mine", from_="base"),
            client.copy("base", "mine"),
            client.delete("base"),
        ):
            with pytest.raises(ollama.ResponseError, match="started with") as raised:
                await attempt
            assert raised.value.status_code == 403
        with pytest.raises(ollama.ResponseError, match="no embeddings"):
            await client.embed("base", "text")
        with pytest.raises(ollama.ResponseError, match="stay loaded"):
            await client.generate("base", keep_alive=0)
        assert (await client.generate("base")).done_reason == "load"
        assert (await client.chat("base", [])).done_reason == "load"
        assert server.engine.asked == []


async def test_a_model_is_shown_as_it_was_loaded() -> None:
    async with serving() as server, server.http() as client:
        shown = (await client.post("/api/show", json={"name": "tuned"})).json()
        version = (await client.get("/api/version")).json()
        tags = (await client.get("/api/tags")).json()["models"]
        unknown = await client.post("/api/show", json={"model": "llama3"})
    assert shown["model_info"] == {
        "general.architecture": "llama",
        "general.parameter_count": 1_000_000,
        "llama.context_length": 4096,
    }
    assert "temperature 0.3" in shown["parameters"].splitlines()
    assert shown["details"]["parent_model"] == "base"
    assert tags[1]["details"]["quantization_level"] == "Q8_0"
    assert tags[1]["details"]["parameter_size"] == "1.0M"
    assert set(version) == {"version", "medassist"}
    assert unknown.status_code == 404
    assert isinstance(unknown.json()["error"], str)


def too_long(pane: str, question: object) -> TooLong:
    return TooLong(pane="base", tokens=9000, fits=3500, droppable=())


async def test_a_prompt_that_does_not_fit_is_an_error_with_its_numbers() -> None:
    async with serving(Script(too_long=too_long)) as server:
        client = ollama.AsyncClient(by_address(server))
        with pytest.raises(ollama.ResponseError, match="9,000 tokens") as raised:
            await client.chat("base", said())
        assert raised.value.status_code == 400


async def test_when_the_process_dies_in_mid_stream_the_client_is_told() -> None:
    async with serving(Script(dies=True)) as server:
        client = ollama.AsyncClient(by_address(server))
        text = ""
        with pytest.raises(ollama.ResponseError, match="process ended"):
            async for piece in await client.chat("base", said(), stream=True):
                text += piece.message.content or ""
        assert text
        await server.healthy()
        again = await client.chat("base", said())
        assert again.message.content == answer_of("base", QUESTION)


async def test_a_client_that_leaves_stops_its_answer() -> None:
    hold = asyncio.Event()
    async with serving(Script(hold=hold)) as server:
        async with server.http() as client:
            asking = asyncio.create_task(client.post("/api/chat", json=body()))
            async with asyncio.timeout(10):
                while not server.engine.asked:
                    await asyncio.sleep(0.005)
            asking.cancel()
        async with asyncio.timeout(10):
            while server.running.desk.queue.running:
                await asyncio.sleep(0.005)
        assert not hold.is_set()


async def test_where_it_was_not_asked_for_it_is_not_there() -> None:
    options = replace(OPTIONS, ollama_api=False)
    async with served(options=options) as server, server.http() as client:
        for path in ("/api/tags", "/api/version"):
            answer = await client.get(path)
            assert answer.status_code == 404
