"""Responses and completions, asked for by the real client of OpenAI."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.serve.serving import HEART, QUESTION, events_in, served
from tests.stubs.engine import Script, answer_of


async def test_a_response_has_the_text_and_what_it_took() -> None:
    async with served() as server, server.openai() as client:
        found = await client.responses.create(
            model="tuned", input=QUESTION, instructions="Be brief.", max_output_tokens=9
        )
        asked = server.engine.asked[-1]["tuned"]
    assert found.output_text == answer_of("tuned", QUESTION)
    assert found.status == "completed"
    assert found.usage is not None
    assert found.usage.input_tokens == 2048
    assert found.usage.total_tokens == 2048 + found.usage.output_tokens
    assert found.model_dump()["store"] is False
    assert [(m.role, m.content) for m in asked.messages] == [
        ("system", "Be brief."),
        ("user", QUESTION),
    ]
    assert asked.sampling.max_tokens == 9


async def test_the_helper_of_the_client_reads_the_events() -> None:
    script = Script(thoughts={"base": "I think."})
    async with (
        served(script) as server,
        server.openai() as client,
        client.responses.stream(model="base", input=QUESTION) as stream,
    ):
        events = [event async for event in stream]
        final = await stream.get_final_response()
    assert final.output_text == answer_of("base", QUESTION)
    assert [item.type for item in final.output] == ["reasoning", "message"]
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert "response.reasoning_text.delta" in kinds
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers))


async def test_a_conversation_goes_on_from_the_items_of_an_answer() -> None:
    script = Script(thoughts={"base": "I think."})
    async with served(script) as server, server.openai() as client:
        first = await client.responses.create(model="base", input=QUESTION)
        items: list[Any] = [
            {"role": "user", "content": QUESTION},
            *(item.model_dump(exclude_none=True) for item in first.output),
            {"role": "user", "content": [{"type": "input_text", "text": "And then?"}]},
        ]
        await client.responses.create(model="base", input=items)
        messages = server.engine.asked[-1]["base"].messages
    assert [m.content for m in messages] == [
        QUESTION,
        answer_of("base", QUESTION),
        "And then?",
    ]


async def test_an_answer_that_its_limit_cut_off_is_incomplete() -> None:
    async with (
        served(Script(stop_reason="length")) as server,
        server.openai() as client,
    ):
        found = await client.responses.create(model="base", input=QUESTION)
        stream = await client.responses.create(
            model="base", input=QUESTION, stream=True
        )
        kinds = [event.type async for event in stream]
    assert found.status == "incomplete"
    assert found.incomplete_details is not None
    assert found.incomplete_details.reason == "max_output_tokens"
    assert kinds[-1] == "response.incomplete"


async def test_when_the_process_dies_in_mid_stream_the_reader_is_told() -> None:
    async with served(Script(dies=True)) as server, server.openai() as client:
        stream = await client.responses.create(
            model="base", input=QUESTION, stream=True
        )
        kinds: dict[str, Any] = {}
        with pytest.raises(openai.APIError) as raised:
            async for event in stream:
                kinds[event.type] = event
    assert raised.value.code == "engine_died"
    assert "response.output_text.delta" in kinds
    assert list(kinds)[-1] == "response.failed"


@pytest.mark.parametrize(
    ("param", "more"),
    [
        ("previous_response_id", {"previous_response_id": "resp_1"}),
        ("store", {"store": True}),
        ("tools", {"tools": [{"type": "web_search"}]}),
        ("reasoning", {"reasoning": {"effort": "high"}}),
        ("truncation", {"truncation": "auto"}),
        ("background", {"background": True}),
        ("include", {"include": ["message.output_text.logprobs"]}),
        ("top_logprobs", {"top_logprobs": 5}),
        ("text", {"text": {"format": {"type": "json_object"}}}),
        ("stop", {"stop": ["x"]}),
        ("input", {"input": []}),
        ("input", {"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}),
    ],
)
async def test_what_relies_on_what_is_not_here_is_refused(
    param: str, more: dict[str, Any]
) -> None:
    async with served() as server, server.http() as client:
        body = {"model": "base", "input": QUESTION} | more
        answer = await client.post("/v1/responses", json=body)
        assert server.engine.asked == []
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith(param)


async def test_a_raw_text_is_gone_on_with_and_its_red_flags_are_told() -> None:
    async with served() as server, server.openai() as client, server.http() as http:
        found = await client.completions.create(
            model="base", prompt=HEART, max_tokens=20, stop=["\n\n"]
        )
        asked = server.engine.asked[-1]["base"]
        stream = await client.completions.create(
            model="base",
            prompt=HEART,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
        body = {"model": "base", "prompt": HEART, "stream": True}
        sent = events_in((await http.post("/v1/completions", json=body)).text)
    assert asked.raw == HEART
    assert asked.sampling.max_tokens == 20
    assert asked.sampling.stop == ("\n\n",)
    assert found.choices[0].text == answer_of("base", HEART)
    assert found.usage is not None
    assert "".join(c.choices[0].text for c in chunks if c.choices) == answer_of(
        "base", HEART
    )
    assert chunks[-1].usage is not None
    assert sent[0][1]["medassist"]["red_flags"]
    assert sent[-1][1] == "[DONE]"


@pytest.mark.parametrize(
    ("param", "more"),
    [
        ("echo", {"echo": True}),
        ("suffix", {"suffix": "x"}),
        ("logprobs", {"logprobs": 1}),
        ("best_of", {"best_of": 3}),
        ("prompt", {"prompt": ["a", "b"]}),
        ("prompt", {"prompt": [1, 2, 3]}),
        ("prompt", {"prompt": ""}),
    ],
)
async def test_of_completions_too_nothing_is_ignored(
    param: str, more: dict[str, Any]
) -> None:
    async with served() as server, server.http() as client:
        body = {"model": "base", "prompt": QUESTION} | more
        answer = await client.post("/v1/completions", json=body)
        assert server.engine.asked == []
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith(param)
