"""A server in the test's own loop, whose engines follow a script, and its clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import openai

from medassist.serve import users
from medassist.serve.options import ServeOptions
from medassist.serve.server import Running, serving
from medassist.session.choice import Choice
from medassist.session.pair_engine import MakeEngine
from medassist.settings import Settings
from tests.stubs.engine import FakeEngine, FakeEngines, Script

PAIR = Choice(base=Path("/models/base.gguf"), adapter=Path("/models/adapter.gguf"))
QUESTION = "What is asthma?"
PATIENCE_S = 300
"""After which a test is given up that would wait for ever."""
HEART = "58M, crushing chest pain, sweaty"


@dataclass
class Served:
    """A running server and what its engines were asked.

    Attributes:
        running: the server.
        engines: its engines, where they follow a script.
        tokens: of the users that were named.
    """

    running: Running
    engines: FakeEngines
    tokens: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.running.place.address.rstrip("/")

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def script(self) -> Script:
        return self.engines.script

    @property
    def engine(self) -> FakeEngine:
        return self.engines.last

    def token(self, user: str = "") -> str:
        return self.tokens[user] if user else self.running.token

    def http(self, user: str = "", **more: Any) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token(user)}"}
        more.setdefault("headers", headers)
        return httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S, **more)

    def openai(self, user: str = "") -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            base_url=f"{self.url}/v1", api_key=self.token(user), max_retries=0
        )

    async def healthy(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.running.desk.source.state != "ok":
                await asyncio.sleep(0.005)


@asynccontextmanager
async def served(
    script: Script | None = None,
    *,
    named: Sequence[str] = (),
    options: ServeOptions | None = None,
    make: MakeEngine | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[Served]:
    """A server on a free port whose models are loaded."""
    engines = FakeEngines(script)
    file = users.default_file()
    tokens = {name: users.add(file, name) for name in named}
    options = replace(options or ServeOptions(choice=PAIR), port=0)
    async with serving(options, settings or Settings(), make or engines) as running:
        found = Served(running, engines, tokens)
        await found.healthy()
        yield found


def said(text: str = QUESTION) -> list[Any]:
    return [{"role": "user", "content": text}]


def chat_body(
    model: str = "tuned", text: str = QUESTION, **more: Any
) -> dict[str, Any]:
    return {"model": model, "messages": said(text), **more}


def events_in(text: str) -> list[tuple[str, Any]]:
    """The events of a stream, by name, without the comments."""
    found: list[tuple[str, Any]] = []
    for block in text.split("\n\n"):
        lines = [line.partition(": ")[::2] for line in block.splitlines()]
        parts = {name: value for name, value in lines if name}
        if data := parts.get("data"):
            value = data if data == "[DONE]" else json.loads(data)
            found.append((parts.get("event", ""), value))
    return found


def answered_in(text: str, *, streamed: bool) -> str:
    """The answer in what a client was sent."""
    if not streamed:
        return json.loads(text)["choices"][0]["message"]["content"]
    chunks = [data for _, data in events_in(text) if data != "[DONE]"]
    return "".join(c["choices"][0]["delta"].get("content", "") for c in chunks)
