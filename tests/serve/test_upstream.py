"""An engine that exists, a stand-in for vLLM, behind the same API, queue and safety."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
import trustme

from medassist.core import guard
from medassist.core.way_out import WayOut
from medassist.serve.check import findings
from medassist.serve.errors import ServeError
from medassist.serve.options import ServeOptions
from medassist.serve.server import serving
from medassist.serve.upstream.http_client import HttpClient
from medassist.serve.upstream.options import Identifiers, UpstreamOptions, place_of
from medassist.settings import Settings
from tests.serve.serving import HEART, QUESTION, Served, chat_body, events_in, said
from tests.serve.vllm_stand_in import (
    BASE,
    CONTEXT,
    KEY,
    TUNED,
    VllmStandIn,
    answer_of,
    both,
    in_front_of,
    vllm,
    words_of,
)
from tests.stubs.engine import FakeEngines

NAMED = "Mr John Smith, born 12 March 1956, MRN 4481239, has a cough. What is it?"
ELSEWHERE = "gpu.ward.example"


@dataclass(frozen=True)
class Elsewhere:
    """A host that is another computer by its name, and is reached on loopback."""

    tls: ssl.SSLContext
    ca_file: str

    def engine(self) -> VllmStandIn:
        return VllmStandIn(name=ELSEWHERE, tls=self.tls)

    @property
    def settings(self) -> Settings:
        return Settings(network=WayOut(ca_file=self.ca_file))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    native = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        here = host in (ELSEWHERE, ELSEWHERE.encode())
        return native("127.0.0.1" if here else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(ELSEWHERE).configure_cert(tls)
    return Elsewhere(tls, str(tmp_path / "ca.pem"))


async def test_base_and_its_lora_answer_under_their_two_names(key_file: Path) -> None:
    async with both(key_file) as (engine, server), server.openai() as client:
        listed = [(m.id, m.parent) async for m in await client.models.list()]  # type: ignore[attr-defined]
        assert listed == [("base", None), ("tuned", "base")]
        for pane, model in (("base", BASE), ("tuned", TUNED)):
            answer = await client.chat.completions.create(
                model=pane, messages=said(), temperature=0, seed=7, max_tokens=50
            )
            assert answer.choices[0].message.content == answer_of(model)
            assert answer.choices[0].finish_reason == "stop"
            assert answer.usage is not None
            assert answer.usage.prompt_tokens == 3
            assert answer.usage.prompt_tokens_details.cached_tokens == 2  # type: ignore[union-attr]
            assert answer.usage.completion_tokens == len(words_of(model, QUESTION))
            asked = engine.asked[-1]
            assert asked["model"] == model
            assert (asked["temperature"], asked["seed"]) == (0, 7)
            assert asked["max_tokens"] == 50
            assert asked["messages"] == said()


async def test_both_panes_are_asked_at_once_so_that_they_make_one_batch(
    key_file: Path,
) -> None:
    hold = asyncio.Event()
    engine = VllmStandIn(hold=hold)
    async with both(key_file, engine) as (_, server), server.http() as client:
        asking = asyncio.create_task(
            client.post("/v1/compare", json={"messages": said()})
        )
        async with asyncio.timeout(30):
            while engine.together < 2:
                await asyncio.sleep(0.005)
        hold.set()
        events = events_in((await asking).text)
    answered = {d["pane"]: d["text"] for name, d in events if name == "answered"}
    assert answered == {"base": answer_of(BASE), "tuned": answer_of(TUNED)}


async def test_in_turn_the_second_pane_is_asked_when_the_first_is_over(
    key_file: Path,
) -> None:
    async with both(key_file) as (engine, server), server.http() as client:
        body = {"messages": said(), "mode": "in-turn"}
        await client.post("/v1/compare", json=body)
    assert engine.together == 1
    assert [asked["model"] for asked in engine.asked] == [BASE, TUNED]


async def test_one_pane_is_stopped_and_keeps_what_it_wrote(key_file: Path) -> None:
    hold = asyncio.Event()
    async with (
        both(key_file, VllmStandIn(hold=hold)) as (engine, server),
        server.http() as client,
    ):
        asking = asyncio.create_task(
            client.post("/v1/compare", json={"messages": said()})
        )
        async with asyncio.timeout(30):
            while engine.together < 2:
                await asyncio.sleep(0.005)
        (ticket,) = server.running.desk.queue.running.values()
        await asyncio.sleep(0.05)
        await client.delete(f"/v1/compare/{ticket.id}?pane=base")
        async with asyncio.timeout(30):
            while not engine.closed and not hold.is_set():
                await asyncio.sleep(0.005)
        hold.set()
        events = events_in((await asking).text)
    answered = {d["pane"]: d for name, d in events if name == "answered"}
    assert answered["base"]["stop_reason"] == "stopped"
    assert answered["tuned"]["text"] == answer_of(TUNED)


async def test_red_flags_stand_before_its_first_word(key_file: Path) -> None:
    async with both(key_file) as (_, server), server.http() as client:
        answer = await client.post(
            "/v1/chat/completions", json=chat_body(text=HEART, stream=True)
        )
    first = events_in(answer.text)[0][1]["medassist"]
    assert first["red_flags"]
    assert "127.0.0.1" in first["notice"]


async def test_health_and_provenance_say_who_answers(key_file: Path) -> None:
    async with both(key_file) as (engine, server), server.http() as client:
        health = (await client.get("/health")).json()
        events = events_in(
            (await client.post("/v1/compare", json={"messages": said()})).text
        )
        made, hashes = server.running.desk.source.made_of("tuned")
    host = f"127.0.0.1:{engine.port}"
    assert health == {"status": "ok", "answers_from": host}
    done = next(data for name, data in events if name == "done")
    assert done["provenance"]["tuned"]["stated_by"] == host
    assert done["provenance"]["tuned"]["sha256"] is None
    # Nor do users' records know more of its files.
    assert made.name == done["provenance"]["tuned"]["model"]
    assert (made.files, hashes) == ((), {})


async def test_what_was_read_for_one_user_is_used_for_no_other(key_file: Path) -> None:
    async with both(key_file) as (engine, server), server.openai() as client:
        desk = server.running.desk
        for user in ("ann", "bob", "ann"):
            question = desk.question("base", _messages(), {})
            ticket = desk.queue.enter(user, "chat", {"base": question})
            _ = [event async for event in ticket.events()]
        assert client is not None
    ann, bob, again = (asked["cache_salt"] for asked in engine.asked)
    assert ann == again != bob
    assert "ann" not in ann
    assert len(ann) >= 43


def _messages() -> list[Any]:
    from medassist.core.values import Message

    return [Message("user", QUESTION)]


async def test_thoughts_come_apart_whatever_field_or_marks_they_have(
    key_file: Path,
) -> None:
    marked = VllmStandIn(answers={BASE: ["<think>I think.</think>", "Yes."]})
    for engine, text in ((VllmStandIn(thought="I think."), ""), (marked, "Yes.")):
        async with both(key_file, engine) as (_, server), server.http() as client:
            answer = await client.post(
                "/v1/chat/completions", json=chat_body("base", stream=False)
            )
        message = answer.json()["choices"][0]["message"]
        assert message["reasoning_content"] == "I think."
        assert message["content"] == (text or answer_of(BASE))


async def test_a_raw_text_is_gone_on_with(key_file: Path) -> None:
    async with both(key_file) as (engine, server), server.openai() as client:
        answer = await client.completions.create(model="base", prompt="The lung")
        assert answer.choices[0].text == answer_of(BASE, "The lung")
        assert engine.asked[-1]["prompt"] == "The lung"


async def test_sampling_is_said_in_its_own_words(key_file: Path) -> None:
    async with both(key_file) as (engine, server), server.http() as client:
        more = {"top_k": 3, "min_p": 0.1, "repeat_penalty": 1.2, "stop": ["END"]}
        more |= {"chat_template_kwargs": {"enable_thinking": False}}
        await client.post("/v1/chat/completions", json=chat_body(**more))
        await client.post("/v1/chat/completions", json=chat_body())
    said_so, usual = engine.asked
    assert (said_so["top_k"], said_so["min_p"], said_so["stop"]) == (3, 0.1, ["END"])
    assert said_so["repetition_penalty"] == 1.2
    assert said_so["chat_template_kwargs"] == {"enable_thinking": False}
    # vLLM counts the words of the question as repeated, too.
    assert usual["repetition_penalty"] == 1.0


async def test_an_engine_that_knows_openai_alone_is_told_no_more(
    key_file: Path,
) -> None:
    known = {"model", "messages", "stream", "stream_options", "temperature"}
    known |= {"top_p", "seed", "max_tokens"}
    async with (
        both(key_file, kind="openai") as (engine, server),
        server.http() as client,
    ):
        good = await client.post("/v1/chat/completions", json=chat_body())
        bad = await client.post("/v1/chat/completions", json=chat_body(top_k=3))
    assert good.status_code == 200
    assert set(engine.asked[0]) == known
    assert bad.status_code == 400
    assert bad.json()["error"]["param"] == "top_k"
    assert len(engine.asked) == 1


# What goes wrong there


async def test_an_answer_may_be_as_long_as_there_is_room(key_file: Path) -> None:
    text = "word " * (CONTEXT - 100)
    async with both(key_file) as (engine, server), server.http() as client:
        answer = await client.post(
            "/v1/chat/completions", json=chat_body(text=text, max_tokens=1000)
        )
    assert answer.status_code == 200
    assert ["max_tokens" in asked for asked in engine.asked] == [True, False]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_that_does_not_fit_is_an_error_with_its_numbers(
    key_file: Path, stream: bool
) -> None:
    async with both(key_file) as (_, server), server.openai() as client:
        with pytest.raises(openai.BadRequestError) as raised:
            await client.chat.completions.create(
                model="base", messages=said("word " * 5000), stream=stream
            )
    assert raised.value.code == "context_length_exceeded"
    body: Any = raised.value.body
    assert (body["n_prompt_tokens"], body["n_ctx"]) == (5000, CONTEXT)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "upstream_error", 400),
        (429, "overloaded", 503),
        (503, "overloaded", 503),
        (500, "upstream_error", 502),
        (404, "upstream_error", 502),
        (401, "upstream_refuses_key", 502),
    ],
)
async def test_what_it_refuses_with_reaches_the_client_as_a_sentence(
    key_file: Path, status: int, code: str, expected: int
) -> None:
    said_so = {"message": f"seed\x1b[31m is odd, says {KEY}", "type": "BadRequest"}
    async with both(key_file) as (engine, server), server.http() as client:
        engine.refuses = (status, said_so)
        answer = await client.post("/v1/chat/completions", json=chat_body())
        streamed = await client.post(
            "/v1/chat/completions", json=chat_body(stream=True)
        )
    assert answer.status_code == streamed.status_code == expected
    error = answer.json()["error"]
    assert error["code"] == code
    assert f"127.0.0.1:{engine.port}" in error["message"]
    assert error["message"].endswith(".")
    assert KEY not in answer.text
    assert "\x1b" not in error["message"]


async def test_an_error_in_mid_stream_reaches_the_client(key_file: Path) -> None:
    async with both(key_file) as (engine, server), server.openai() as client:
        engine.fails_after = 2
        text = ""
        stream = await client.chat.completions.create(
            model="base", messages=said(), stream=True
        )
        with pytest.raises(openai.APIError, match="core died") as raised:
            async for chunk in stream:
                text += chunk.choices[0].delta.content or ""
    assert text
    assert raised.value.code == "upstream_error"


async def test_a_stream_that_ends_in_the_midst_is_no_answer(key_file: Path) -> None:
    async with both(key_file) as (engine, server), server.http() as client:
        engine.breaks_after = 2
        broken = await client.post("/v1/chat/completions", json=chat_body())
        engine.breaks_after, engine.finish = None, "content_filter"
        filtered = await client.post("/v1/chat/completions", json=chat_body())
        engine.finish = "stop"
        good = await client.post("/v1/chat/completions", json=chat_body())
    for answer in (broken, filtered):
        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream_broke_off"
    assert "content_filter" in filtered.json()["error"]["message"]
    assert good.status_code == 200


async def test_a_client_that_leaves_stops_its_answer_there(key_file: Path) -> None:
    hold = asyncio.Event()
    async with both(key_file, VllmStandIn(hold=hold)) as (engine, server):
        async with server.http() as client:
            asking = asyncio.create_task(
                client.post("/v1/chat/completions", json=chat_body())
            )
            async with asyncio.timeout(30):
                while not engine.running:
                    await asyncio.sleep(0.005)
            asking.cancel()
        async with asyncio.timeout(30):
            while engine.running:
                await asyncio.sleep(0.005)
        assert engine.closed == 1


async def test_an_engine_that_is_gone_is_found_again(
    key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with vllm() as engine:
        port = engine.port
        async with in_front_of(engine, key_file) as server:
            server.running.desk.source._again_s = 0.01  # type: ignore[attr-defined]
            await _gone_and_back(server, engine, port)
    said_so = capsys.readouterr()
    assert KEY not in said_so.out + said_so.err
    assert f"Nothing answers at 127.0.0.1:{port}" in said_so.err


async def _gone_and_back(server: Served, engine: VllmStandIn, port: int) -> None:
    async with server.http() as client:
        # As if it were another port: nobody listens there.
        source: Any = server.running.desk.source
        place = source._client.place
        source._client.place = type(place)("http://127.0.0.1:9", "127.0.0.1", port)
        answer = await client.post("/v1/chat/completions", json=chat_body())
        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream_unreachable"
        assert (await client.get("/health")).json()["status"] == "dead"
        source._client.place = place
        await server.healthy()
        again = await client.post("/v1/chat/completions", json=chat_body())
        assert again.status_code == 200


async def test_a_redirection_is_not_followed_and_the_key_goes_nowhere_else(
    key_file: Path,
) -> None:
    async with vllm() as other, both(key_file) as (engine, server):
        engine.redirects_to = f"{other.url}/v1/chat/completions"
        async with server.http() as client:
            answer = await client.post("/v1/chat/completions", json=chat_body())
        assert answer.status_code == 502
        assert other.headers == []


# What is named


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://gpu.example:8000", "without TLS"),
        ("http://10.0.0.5:8000/v1", "without TLS"),
        ("ftp://127.0.0.1:8000", "no address"),
        ("127.0.0.1:8000", "no address"),
        ("http://key@127.0.0.1:8000", "--upstream-key-file"),
        ("http://127.0.0.1:8000?key=1", "--upstream-key-file"),
        ("http://[::1", "no address"),
        ("http://127.0.0.1:99999", "no address"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, why: str) -> None:
    with pytest.raises(ServeError, match=why) as raised:
        place_of(url)
    assert "key@" not in str(raised.value)


@pytest.mark.parametrize(
    "content", [b"", b"two words", b"\xff\xfe", b"a\nb", b"x" * 5000]
)
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    from medassist.serve.upstream.options import key_in

    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ServeError, match="one line"):
        key_in(file)
    file.write_bytes(b"good")
    file.chmod(0o604)
    with pytest.raises(ServeError, match="every user"):
        key_in(file)
    with pytest.raises(ServeError, match="cannot be read"):
        key_in(tmp_path / "none")


async def test_the_check_says_what_it_found_and_what_not(key_file: Path) -> None:
    async with vllm() as engine:

        async def first(**more: Any) -> Any:
            upstream = UpstreamOptions(engine.url, key_file=key_file, **more)
            options = ServeOptions(port=0, upstream=upstream)
            return (await asyncio.to_thread(findings, options))[0]

        good = await first()
        assert good.ok
        assert "as vllm: base medical-base, tuned tuned-lora" in good.text
        unknown = await first(tuned="nobody")
        assert not unknown.ok
        assert TUNED in unknown.text
        engine.key = "another"
        refused = await first()
        assert not refused.ok
        assert "--upstream-key-file" in refused.text
        assert KEY not in refused.text


async def test_several_models_have_to_be_named(key_file: Path) -> None:
    models = [{"id": name, "parent": None} for name in ("one", "two")]
    async with vllm(VllmStandIn(models=models)) as engine:
        named = UpstreamOptions(engine.url, key_file=key_file, base="one", tuned="two")
        options = ServeOptions(port=0, upstream=named)
        async with serving(options, Settings()) as running:
            served = Served(running, FakeEngines())
            await served.healthy()
            tuned = served.running.desk.model("tuned")
            assert (tuned.root, tuned.parent) == ("two", "")
        unnamed = ServeOptions(
            port=0, upstream=UpstreamOptions(engine.url, key_file=key_file)
        )
        found = (await asyncio.to_thread(findings, unnamed))[0]
    assert not found.ok
    assert "--upstream-base" in found.text


# What leaves this computer


ROUTES = [
    ("/v1/chat/completions", lambda text: chat_body("base", text)),
    ("/v1/completions", lambda text: {"model": "base", "prompt": text}),
    ("/v1/responses", lambda text: {"model": "base", "input": text}),
    ("/v1/compare", lambda text: {"messages": said(text)}),
    ("/api/chat", lambda text: chat_body("base", text)),
    ("/api/generate", lambda text: {"model": "base", "prompt": text}),
]


@pytest.mark.parametrize(("path", "body"), ROUTES)
async def test_identifiers_are_marked_before_a_question_leaves_on_every_route(
    key_file: Path, elsewhere: Elsewhere, path: str, body: Any
) -> None:
    async with (
        both(key_file, elsewhere.engine(), settings=elsewhere.settings) as (
            engine,
            server,
        ),
        server.http() as client,
    ):
        answer = await client.post(path, json=body(NAMED))
        assert answer.status_code == 400
        assert engine.asked == []
        assert ELSEWHERE in answer.text
        sent = answer.json()
        marks = (sent if path.startswith("/api") else sent["error"])["identifiers"]
        found = {NAMED[m["start"] : m["end"]] for m in marks}
        assert any("Smith" in one for one in found)
        assert any("4481239" in one for one in found)
        assert "Smith" not in answer.text

        for choice in ("replace", "keep"):
            headers = {"Medassist-Identifiers": choice}
            good = await client.post(path, json=body(NAMED), headers=headers)
            assert good.status_code == 200
            gone = str(engine.asked[-1])
            assert ("Smith" in gone) == (choice == "keep")
            assert ("[NAME]" in gone) == (choice == "replace")
            assert "has a cough" in gone
        bad = {"Medassist-Identifiers": "maybe"}
        assert (
            await client.post(path, json=body("Hi."), headers=bad)
        ).status_code == 400
        count = len(engine.asked)
        assert (await client.post(path, json=body(QUESTION))).status_code == 200
        assert len(engine.asked) > count


@pytest.mark.parametrize("otherwise", ["replace", "keep"])
async def test_programs_that_send_no_header_have_what_the_operator_chose(
    key_file: Path, elsewhere: Elsewhere, otherwise: Identifiers
) -> None:
    there = {"identifiers": otherwise, "settings": elsewhere.settings}
    async with (
        both(key_file, elsewhere.engine(), **there) as (engine, server),
        server.http() as client,
    ):
        answer = await client.post("/v1/chat/completions", json=chat_body(text=NAMED))
        flagged = answer.json()["medassist"]["notice"]
    assert ELSEWHERE in flagged
    assert ("replaced" in flagged) == (otherwise == "replace")
    assert ("Smith" in str(engine.asked[-1])) == (otherwise == "keep")


async def test_one_person_has_one_mark_in_all_of_a_conversation(
    key_file: Path, elsewhere: Elsewhere
) -> None:
    messages = [
        *said("Mr John Smith has a cough."),
        {"role": "assistant", "content": "Since when does Mr John Smith cough?"},
        *said("His doctor is Dr Mary Jones. What should Mr John Smith take?"),
    ]
    there: Any = {"identifiers": "replace", "settings": elsewhere.settings}
    async with (
        both(key_file, elsewhere.engine(), **there) as (engine, server),
        server.http() as client,
    ):
        body = {"model": "base", "messages": messages}
        await client.post("/v1/chat/completions", json=body)
    gone = [m["content"] for m in engine.asked[-1]["messages"]]
    assert "[NAME]" in gone[0]
    assert "[NAME]" in gone[1]
    assert "[NAME 2]" in gone[2]
    assert "Smith" not in str(gone)


async def test_on_this_computer_nothing_is_marked(key_file: Path) -> None:
    async with both(key_file) as (engine, server), server.http() as client:
        answer = await client.post("/v1/chat/completions", json=chat_body(text=NAMED))
    assert answer.status_code == 200
    assert "Smith" in str(engine.asked[-1])


async def test_a_question_that_was_not_looked_at_does_not_leave(
    key_file: Path, elsewhere: Elsewhere
) -> None:
    settings = elsewhere.settings
    async with both(key_file, elsewhere.engine(), settings=settings) as (
        engine,
        server,
    ):
        desk = server.running.desk
        question = desk.question("base", _messages(), {})
        ticket = desk.queue.enter("ann", "a new route", {"base": question})
        with pytest.raises(Exception, match="server failed"):
            _ = [event async for event in ticket.events()]
    assert engine.asked == []


async def test_the_guard_lets_that_one_host_through_and_shuts_again(
    key_file: Path, elsewhere: Elsewhere
) -> None:
    settings = elsewhere.settings
    async with both(key_file, elsewhere.engine(), settings=settings) as (
        engine,
        server,
    ):
        assert server.running.desk.source.state == "ok"
        assert guard._opened == {(ELSEWHERE, engine.port), ("127.0.0.1", engine.port)}
        with pytest.raises(guard.NetworkRefused):
            socket.create_connection(("other.example", 443), timeout=5)
    assert guard._opened == set()


async def test_no_variable_leads_it_elsewhere(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with vllm() as engine:
        way = HttpClient(place_of(engine.url), KEY)
        assert (await way.get("/v1/models"))[0] == 200
        await way.close()


async def test_no_question_answer_or_key_is_printed(
    key_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with both(key_file) as (engine, server), server.http() as client:
        for finish in ("stop", "content_filter"):
            engine.finish = finish
            text = f"{QUESTION} canary-4711"
            await client.post("/v1/chat/completions", json=chat_body(text=text))
        engine.refuses = (500, {"message": "canary-4711"})
        await client.post("/v1/chat/completions", json=chat_body(text=text))
    printed = "".join(capfd.readouterr())
    assert "canary" not in printed
    assert KEY not in printed


async def test_a_certificate_that_is_not_trusted_is_told_and_gets_no_key(
    key_file: Path, elsewhere: Elsewhere
) -> None:
    async with vllm(elsewhere.engine()) as engine:
        upstream = UpstreamOptions(engine.url, key_file=key_file)
        options = ServeOptions(port=0, upstream=upstream)
        found = (await asyncio.to_thread(findings, options))[0]
    assert not found.ok
    assert "ca_file" in found.text
    assert engine.headers == []
