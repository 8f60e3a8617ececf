"""A package index on this computer that can break off, lie, and be slow."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PIECE = 64 * 1024


@dataclass
class PackageServer:
    """Serves one wheel under its package's name."""

    wheel: Path
    breaks_after: int | None = None
    """Bytes after which each answer breaks off; `None`: none does."""
    waits: threading.Event | None = None
    """Half of the wheel is sent before it is set, the rest after it."""
    asked: list[str] = field(default_factory=list)
    """The ranges of the wheel that were asked for; empty: all of it."""
    begun: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def send(self, to: BaseHTTPRequestHandler) -> None:
        content = self.wheel.read_bytes()
        asked = to.headers.get("Range") or ""
        self.asked.append(asked)
        start = int(found[1]) if (found := re.match(r"bytes=(\d+)-", asked)) else 0
        to.send_response(206 if start else 200)
        to.send_header("Content-Length", str(len(content) - start))
        to.send_header("ETag", '"one"')
        to.send_header("Accept-Ranges", "bytes")
        if start:
            whole = len(content)
            to.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        to.end_headers()
        end = len(content)
        if self.breaks_after is not None:
            end = min(end, start + self.breaks_after)
        for at in range(start, end, PIECE):
            if self.waits is not None and at >= end // 2:
                self.begun.set()
                self.waits.wait(60)
            to.wfile.write(content[at : min(at + PIECE, end)])
        self.begun.set()
        to.close_connection = True


@contextmanager
def serving(server: PackageServer) -> Iterator[PackageServer]:
    """Serve until the body ends; `server.url` is then pip's index."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.endswith(".whl"):
                try:
                    server.send(self)
                except (BrokenPipeError, ConnectionResetError):
                    return
                return
            name = server.wheel.name
            page = f'<!DOCTYPE html><a href="/files/{name}">{name}</a>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None: ...

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    # By default it looks every half second whether it is to end.
    threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
    server.url = f"http://127.0.0.1:{listening.server_port}/simple/"
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
