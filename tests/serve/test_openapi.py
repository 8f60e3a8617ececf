"""Whatever the OpenAPI document allows, and what it does not, is answered or refused.

A server shows no such document: it is made here. The questions are made from it by
schemathesis, always the same ones, and go through the gate of a running server.
"""

from __future__ import annotations

import asyncio
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode

from medassist.serve.app import make_app
from medassist.serve.metrics import Metrics
from medassist.serve.options import ServeOptions
from tests.serve.serving import PAIR, PATIENCE_S, Served, served

EXAMPLES = 6
"""Of each operation, valid and invalid each."""
bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)


def operations(server: Served) -> list[Any]:
    app = make_app(
        server.running.desk, Metrics(), ollama_api=True, describes_itself=True
    )
    schema = schemathesis.openapi.from_dict(app.openapi())
    return [found.ok() for found in schema.get_all_operations()]


def tried(operation: Any, mode: GenerationMode, server: Served) -> list[int]:
    """The statuses of the answers to generated requests; each is one of ours."""
    statuses: list[int] = []

    @bounded
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        answer = case.call(
            base_url=server.url,
            headers={"Authorization": f"Bearer {server.token()}"},
            timeout=PATIENCE_S,
        )
        status = answer.status_code
        statuses.append(status)
        said = f"{case.as_curl_command()}\n{status} {answer.content[:500]!r}"
        assert status < 500, said
        if status >= 400:
            error = answer.json()["error"]
            ours = isinstance(error, str) or {"message", "code"} <= error.keys()
            assert ours, said

    ask()
    return statuses


async def test_no_request_that_the_document_describes_breaks_the_server() -> None:
    options = ServeOptions(choice=PAIR, ollama_api=True)
    async with served(options=options) as server:
        found = operations(server)
        assert {"/v1/chat/completions", "/v1/compare", "/api/chat"} <= {
            operation.path for operation in found
        }
        for operation in found:
            modes = [GenerationMode.POSITIVE]
            if operation.body:
                modes.append(GenerationMode.NEGATIVE)
            for mode in modes:
                statuses = await asyncio.to_thread(tried, operation, mode, server)
                assert statuses
                if mode is GenerationMode.NEGATIVE:
                    assert any(status >= 400 for status in statuses), operation.label
        async with server.http() as client:
            assert (await client.get("/health")).json() == {"status": "ok"}
            assert (await client.get("/openapi.json")).status_code == 404
