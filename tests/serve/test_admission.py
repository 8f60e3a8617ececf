"""Who is let in: by the name it asks for, where it comes from, its token, its form."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import replace
from typing import Any

import pytest

from medassist.serve import users
from medassist.serve.app import make_app
from medassist.serve.limits import Limits
from medassist.serve.metrics import Metrics
from medassist.serve.options import ServeOptions
from medassist.serve.server import read_anew
from tests.serve.serving import PAIR, PATIENCE_S, Served, chat_body, said, served

ROUTES = [
    ("GET", "/v1/models"),
    ("GET", "/v1/models/base"),
    ("POST", "/v1/chat/completions"),
    ("GET", "/v1/page/setup"),
    ("POST", "/v1/page/export"),
    ("GET", "/v1/records"),
    ("DELETE", "/v1/records"),
    ("POST", "/v1/records/unlock"),
    ("POST", "/v1/records/consultations"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/nothing/here"),
    ("DELETE", "/v1/models/base"),
    ("OPTIONS", "/v1/chat/completions"),
]
JSON = {"Content-Type": "application/json"}


async def raw(server: Served, request: bytes, *, wait_s: float = PATIENCE_S) -> bytes:
    """What comes back for bytes that no client would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(wait_s):
        answer = await reader.read()
    writer.close()
    return answer


async def test_every_route_but_health_and_the_pages_files_wants_a_token() -> None:
    async with served() as server, server.http(headers={}) as nobody:
        assert (await nobody.get("/health")).json() == {"status": "ok"}
        for headers in (
            {},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer medassist-wrong"},
            {"Authorization": f"Basic {server.token()}"},
            {"Authorization": "Bearer \xff"},
        ):
            sent = [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]
            for method, path in ROUTES:
                if path == "/":
                    continue  # the page's own files hold nothing of anybody
                answer = await nobody.request(method, path, headers=sent)
                assert answer.status_code == 401, (method, path, headers)
                assert answer.json()["error"]["code"] == "invalid_api_key"
                assert answer.headers["www-authenticate"] == "Bearer"
        assert server.engine.asked == []


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example:{port}", ""],
)
async def test_a_name_that_the_server_has_not_is_refused(host: str) -> None:
    # A page whose name was rebound to this computer asks by that name.
    async with served() as server, server.http() as client:
        name = host.format(port=server.port)
        for method, path in [("GET", "/health"), ("GET", "/"), *ROUTES]:
            answer = await client.request(method, path, headers={"Host": name})
            assert answer.status_code == 403
            assert answer.json()["error"]["code"] == "host_not_allowed"
        for good in ("127.0.0.1", "localhost"):
            headers = {"Host": f"{good}:{server.port}"}
            assert (await client.get("/v1/models", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_of_another_site_is_refused(headers: dict[str, str]) -> None:
    async with served() as server, server.http() as client:
        sent = {name: v.format(port=server.port) for name, v in headers.items()}
        for method, path in [("GET", "/health"), *ROUTES]:
            answer = await client.request(method, path, headers=sent)
            assert answer.status_code == 403
            assert answer.json()["error"]["code"].endswith("_not_allowed")
        own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
        assert (await client.get("/v1/models", headers=own)).status_code == 200


async def test_no_answer_lets_a_page_of_another_site_read_it() -> None:
    async with served() as server, server.http() as client:
        for headers in ({}, {"Origin": server.url}, {"Origin": "http://evil.example"}):
            for method, path in [("GET", "/health"), *ROUTES]:
                answer = await client.request(method, path, headers=headers)
                names = {name.lower() for name in answer.headers}
                assert not {n for n in names if n.startswith("access-control-")}
                assert answer.headers["cache-control"] == "no-store"
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["cross-origin-resource-policy"] == "same-origin"
                assert "default-src 'none'" in answer.headers["content-security-policy"]
                assert "server" not in names


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/json-seq",
        None,
    ],
)
async def test_only_json_is_read(kind: str | None) -> None:
    # text/plain needs no leave of the browser to be sent from another site.
    async with served() as server, server.http() as client:
        headers = {"Content-Type": kind} if kind else {}
        answer = await client.post(
            "/v1/chat/completions", content=json.dumps(chat_body()), headers=headers
        )
        assert answer.status_code == 415
        assert server.engine.asked == []


async def test_a_body_of_two_megabytes_is_refused_however_it_is_sent() -> None:
    async with served() as server, server.http() as client:
        body = json.dumps(chat_body(text="a" * 2_000_000)).encode()

        async def pieces():  # type: ignore[no-untyped-def]
            for at in range(0, len(body), 65536):
                yield body[at : at + 65536]

        for content in (body, pieces()):
            answer = await client.post(
                "/v1/chat/completions", content=content, headers=JSON
            )
            assert answer.status_code == 413
            assert answer.json()["error"]["code"] == "request_too_large"
        assert server.engine.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "base", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        b'{"model": "base", "messages": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"model": "base", "temperature": NaN, "messages": [{"role": "user", '
        b'"content": "x"}]}',
        b'{"model": "base", "seed": ' + b"9" * 10_000 + b', "messages": [{"role": '
        b'"user", "content": "x"}]}',
        json.dumps(chat_body() | {"messages": said() * 10_000}).encode(),
    ],
    ids=[
        "broken-utf-8",
        "empty",
        "half",
        "null",
        "list",
        "string",
        "deep-list",
        "deep-messages",
        "nan",
        "huge-number",
        "10,000-messages",
    ],
)
async def test_what_is_no_sound_request_is_an_error_of_the_client(body: bytes) -> None:
    async with served() as server, server.http() as client:
        answer = await client.post("/v1/chat/completions", content=body, headers=JSON)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert server.engine.asked == []


async def test_headers_and_bodies_that_never_end_are_given_up() -> None:
    limits = Limits(headers_s=0.2, body_s=0.2)
    options = ServeOptions(choice=PAIR, limits=limits)
    async with served(options=options) as server:
        host = f"Host: 127.0.0.1:{server.port}\r\n".encode()
        assert await raw(server, b"GET /health HTTP/1.1\r\n" + host) == b""
        token = f"Authorization: Bearer {server.token()}\r\n".encode()
        begun = (
            b"POST /v1/chat/completions HTTP/1.1\r\n" + host + token
            + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )  # fmt: skip
        answer = await raw(server, begun)
        assert answer.startswith(b"HTTP/1.1 408 ")
        # So is a second request on a connection that was kept open.
        twice = b"GET /health HTTP/1.1\r\n" + host + b"\r\nGET /health HT"
        answer = await raw(server, twice)
        assert answer.count(b"HTTP/1.1 200") == 1
        # Who is quick is not disturbed.
        async with server.http() as client:
            assert (await client.get("/health")).status_code == 200


async def test_headers_without_end_are_not_kept() -> None:
    async with served() as server:
        request = b"GET /health HTTP/1.1\r\nX: " + b"a" * 100_000
        answer = await raw(server, request)
        assert answer.startswith(b"HTTP/1.1 400 ")


async def test_two_hosts_in_one_request_are_refused() -> None:
    async with served() as server:
        host = f"Host: 127.0.0.1:{server.port}\r\n".encode()
        request = b"GET /health HTTP/1.1\r\n" + host
        for more in (b"Host: evil.example\r\n", host):
            end = b"Connection: close\r\n\r\n"
            answer = await raw(server, request + more + end)
            assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 "))


async def test_an_address_that_is_not_there_is_told_in_the_same_form() -> None:
    async with served() as server, server.http() as client:
        for method, path, status in (
            ("GET", "/docs", 404),
            ("GET", "/openapi.json", 404),
            ("GET", "/v1/models/", 404),
            ("GET", "/v1/models/other", 404),
            ("GET", "/v1/chat/completions", 405),
            ("OPTIONS", "/v1/models", 405),
        ):
            answer = await client.request(method, path)
            assert answer.status_code == status, path
            assert answer.json()["error"]["code"]


async def test_nothing_that_was_asked_or_answered_is_printed_anywhere(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    canary = "xylophone-7731"
    caplog.set_level(logging.DEBUG)
    async with served() as server, server.http() as client:
        path = "/v1/chat/completions"
        wrong: list[dict[str, Any]] = [
            {},
            {"stream": True},
            {"seed": canary},
            {"tools": [canary]},
        ]
        for more in wrong:
            await client.post(path, json=chat_body(text=canary) | more)
        await client.post(path, json=chat_body(canary, canary))
        await client.get(f"/{canary}?{canary}", headers={"Authorization": canary})

        def break_down(*_: Any, **__: Any) -> Any:
            raise ValueError(f"it broke at {canary}")

        server.engine.ask = break_down  # type: ignore[method-assign]
        broken = await client.post(path, json=chat_body(text=canary))
        assert broken.status_code == 500
        assert canary not in broken.text
        sources = server.running.desk.source
        sources.sampling = break_down  # type: ignore[method-assign]
        broken = await client.post(path, json=chat_body(text=canary))
        assert broken.status_code == 500
        assert canary not in broken.text
        token = server.token()
    printed = capfd.readouterr()
    clients = ("httpx", "httpcore")
    logged = [r for r in caplog.records if not r.name.startswith(clients)]
    text = printed.out + printed.err + "".join(map(str, map(vars, logged)))
    assert "ValueError in " in printed.err
    assert canary not in text
    assert token not in text


async def test_the_environment_turns_no_telemetry_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider",
    }.items():
        monkeypatch.setenv(name, value)
    async with served() as server, server.http() as client:
        answer = await client.post(
            "/v1/chat/completions",
            json=chat_body(),
            headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
        )
        assert answer.status_code == 200
        assert not {n for n in answer.headers if "trace" in n.lower()}
        app = make_app(server.running.desk, Metrics())
        assert not app._native_telemetry.enabled()
        assert not app._telemetry.get("auto_configure")
    # What would send it is not even looked for.
    assert not [name for name in sys.modules if name.startswith("opentelemetry.sdk")]


async def test_a_token_that_was_revoked_is_not_let_in_once_the_users_were_read() -> (
    None
):
    async with (
        served(named=["anna", "bert"]) as server,
        server.http("anna") as anna,
        server.http("bert") as bert,
    ):
        for client in (anna, bert):
            assert (await client.get("/v1/models")).status_code == 200
        users.revoke(users.default_file(), "anna")
        read_anew(server.running, ServeOptions(choice=PAIR))
        assert (await anna.get("/v1/models")).status_code == 401
        assert (await bert.get("/v1/models")).status_code == 200
        # A file that cannot be read lets in nobody else, and nobody is put out.
        users.default_file().write_text("{")
        read_anew(server.running, ServeOptions(choice=PAIR))
        assert (await anna.get("/v1/models")).status_code == 401
        assert (await bert.get("/v1/models")).status_code == 200


async def test_more_connections_than_there_may_be_are_turned_away() -> None:
    limits = replace(Limits(), connections=3)
    options = ServeOptions(choice=PAIR, limits=limits)
    async with served(options=options) as server:
        held = [
            await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)
        ]
        request = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"
        answer = await raw(
            server,
            request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").encode(),
        )
        assert answer.startswith(b"HTTP/1.1 503 ")
        for _, writer in held:
            writer.close()
