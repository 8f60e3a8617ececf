"""The server beside its engine: first token, speed, a client that left.

Both are asked in turn, over the same child with the same model in memory. They count as
two people, so that nothing that one had read is used again for the other.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.engine import NEW, STOP_WITHIN_S, prompt
from benchmarks.random_llama import RandomLlama
from benchmarks.table import Comparison
from medassist.core.values import Message, PairFiles
from medassist.engine.wire import Answered
from medassist.serve.options import ServeOptions
from medassist.serve.server import Running, serving
from medassist.session.choice import Choice
from medassist.settings import Settings

PATH = "/v1/chat/completions"
CHANGES = {"temperature": 0.0, "repeat_penalty": 1.0, "max_tokens": NEW}
LEAVES_AT = 5  # tokens


@dataclass(frozen=True)
class Speed:
    """Of one answer.

    Attributes:
        first_s: from the question to the first token.
        tok_per_s: from the first token to the last.
    """

    first_s: float
    tok_per_s: float


def asked(run: int) -> str:
    """The question of a run; no other run's begins like it."""
    return prompt(run).messages[0].content


async def by_engine(running: Running, run: int) -> Speed:
    """As `medassist ask --json` tells it, which asks the engine in this way."""
    desk = running.desk
    question = desk.question("base", [Message("user", asked(run))], CHANGES)
    events = desk.source.ask({"base": question}, "in-turn", f"the engine {run}")
    found = [e.figures async for e in events if isinstance(e, Answered)]
    return Speed(found[0].ttft_s or 0, found[0].tok_per_s or 0)


@asynccontextmanager
async def streamed(client: httpx.AsyncClient, run: int) -> AsyncIterator[Any]:
    """The chunks of an answer in a stream."""
    body = {
        "model": "base",
        "messages": [{"role": "user", "content": asked(run)}],
        "stream": True,
        "stream_options": {"include_usage": True},
        **CHANGES,
    }

    async def chunks(lines: AsyncIterator[str]) -> AsyncIterator[Any]:
        async for line in lines:
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))

    async with client.stream("POST", PATH, json=body) as answer:
        answer.raise_for_status()
        yield chunks(answer.aiter_lines())


def written(chunk: Any) -> bool:
    return any(choice["delta"].get("content") for choice in chunk["choices"])


async def by_api(client: httpx.AsyncClient, run: int) -> Speed:
    """As a client sees it."""
    begun, times, tokens = time.perf_counter(), list[float](), 0
    async with streamed(client, run) as chunks:
        async for chunk in chunks:
            if written(chunk):
                times.append(time.perf_counter())
            if chunk.get("usage"):
                tokens = chunk["usage"]["completion_tokens"]
    return Speed(times[0] - begun, (tokens - 1) / (times[-1] - times[0]))


async def left_after(running: Running, client: httpx.AsyncClient, run: int) -> float:
    """Seconds from a client's going until its answer has been stopped."""
    seen = 0
    async with streamed(client, run + 1000) as chunks:
        async for chunk in chunks:
            seen += written(chunk)
            if seen == LEAVES_AT:
                break
        begun = time.perf_counter()
    while running.desk.queue.running is not None:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    return time.perf_counter() - begun


async def measure(
    llama: RandomLlama, runs: int, threads: int, users: Path
) -> tuple[list[Speed], list[Speed], list[float]]:
    """Of each run: by the API, by the engine, and how long a client's going took."""
    api, engine, left = list[Speed](), list[Speed](), list[float]()
    choice = Choice.of(PairFiles(base=llama.base))
    options = ServeOptions(choice=choice, port=0, users=users)
    async with serving(options, Settings(threads=threads)) as running:
        source, ended = running.desk.source, running.ended
        while source.state != "ok" and not ended.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        if running.failure is not None:
            raise running.failure
        async with httpx.AsyncClient(
            base_url=running.place.address,
            headers={"Authorization": f"Bearer {running.token}"},
            timeout=None,
        ) as client:
            for run in range(runs):
                api.append(await by_api(client, run))
                engine.append(await by_engine(running, run))
                left.append(await left_after(running, client, run))
                print(f"  run {run + 1} of {runs} done", flush=True)
    return api, engine, left


def compare(llama: RandomLlama, runs: int, threads: int) -> list[Comparison]:
    """The table's rows for the server."""
    with tempfile.TemporaryDirectory() as folder:
        users = Path(folder) / "users.json"
        api, engine, left = asyncio.run(measure(llama, runs, threads, users))
    return [
        Comparison(
            "first token through the API : by the engine",
            *([one.first_s for one in api], [one.first_s for one in engine]),
            *("s", ("<=", 1.1)),
        ),
        Comparison(
            "one stream through the API : the engine",
            *([one.tok_per_s for one in api], [one.tok_per_s for one in engine]),
            *("tok/s", (">=", 0.95)),
        ),
        Comparison(
            f"stop when the client leaves : {STOP_WITHIN_S} s",
            *(left, [STOP_WITHIN_S] * runs, "s", ("<=", 1.0)),
        ),
    ]
