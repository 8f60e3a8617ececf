"""The routes behind admission, put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from medassist import __version__
from medassist.records.errors import RecordsError
from medassist.serve import compare_route, metrics
from medassist.serve.comparisons import KeptComparisons
from medassist.serve.desk import Desk
from medassist.serve.errors import Refusal, broken
from medassist.serve.metrics import Metrics
from medassist.serve.ollama import routes as ollama
from medassist.serve.openai import chat, completions, models, responses
from medassist.serve.openai.request_parameters import refusal_of_invalid
from medassist.serve.page import routes as page_routes
from medassist.serve.page import static as page_files
from medassist.serve.records import routes as records
from medassist.serve.records.vaults import UserVaults
from medassist.serve.stream import ClientLeft

LEFT: Final = 499
"""The status of a request whose client left, as others have it; nobody reads it."""


def make_app(
    desk: Desk,
    counted: Metrics,
    *,
    ollama_api: bool = False,
    vaults: UserVaults | None = None,
    describes_itself: bool = False,
) -> FastAPI:
    """The app, without admission.

    Args:
        desk: answers.
        counted: what has been counted.
        ollama_api: a part of Ollama's API is spoken too.
        vaults: records of each user; `None`: none are kept.
        describes_itself: it has an OpenAPI document, for tests; a server has none.
    """
    app = FastAPI(
        title="medassist",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if describes_itself else None,
        redirect_slashes=False,
        # Nothing of the environment (OTEL_...) sends anything anywhere.
        telemetry={
            "auto_configure": False,
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
        },
    )

    @app.get("/health")
    async def health() -> Response:  # pyright: ignore[reportUnusedFunction]
        state = desk.source.state
        said = {"status": state}
        if desk.source.answers_from:
            said["answers_from"] = desk.source.answers_from
        return JSONResponse(said, 200 if state == "ok" else 503)

    for room in (models, chat, completions, responses):
        app.include_router(room.router(desk))
    kept = KeptComparisons()
    app.include_router(compare_route.router(desk, kept))
    if vaults is not None:
        app.include_router(records.router(desk, vaults, kept))
    app.include_router(metrics.router(desk, counted))
    if ollama_api:
        app.include_router(ollama.router(desk))
    app.include_router(page_routes.router(desk, vaults))
    app.include_router(page_files.router())
    for kind, handle in HANDLERS.items():
        app.add_exception_handler(kind, handle)
    return app


async def _invalid(request: Request, error: Any) -> Response:
    return _answer(request, refusal_of_invalid(error.errors()))


async def _refused(request: Request, error: Any) -> Response:
    return _answer(request, error)


async def _of_records(request: Request, error: Any) -> Response:
    return _answer(request, records.refusal_of(error))


async def _of_http(request: Request, error: Any) -> Response:
    match error.status_code:
        case 404:
            refusal = Refusal(404, "not_found", "There is no such address here.")
        case 405:
            sentence = "This address is not asked in that way."
            refusal = Refusal(405, "method_not_allowed", sentence)
        case 400:
            refusal = refusal_of_invalid([])
        case status:
            refusal = Refusal(status, "refused", "This was refused.")
    answer = _answer(request, refusal)
    headers: dict[str, str] = error.headers or {}
    answer.headers.update(headers)
    return answer


async def _broken(request: Request, error: Any) -> Response:
    # Admission, which it is raised to, tells where it broke.
    return _answer(request, broken())


async def _left(request: Request, error: Any) -> Response:
    return Response(status_code=LEFT)


def _answer(request: Request, refusal: Refusal) -> Response:
    body = refusal.body_at(request.scope["path"])
    return JSONResponse(body, refusal.status, refusal.headers)


HANDLERS: Final[
    dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]]
] = {
    RequestValidationError: _invalid,
    Refusal: _refused,
    RecordsError: _of_records,
    HTTPException: _of_http,
    ClientLeft: _left,
    Exception: _broken,
}
