"""Whatever the OpenAPI document allows, and what it does not, is answered or refused.

A server shows no such document: it is made here. The questions are made from it by
schemathesis, always the same ones, and go through the admission of a running server.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode

from medassist.serve.app import make_app
from medassist.serve.metrics import Metrics
from medassist.serve.options import ServeOptions
from tests.serve.serving import PAIR, PATIENCE_S, Served, said, served

EXAMPLES, MANY = (8, 3), (64, 16)
"""Of each operation that answers a question, and of each other; invalid ones too."""
ANSWERS = {
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/compare",
    "/api/chat",
    "/api/generate",
}
bounded = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def operations(server: Served) -> list[Any]:
    app = make_app(
        server.running.desk, Metrics(), ollama_api=True, describes_itself=True
    )
    schema = schemathesis.openapi.from_dict(app.openapi())
    found: Any = schema.get_all_operations()
    return [one.ok() for one in found]


def complete(body: Any) -> None:
    """Put in what no document says: the model's name, and a question at the end."""
    if "model" in body:
        body["model"] = "tuned"
    for name in ("messages", "input"):
        if isinstance(body.get(name), list):
            body[name] += said()


def tried(
    operation: Any, mode: GenerationMode, server: Served, examples: tuple[int, int]
) -> list[int]:
    """The statuses of the answers to generated requests; each is one of ours."""
    statuses: list[int] = []

    @settings(bounded, max_examples=examples[operation.path not in ANSWERS])
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        if mode is GenerationMode.POSITIVE and operation.path in ANSWERS:
            complete(case.body)
        answer = case.call(
            base_url=server.url,
            headers={"Authorization": f"Bearer {server.token()}"},
            timeout=PATIENCE_S,
        )
        statuses.append(answer.status_code)
        shown = f"{case.as_curl_command()}\n{statuses[-1]} {answer.content[:500]!r}"
        assert answer.status_code < 500, shown
        if answer.status_code >= 400:
            error = answer.json()["error"]
            ours = isinstance(error, str) or {"message", "code"} <= error.keys()
            assert ours, shown

    ask()
    return statuses


@pytest.mark.parametrize(
    "examples", [EXAMPLES, pytest.param(MANY, marks=pytest.mark.soak)], ids=str
)
async def test_no_request_that_the_document_describes_breaks_the_server(
    examples: tuple[int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    options = ServeOptions(choice=PAIR, ollama_api=True)
    async with served(options=options) as server:
        found = operations(server)
        assert {operation.path for operation in found} >= ANSWERS
        for operation in found:
            valid = await asyncio.to_thread(
                tried, operation, GenerationMode.POSITIVE, server, examples
            )
            # Some are answered, so that what is refused is not all that was tried.
            assert operation.path not in ANSWERS or 200 in valid
            if operation.body:
                invalid = await asyncio.to_thread(
                    tried, operation, GenerationMode.NEGATIVE, server, examples
                )
                assert any(status >= 400 for status in invalid), operation.label
        async with server.http() as client:
            assert (await client.get("/health")).json() == {"status": "ok"}
            assert (await client.get("/openapi.json")).status_code == 404
    # What breaks after a stream has begun has no status; the server prints its place.
    assert capfd.readouterr().err.count("\n") == 1, "more than that it is loaded"
