"""A server on this computer that speaks as the services do, and fails on demand."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from tests.forwarding_proxy import with_tls


@dataclass
class FakeService:
    """Files by path, answers by path, and what shall go wrong."""

    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, Callable[[dict[str, str]], bytes]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    broken_off: Counter[str] = field(default_factory=Counter)
    """How many times a path ends in the middle of its body."""
    busy: Counter[str] = field(default_factory=Counter)
    """How many times a path answers 503."""
    ranges: bool = True
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path with query, headers."""
    url: str = ""
    commit: str = ""
    """Of a repository of the Hub, which names it beside each file."""

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]


@contextmanager
def serving(
    service: FakeService, tls: ssl.SSLContext | None = None
) -> Generator[FakeService]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            self._answer(body=True, posted=self.rfile.read(length))

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self, *, body: bool, posted: bytes = b"") -> None:
            service.asked.append((self.command, self.path, dict(self.headers)))
            split = urlsplit(self.path)
            path = unquote(split.path)
            if service.busy[path]:
                service.busy[path] -= 1
                self._send(503, b"later", {"Retry-After": "0"}, body)
            elif path in service.redirects:
                self._send(302, b"", {"Location": service.redirects[path]}, body)
            elif path in service.answers:
                query = {k: v[0] for k, v in parse_qs(split.query).items()}
                if posted:
                    query |= json.loads(posted)
                content = service.answers[path](query)
                self._send(200, content, {"Content-Type": "application/json"}, body)
            elif path in service.files:
                self._file(path, body)
            else:
                self._send(404, b"no", {}, body)

        def _file(self, path: str, body: bool) -> None:
            content = service.files[path]
            tag = f'"{hashlib.md5(content).hexdigest()}"'
            headers = {"ETag": tag}
            if service.commit:
                headers["X-Repo-Commit"] = service.commit
            status, start = 200, 0
            asked = self.headers.get("Range", "")
            fresh = self.headers.get("If-Range", tag) == tag
            if service.ranges and asked.startswith("bytes=") and fresh:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                status = 206
                end = len(content) - 1
                headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
            rest = content[start:]
            if body and service.broken_off[path]:
                service.broken_off[path] -= 1
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                self.wfile.write(rest[: len(rest) // 2])
                self.wfile.flush()
                self.close_connection = True
                return
            self._send(status, rest, headers, body)

        def _send(
            self, status: int, content: bytes, headers: dict[str, str], body: bool
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        with_tls(server, tls)
    service.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
