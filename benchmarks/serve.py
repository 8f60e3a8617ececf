"""The server beside its engine: first token, speed, a client that left.

Both are asked in turn, over the same child with the default pair's base in memory. They
count as two people, so that nothing that one had read is used again for the other.
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

from benchmarks.engine import STOP_WITHIN_S
from benchmarks.figures import Comparison
from medassist.core.values import Message
from medassist.engine.wire import Answered
from medassist.serve.options import ServeOptions
from medassist.serve.server import Running, serving
from medassist.settings import Settings

PATH = "/v1/chat/completions"
CHANGES = {"temperature": 0.0, "repeat_penalty": 1.0, "max_tokens": 128}
MOST_AFTER = 3  # tokens
SUBJECTS = ("asthma", "gout", "measles", "anaemia", "sciatica", "migraine", "scurvy")


@dataclass(frozen=True)
class Speed:
    """Of one answer.

    Attributes:
        first_s: from the question to the first token.
        tok_per_s: from the first token to the last.
        read: tokens of the prompt, without those that were read before.
    """

    first_s: float
    tok_per_s: float
    read: int


def asked(run: int) -> str:
    """The question of a run, of some 500 tokens; the next one's begins otherwise."""
    subject = SUBJECTS[run % len(SUBJECTS)]
    story = "A man of 58 with fever and a stiff neck has pain behind the eyes. " * 30
    return f"{subject} (case {run}) is suspected. {story}What is to be done first?"


async def by_engine(running: Running, run: int) -> Speed:
    """As `medassist ask --json` tells it, which asks the engine in this way."""
    desk = running.desk
    question = desk.question("base", [Message("user", asked(run))], CHANGES)
    put = desk.source.ask({"base": question}, "in-turn", f"the engine {run}")
    found = [e.figures async for e in put.events if isinstance(e, Answered)]
    return Speed(found[0].ttft_s or 0, found[0].tok_per_s or 0, found[0].tokens_read)


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
    begun, times, usage = time.perf_counter(), list[float](), dict[str, Any]()
    async with streamed(client, run) as chunks:
        async for chunk in chunks:
            if written(chunk):
                times.append(time.perf_counter())
            usage = chunk.get("usage") or usage
    seconds = times[-1] - times[0]
    return Speed(
        times[0] - begun,
        (usage["completion_tokens"] - 1) / seconds,
        usage["prompt_tokens"] - usage["prompt_tokens_details"]["cached_tokens"],
    )


@dataclass(frozen=True)
class Left:
    """What was still done for a client that left: seconds, and tokens written."""

    seconds: float
    tokens: int


async def left(running: Running, client: httpx.AsyncClient, run: int) -> Left:
    """Have a client leave at the first token: later chunks hold several."""
    queue = running.desk.queue
    async with streamed(client, run + 1) as chunks:
        async for chunk in chunks:
            if written(chunk):
                break
        (ticket,) = queue.running.values()
        begun = time.perf_counter()
    while queue.running:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    seconds = time.perf_counter() - begun
    return Left(seconds, ticket.figures["base"].tokens_written - 1)


async def measure(
    runs: int, threads: int, users: Path
) -> tuple[list[Speed], list[Speed], list[Left]]:
    """Of each run: by the API, by the engine, and how long a client's going took."""
    api, engine, leavers = list[Speed](), list[Speed](), list[Left]()
    options = ServeOptions(port=0, users=users)
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
            await left(running, client, -2)  # what is made once is made here
            for run in range(0, 3 * runs, 3):
                api.append(await by_api(client, run))
                engine.append(await by_engine(running, run))
                leavers.append(await left(running, client, run))
                if abs(api[-1].read - engine[-1].read) > 16:
                    raise RuntimeError("one of the two had read the prompt before")
                print(f"  run {run // 3 + 1} of {runs} done", flush=True)
    return api, engine, leavers


def compare(runs: int, threads: int) -> list[Comparison]:
    """The table's rows for the server."""
    with tempfile.TemporaryDirectory() as folder:
        users = Path(folder) / "users.json"
        api, engine, leavers = asyncio.run(measure(runs, threads, users))
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
            *([one.seconds for one in leavers], [STOP_WITHIN_S] * runs),
            *("s", ("<=", 1.0)),
        ),
        Comparison(
            f"written for a client that has left : {MOST_AFTER} tokens",
            *([one.tokens for one in leavers], [MOST_AFTER] * runs),
            *("tokens", ("<=", 1.0)),
        ),
    ]
