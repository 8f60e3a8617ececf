"""Chat completions, asked for by the real client of OpenAI."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest

from medassist.core.errors import QuestionRefused
from medassist.core.values import TooLong
from tests.serve.serving import (
    HEART,
    PATIENCE_S,
    QUESTION,
    chat_body,
    events_in,
    said,
    served,
)
from tests.stubs.engine import Script, answer_of


async def test_the_client_gets_the_answer_of_the_model_it_names() -> None:
    async with served() as server, server.openai() as client:
        for pane in ("base", "tuned"):
            answer = await client.chat.completions.create(
                model=pane, messages=said(), temperature=0, seed=7, max_tokens=50
            )
            assert answer.choices[0].message.content == answer_of(pane, QUESTION)
            assert answer.choices[0].finish_reason == "stop"
            assert answer.usage is not None
            assert answer.usage.prompt_tokens == 2048
            assert answer.usage.total_tokens == 2048 + answer.usage.completion_tokens
            (asked,) = server.engine.asked[-1].items()
            assert asked[0] == pane
            assert asked[1].sampling.temperature == 0
            assert asked[1].sampling.seed == 7
            assert asked[1].sampling.max_tokens == 50


async def test_a_stream_is_the_same_answer_piece_by_piece() -> None:
    async with served() as server, server.openai() as client:
        stream = await client.chat.completions.create(
            model="tuned",
            messages=said(),
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [c.choices[0].delta.content for c in chunks if c.choices]
    assert len([piece for piece in pieces if piece]) > 1
    assert "".join(p or "" for p in pieces) == answer_of("tuned", QUESTION)
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 2048


async def test_the_helper_of_the_client_reads_the_stream() -> None:
    async with (
        served() as server,
        server.openai() as client,
        client.chat.completions.stream(model="base", messages=said()) as stream,
    ):
        done = await stream.get_final_completion()
    assert done.choices[0].message.content == answer_of("base", QUESTION)


async def test_red_flags_stand_in_the_first_chunk_before_any_word() -> None:
    async with served() as server, server.http() as client:
        answer = await client.post(
            "/v1/chat/completions", json=chat_body(text=HEART, stream=True)
        )
        whole = await client.post("/v1/chat/completions", json=chat_body(text=HEART))
    first = events_in(answer.text)[0][1]
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    flags = first["medassist"]["red_flags"]
    assert flags
    assert all(flag["title"] and flag["text"] for flag in flags)
    assert whole.json()["medassist"]["red_flags"] == flags


async def test_thoughts_come_as_reasoning_and_are_not_sent_back() -> None:
    script = Script(thoughts={"tuned": "I think."})
    async with served(script) as server, server.openai() as client:
        answer = await client.chat.completions.create(model="tuned", messages=said())
        message = answer.choices[0].message
        assert message.model_dump()["reasoning_content"] == "I think."
        stream = await client.chat.completions.create(
            model="tuned", messages=said(), stream=True
        )
        deltas = [c.choices[0].delta.model_dump() async for c in stream]
        assert [d["reasoning_content"] for d in deltas if "reasoning_content" in d] == [
            "I think."
        ]
        more = [*said(), message.model_dump(), *said("And then?")]
        await client.chat.completions.create(model="tuned", messages=more)
        contents = [m.content for m in server.engine.asked[-1]["tuned"].messages]
    assert contents == [QUESTION, answer_of("tuned", QUESTION), "And then?"]


async def test_content_in_parts_and_a_developer_message_are_read() -> None:
    async with served() as server, server.openai() as client:
        await client.chat.completions.create(
            model="base",
            messages=[
                {"role": "developer", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is "},
                        {"type": "text", "text": "asthma?"},
                    ],
                },
            ],
        )
        messages = server.engine.asked[-1]["base"].messages
    assert [(m.role, m.content) for m in messages] == [
        ("system", "Be brief."),
        ("user", QUESTION),
    ]


@pytest.mark.parametrize(
    ("param", "more"),
    [
        ("tools", {"tools": [{"type": "function", "function": {"name": "f"}}]}),
        ("n", {"n": 2}),
        ("logprobs", {"logprobs": True}),
        ("top_logprobs", {"top_logprobs": 5}),
        ("response_format", {"response_format": {"type": "json_object"}}),
        ("presence_penalty", {"presence_penalty": 0.5}),
        ("logit_bias", {"logit_bias": {"50256": -100}}),
        ("reasoning_effort", {"reasoning_effort": "high"}),
        ("store", {"store": True}),
        ("verbosity", {"verbosity": "low"}),
        ("mirostat", {"mirostat": 2}),
        ("stop", {"stop": ["a", "b", "c", "d", "e"]}),
        ("temperature", {"temperature": -1}),
        ("seed", {"seed": -1}),
        ("messages", {"messages": []}),
        ("messages", {"messages": [{"role": "assistant", "content": "Yes."}]}),
        ("messages.0", {"messages": [{"role": "tool", "content": "Yes."}]}),
        ("messages.0", {"messages": [{"role": "user", "content": "\ud800"}]}),
        (
            "messages.0",
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": 1}]}
                ]
            },
        ),
    ],
)
async def test_what_is_not_done_here_is_refused_by_name_and_nothing_runs(
    param: str, more: dict[str, Any]
) -> None:
    async with served() as server, server.http() as client:
        answer = await client.post(
            "/v1/chat/completions",
            content=json.dumps(chat_body() | more),
            headers={"Content-Type": "application/json"},
        )
        assert server.engine.asked == []
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert str(error["param"]).startswith(param)
    assert "after validation" not in error["message"]  # a library's words
    assert "detail" not in answer.json()


async def test_what_asks_for_what_is_done_anyway_is_taken() -> None:
    async with served() as server, server.http() as client:
        more = {
            "n": 1,
            "logprobs": False,
            "tools": [],
            "presence_penalty": 0,
            "frequency_penalty": 0.0,
            "logit_bias": {},
            "response_format": {"type": "text"},
            "user": "somebody",
            "store": False,
            "reasoning_effort": "none",
            "stop": "END",
        }
        answer = await client.post("/v1/chat/completions", json=chat_body(**more))
        assert answer.status_code == 200
        sampling = server.engine.asked[-1]["tuned"].sampling
    assert sampling.thinking == "off"
    assert sampling.stop == ("END",)


async def test_a_model_that_is_not_there_is_named() -> None:
    async with served() as server, server.openai() as client:
        with pytest.raises(openai.NotFoundError) as raised:
            await client.chat.completions.create(model="gpt-4o", messages=said())
    assert raised.value.code == "model_not_found"
    assert "tuned" in raised.value.message


def too_long(pane: str, question: object) -> TooLong:
    return TooLong(pane="base", tokens=9000, fits=3500, droppable=())


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_that_does_not_fit_is_an_error_with_its_numbers(
    stream: bool,
) -> None:
    script = Script(too_long=too_long)
    async with served(script) as server, server.openai() as client:
        with pytest.raises(openai.BadRequestError) as raised:
            await client.chat.completions.create(
                model="base", messages=said(), stream=stream
            )
    assert raised.value.code == "context_length_exceeded"
    body = raised.value.body
    assert isinstance(body, dict)
    assert (body["n_prompt_tokens"], body["n_ctx"]) == (9000, 3500)


async def test_a_conversation_that_the_template_refuses_is_the_clients_error() -> None:
    async with served() as server, server.openai() as client:

        async def refuse(*_: object, **__: object):  # type: ignore[no-untyped-def]
            raise QuestionRefused("roles must alternate")
            yield

        server.engine.ask = refuse  # type: ignore[method-assign]
        with pytest.raises(openai.BadRequestError, match="alternate"):
            await client.chat.completions.create(model="base", messages=said())


async def test_when_the_process_dies_in_mid_stream_the_client_is_told() -> None:
    async with served(Script(dies=True)) as server, server.openai() as client:
        stream = await client.chat.completions.create(
            model="base", messages=said(), stream=True
        )
        text = ""
        with pytest.raises(openai.APIError) as raised:
            async for chunk in stream:
                text += chunk.choices[0].delta.content or ""
        assert text
        assert raised.value.code == "engine_died"
        # It comes back by itself, and answers.
        await server.healthy()
        again = await client.chat.completions.create(model="base", messages=said())
        assert again.choices[0].message.content == answer_of("base", QUESTION)
        assert server.running.desk.source.restarts == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_stops_its_answer(stream: bool) -> None:
    hold = asyncio.Event()
    async with served(Script(hold=hold)) as server:
        async with server.http() as client:
            asking = asyncio.create_task(
                client.post("/v1/chat/completions", json=chat_body(stream=stream))
            )
            async with asyncio.timeout(PATIENCE_S):
                while not server.engines.made or not server.engine.asked:
                    await asyncio.sleep(0.005)
            asking.cancel()
        ended = server.running.desk.queue
        async with asyncio.timeout(PATIENCE_S):
            while ended.running:
                await asyncio.sleep(0.005)
        assert not hold.is_set()
        # The next one is answered as if nothing had been.
        hold.set()
        async with server.openai() as client:
            again = await client.chat.completions.create(model="base", messages=said())
        assert again.choices[0].message.content == answer_of("base", QUESTION)
