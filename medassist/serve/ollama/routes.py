"""`POST /api/chat` and `/api/generate`, and what of Ollama's API is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from medassist.core.values import Message
from medassist.engine.wire import Question
from medassist.serve.answering import answer, heard
from medassist.serve.desk import Desk, told, user_of
from medassist.serve.errors import Refusal
from medassist.serve.ollama import models
from medassist.serve.ollama.ollama_answer import MEDIA_TYPE, Form, OllamaAnswer
from medassist.serve.ollama.request_parameters import (
    GenerateRequest,
    OllamaChatRequest,
    OllamaRequest,
)
from medassist.serve.openai.request_parameters import conversation, questions_of
from medassist.serve.served_pair import ServedModel
from medassist.serve.stream import Heard

ROUTE: Final = "ollama"
WRITES: Final = {
    "/api/pull": "POST",
    "/api/push": "POST",
    "/api/create": "POST",
    "/api/copy": "POST",
    "/api/delete": "DELETE",
    "/api/blobs/{digest}": "POST",
}
EMBEDS: Final = ("/api/embed", "/api/embeddings")


def router(desk: Desk) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    routes.include_router(models.router(desk))

    @routes.post("/api/chat")
    async def chat(body: OllamaChatRequest, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        model = desk.model(body.name)
        if not body.messages:
            return _nothing_asked(body, "chat")
        messages = conversation([(one.role, one.content) for one in body.messages])
        question = desk.question(model.pane, messages, body.changes(model))
        return await _answered(
            desk, request, "chat", body, model, question, questions_of(messages)
        )

    @routes.post("/api/generate")
    async def generate(body: GenerateRequest, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        model = desk.model(body.name)
        if not body.prompt:
            return _nothing_asked(body, "generate")
        question = _question(desk, model, body)
        return await _answered(
            desk, request, "generate", body, model, question, (body.prompt, [])
        )

    for path, method in WRITES.items():
        routes.add_api_route(path, _no_writes, methods=[method])
    for path in EMBEDS:
        routes.add_api_route(path, _no_embeddings, methods=["POST"])
    return routes


def _question(desk: Desk, model: ServedModel, body: GenerateRequest) -> Question:
    changes = body.changes(model)
    if not body.raw:
        said = [("system", body.system)] if body.system else []
        messages = conversation([*said, ("user", body.prompt)])
        return desk.question(model.pane, messages, changes)
    if body.system:
        sentence = "A raw prompt has no template for a system prompt to stand in."
        raise Refusal(400, "invalid_value", sentence, "system")
    return Question(
        messages=(Message("user", body.prompt),),
        sampling=desk.sampling(model.pane, changes),
        raw=body.prompt,
    )


async def _answered(
    desk: Desk,
    request: Request,
    form: Form,
    body: OllamaRequest,
    model: ServedModel,
    question: Question,
    asked: tuple[str, Sequence[str]],
) -> Response:
    """Have `question` answered, and its words checked for red flags before."""
    checked = await desk.checked(user_of(request), *asked)
    given = OllamaAnswer(form, body.model, told(checked, model), heard(model, question))
    return await answer(
        desk,
        request,
        ROUTE,
        (model, question),
        given,
        streamed=body.is_streamed,
        media_type=MEDIA_TYPE,
    )


def _nothing_asked(body: OllamaRequest, form: Form) -> Response:
    """Clients ask nothing to have a model loaded, which it is, or unloaded."""
    if body.unloads:
        sentence = "The models stay loaded as long as this server runs."
        raise Refusal(403, "read_only", sentence, "keep_alive")
    return JSONResponse(OllamaAnswer(form, body.model, {}, Heard(False)).none("load"))


async def _no_writes(request: Request) -> dict[str, Any]:
    raise Refusal(
        403,
        "read_only",
        "This server answers with the models it was started with. It loads, makes, "
        "copies, sends and deletes none when asked over HTTP; its operator does that "
        "with `medassist models`.",
    )


async def _no_embeddings(request: Request) -> dict[str, Any]:
    raise Refusal(
        400, "not_supported", "The models here write text. They give no embeddings."
    )
