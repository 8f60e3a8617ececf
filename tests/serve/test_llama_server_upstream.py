"""A real llama.cpp server behind the API: its LoRA is switched by each request."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import openai
import pytest

from medassist.core.clean import clean
from medassist.core.values import EngineOptions, Message, PairFiles, PaneName, Sampling
from medassist.engine.client import Engine
from medassist.engine.wire import Answered, Question, Reading
from medassist.serve.options import ServeOptions
from medassist.serve.server import serving
from medassist.serve.upstream.options import UpstreamOptions
from medassist.settings import Settings
from tests.serve.serving import QUESTION, Served, events_in, said
from tests.stubs.engine import FakeEngines
from tests.tiny_models import TinyPair

pytestmark = pytest.mark.skipif(
    find_spec("xllamacpp") is None,
    reason="llama.cpp's own server is not there: pip install xllamacpp",
)
CONTEXT = 512
KEY = "key-of-the-desk"
GREEDY = Sampling(
    temperature=0, top_k=0, top_p=1, min_p=0, repeat_penalty=1, max_tokens=12
)


@dataclass(frozen=True)
class LlamaServer:
    url: str
    key_file: Path


@pytest.fixture(scope="module")
def llama(
    tiny: TinyPair, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LlamaServer]:
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    program = [sys.executable, "-m", "tests.serve.llama_server"]
    with subprocess.Popen(
        [*program, str(tiny.base), str(tiny.plain), KEY, str(CONTEXT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        assert running.stdout is not None
        address = running.stdout.readline().strip()
        yield LlamaServer(address, key)
        assert running.stdin is not None
        running.stdin.close()


@asynccontextmanager
async def in_front(llama: LlamaServer) -> AsyncIterator[Served]:
    upstream = UpstreamOptions(llama.url, key_file=llama.key_file)
    options = ServeOptions(port=0, upstream=upstream)
    async with serving(options, Settings(sampling=GREEDY)) as running:
        served = Served(running, FakeEngines())
        await served.healthy()
        yield served


async def ours(tiny: TinyPair) -> dict[PaneName, str]:
    """What our own engine writes."""
    files = PairFiles(base=tiny.base, adapter=tiny.plain)
    engine = Engine(files, EngineOptions(context=CONTEXT, threads=1))
    await engine.start()
    question = Question(messages=(Message("user", QUESTION),), sampling=GREEDY)
    asked: dict[PaneName, Question] = {"base": question, "tuned": question}
    found: dict[PaneName, str] = {
        e.pane: e.text async for e in engine.ask(asked) if isinstance(e, Answered)
    }
    await engine.close()
    return found


async def test_it_writes_what_our_own_engine_writes_in_both_panes(
    llama: LlamaServer, tiny: TinyPair
) -> None:
    async with in_front(llama) as server, server.http() as client:
        models = server.running.desk.source.models
        assert [(m.pane, m.parent) for m in models] == [("base", ""), ("tuned", "base")]
        assert models[1].root == "tiny-base.gguf with tiny-plain.gguf"
        answer = await client.post("/v1/compare", json={"messages": said()})
    answered = {
        d["pane"]: d for name, d in events_in(answer.text) if name == "answered"
    }
    texts = {pane: found["text"] for pane, found in answered.items()}
    assert texts["base"] != texts["tuned"]
    # The stream of both is cleaned of control characters, which a random model writes.
    assert texts == {pane: clean(text) for pane, text in (await ours(tiny)).items()}
    assert all(found["stop_reason"] == "length" for found in answered.values())
    assert all(found["tokens_written"] == 12 for found in answered.values())


async def test_the_next_turn_of_one_user_is_reused_in_both_panes_and_no_others(
    llama: LlamaServer,
) -> None:
    reused: list[dict[PaneName, int]] = []
    async with in_front(llama) as server:
        desk = server.running.desk
        messages = [Message("user", QUESTION * 4)]
        for user in ("ann", "ann", "bob", "ann"):
            asked: dict[PaneName, Question] = {
                pane: desk.question(pane, messages, {}) for pane in ("base", "tuned")
            }
            ticket = desk.queue.enter(user, "compare", asked, "together")
            events = [event async for event in ticket.events()]
            reused.append(
                {
                    e.pane: e.figures.tokens_reused
                    for e in events
                    if isinstance(e, Answered)
                }
            )
            assert any(isinstance(event, Reading) for event in events)
    first, again, bobs, anns = reused
    assert all(again[pane] > 20 for pane in ("base", "tuned"))
    assert [first, bobs, anns] == [{"base": 0, "tuned": 0}] * 3


async def test_a_prompt_that_does_not_fit_is_an_error_with_its_numbers(
    llama: LlamaServer,
) -> None:
    async with in_front(llama) as server, server.openai() as client:
        with pytest.raises(openai.BadRequestError) as raised:
            await client.chat.completions.create(
                model="tuned", messages=said(QUESTION * 200)
            )
    assert raised.value.code == "context_length_exceeded"
    body: Any = raised.value.body
    assert body["n_ctx"] == CONTEXT
    assert body["n_prompt_tokens"] > CONTEXT
