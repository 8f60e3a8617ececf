"""A stand-in for vLLM: its list of models, its streams and its errors, word by word.

It answers by the name of the model, in the shapes that vLLM sends, and remembers what
it was asked. What it cannot show is vLLM's own behaviour under load.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from medassist.serve.options import ServeOptions
from medassist.serve.upstream.options import UpstreamOptions
from medassist.settings import Settings
from tests.serve.serving import QUESTION, Served, served

BASE, TUNED = "org/medical-base", "tuned-lora"
KEY = "key-of-the-ward"
CONTEXT = 4096


def words_of(model: str, question: str) -> list[str]:
    return [*f"{model} says of {question!r}:".split(" "), "enough."]


@dataclass
class VllmStandIn:
    """What it is to do, and what it was asked.

    Attributes:
        asked: the bodies that came, in order.
        key: that it wants.
        models: in its list.
        headers: of the requests that came.
        refuses: status and error with which each question is refused.
        fails_after: so many pieces are sent; then an error is, in the stream.
        breaks_after: so many pieces are sent; then the connection ends.
        hold: each answer waits for it after each piece.
        thought: sent in a field of its own before the answer.
        closed: how many answers were left before their end.
        finish: why its answers end.
        redirects_to: where it sends every request.
        answers: the words of a model, in place of its own.
        running: how many answers are being written.
        name: by which it is asked for.
        tls: that it speaks; `None`: plain HTTP.
        together: the most answers that were being written at one time.
    """

    key: str = KEY
    models: Sequence[Mapping[str, Any]] = (
        {"id": BASE, "root": BASE, "parent": None},
        {"id": TUNED, "root": "/adapters/tuned", "parent": BASE},
    )
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refuses: tuple[int, Mapping[str, Any]] | None = None
    fails_after: int | None = None
    breaks_after: int | None = None
    hold: asyncio.Event | None = None
    thought: str = ""
    finish: str = "stop"
    redirects_to: str = ""
    answers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    closed: int = 0
    running: int = 0
    together: int = 0
    port: int = 0
    name: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{self.name}:{self.port}"

    def app(self) -> Starlette:
        routes = [
            Route("/v1/models", self._models),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/completions", self._chat, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    def _refused(self, request: Request) -> Response | None:
        self.headers.append(dict(request.headers))
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return JSONResponse({"error": "Unauthorized"}, 401)
        if self.redirects_to:
            return Response(status_code=307, headers={"Location": self.redirects_to})
        return None

    async def _models(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        data = [
            {
                "object": "model",
                "created": 1_790_000_000,
                "owned_by": "vllm",
                "max_model_len": CONTEXT,
                "permission": [],
                **one,
            }
            for one in self.models
        ]
        return JSONResponse({"object": "list", "data": data})

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        if refused := self._refused(request):
            return refused
        if self.refuses:
            return _error(*self.refuses)
        prompt = body.get("prompt") or " ".join(m["content"] for m in body["messages"])
        count = len(prompt.split())
        asked_for = body.get("max_tokens", 1)
        if count + asked_for > CONTEXT:
            return _error(400, _too_long(count, asked_for))
        return StreamingResponse(
            self._stream(body, count), media_type="text/event-stream"
        )

    async def _stream(self, body: dict[str, Any], count: int) -> AsyncIterator[bytes]:
        self.running += 1
        self.together = max(self.together, self.running)
        ended = False
        try:
            async for sent in self._chunks(body, count):
                yield sent
            ended = True
        finally:
            self.running -= 1
            self.closed += not ended

    async def _chunks(self, body: dict[str, Any], count: int) -> AsyncIterator[bytes]:
        raw = "prompt" in body
        question = body["prompt"] if raw else body["messages"][-1]["content"]
        words = self.answers.get(body["model"]) or words_of(body["model"], question)
        if not raw:
            yield _chunk(body, {"role": "assistant", "content": ""})
        if self.thought:
            yield _chunk(body, {"reasoning": self.thought})
        for place, word in enumerate(words):
            if place == self.fails_after:
                said = {"message": "the engine's core died", "type": "Internal"}
                yield _event({"error": {**said, "param": None, "code": 500}})
                yield b"data: [DONE]\n\n"
                return
            if place == self.breaks_after:
                raise ConnectionError
            text = word if not place else f" {word}"
            yield _chunk(body, {"content": text}, text=text if raw else None)
            await asyncio.sleep(0)
            if self.hold is not None:
                await self.hold.wait()
        yield _chunk(body, {}, finish=self.finish, text="" if raw else None)
        usage = {
            "prompt_tokens": count,
            "completion_tokens": len(words) + bool(self.thought),
            "total_tokens": count + len(words),
            "prompt_tokens_details": {"cached_tokens": 2},
        }
        yield _event({"id": "chatcmpl-1", "choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"


@asynccontextmanager
async def vllm(stand_in: VllmStandIn | None = None) -> AsyncIterator[VllmStandIn]:
    """It listens on a free port of loopback."""
    found = stand_in or VllmStandIn()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", found.port))
        found.port = listening.getsockname()[1]
        tls = found.tls
        config = uvicorn.Config(
            found.app(),
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
            ssl_context_factory=(lambda *_: tls) if tls else None,
        )
        server = uvicorn.Server(config)
        server.capture_signals = _no_signals  # type: ignore[method-assign]
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            yield found
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def in_front_of(
    engine: VllmStandIn, key_file: Path, named: Sequence[str] = (), **more: Any
) -> AsyncIterator[Served]:
    """A server in front of `engine`, once it was found."""
    settings = more.pop("settings", Settings())
    upstream = UpstreamOptions(engine.url, key_file=key_file, **more)
    options = ServeOptions(upstream=upstream, ollama_api=True)
    async with served(named=named, options=options, settings=settings) as server:
        yield server


@asynccontextmanager
async def both(
    key_file: Path, engine: VllmStandIn | None = None, **more: Any
) -> AsyncIterator[tuple[VllmStandIn, Served]]:
    async with vllm(engine) as found, in_front_of(found, key_file, **more) as server:
        yield found, server


def answer_of(model: str, question: str = QUESTION) -> str:
    return " ".join(words_of(model, question))


def _no_signals() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def _too_long(count: int, asked_for: int) -> dict[str, Any]:
    has = f"This model's maximum context length is {CONTEXT} tokens. However, "
    if asked_for > 1:
        told = f"you requested {asked_for} output tokens and your prompt contains "
        told += f"{count} input tokens, for a total of {count + asked_for} tokens."
    else:
        told = f"your request has {count} input tokens."
    return {"message": has + told, "type": "BadRequestError", "param": "input_tokens"}


def _error(status: int, error: Mapping[str, Any]) -> Response:
    return JSONResponse({"error": {"code": status, **error}}, status)


def _chunk(
    body: Mapping[str, Any],
    delta: Mapping[str, str],
    *,
    finish: str | None = None,
    text: str | None = None,
) -> bytes:
    said: dict[str, Any] = {"delta": delta} if text is None else {"text": text}
    choice = {"index": 0, **said, "logprobs": None, "finish_reason": finish}
    return _event(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": body["model"],
            "choices": [choice],
        }
    )


def _event(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()
