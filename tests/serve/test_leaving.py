"""A client that leaves stops its answer: the engine counts what it still does.

A token or a chunk of the prompt takes this engine many turns of the event loop and no
time that is measured, so that a busy machine changes nothing: as many turns are what
the server has to notice a closed connection and to say so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

import pytest

from medassist.core.values import Figures, Mode, PaneName
from medassist.engine.wire import Answered, Question, Reading, Written
from medassist.serve.options import ServeOptions
from tests.serve.serving import PAIR, PATIENCE_S, Served, chat_body, said, served
from tests.stubs.engine import FakeEngine, FakeEngines

TURNS = 40
"""Of the event loop that a token takes; a fast model needs longer for one."""
CHUNKS, TOKENS, CHUNK = 30, 60, 128
LEAVES_AT = 5
BODIES: Mapping[str, dict[str, Any]] = {
    "/v1/chat/completions": chat_body(),
    "/v1/completions": {"model": "tuned", "prompt": "What is asthma?"},
    "/v1/responses": {"model": "tuned", "input": "What is asthma?"},
    "/api/chat": chat_body(),
    "/api/generate": {"model": "tuned", "prompt": "What is asthma?"},
    "/v1/compare": {"messages": said()},
}
WAYS = [
    (path, streamed)
    for path in BODIES
    for streamed in (True, False)
    if streamed or path != "/v1/compare"  # that one is always a stream
]


class CountingEngine(FakeEngine):
    """Counts the chunks that it reads and the tokens that it writes."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.read = self.written = 0

    async def ask(
        self,
        panes: Mapping[PaneName, Question],
        mode: Mode = "together",
        asker: str = "",
    ) -> AsyncIterator[Any]:
        self._stop.clear()
        for pane, question in panes.items():
            while self.read < CHUNKS and await self._goes_on():
                self.read += 1
                done = self.read * CHUNK
                yield Reading(
                    id=1, pane=pane, done=done, total=CHUNKS * CHUNK, reused=0
                )
            while self.written < TOKENS and await self._goes_on():
                self.written += 1
                yield Written(id=1, pane=pane, text="word ", tokens=self.written)
            figures = Figures(
                ending="stopped" if self._stop.is_set() else "end",
                tokens_read=self.read * CHUNK,
                tokens_reused=0,
                tokens_written=self.written,
                ttft_s=None,
                tok_per_s=None,
                context_used=0,
            )
            yield Answered(
                id=1, pane=pane, text="", figures=figures, sampling=question.sampling
            )

    async def _goes_on(self) -> bool:
        """One token's or chunk's work; a stop is seen behind it, as by the real one."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return not self._stop.is_set()


class CountingEngines(FakeEngines):
    made: list[CountingEngine]  # pyright: ignore[reportIncompatibleVariableOverride]

    def __call__(self, files: Any, options: Any) -> CountingEngine:
        self.made.append(CountingEngine(files, options, self.script))
        return self.made[-1]


async def left(
    server: Served,
    engine: CountingEngine,
    way: tuple[str, bool],
    meanwhile: Literal["read", "written"],
) -> int:
    """What the engine still did after the client of a question had gone."""
    path, streamed = way
    body = BODIES[path]
    if path != "/v1/compare":
        body = {**body, "stream": streamed}
    sent = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Authorization: Bearer {server.token()}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    )
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head.encode() + sent)
    async with asyncio.timeout(PATIENCE_S):
        while getattr(engine, meanwhile) < LEAVES_AT:
            await asyncio.sleep(0)
        writer.transport.abort()
        before = getattr(engine, meanwhile)
        while server.running.desk.queue.running:
            await asyncio.sleep(0)
    return getattr(engine, meanwhile) - before


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0]}-{way[1]}")
async def test_at_most_one_chunk_is_read_or_three_tokens_written_for_nobody(
    way: tuple[str, bool],
) -> None:
    engines = CountingEngines()
    options = ServeOptions(choice=PAIR, ollama_api=True)
    async with served(options=options, make=engines) as server:
        engine = engines.made[-1]
        assert await left(server, engine, way, "read") <= 1
        assert engine.written == 0
        engine.read, engine.written = CHUNKS, 0
        assert await left(server, engine, way, "written") <= 3
