"""A forwarding proxy on this computer, and servers that are reached by it alone.

The names that clients ask for (`hub.example`) exist nowhere: the proxy knows which
server of the tests stands for each, as a hospital's proxy looks names up for those who
cannot. It hands on connections (CONNECT) and plain requests, as real ones do.
"""

from __future__ import annotations

import base64
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import trustme


@dataclass
class ForwardingProxy:
    """What it was asked, and what it lets through."""

    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By "HOST:PORT", as a client names it: the server that stands for it."""
    login: str = ""
    """NAME:PASSWORD that it wants; empty: none."""
    asked: list[str] = field(default_factory=list)
    """The first lines of the requests, without their version."""
    port: int = 0

    @property
    def url(self) -> str:
        login = f"{self.login}@" if self.login else ""
        return f"http://{login}127.0.0.1:{self.port}"

    def stands_for(self, name: str, url: str) -> None:
        """Have the server at `url` reached as `name`, a HOST or HOST:PORT."""
        found = urlsplit(url)
        assert found.hostname and found.port
        name = name if ":" in name else f"{name}:443"
        self.places[name] = (found.hostname, found.port)


@contextmanager
def forwarding(proxy: ForwardingProxy) -> Iterator[ForwardingProxy]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_CONNECT(self) -> None:
            place = self._place(self.path)
            if place is None:
                return
            with socket.create_connection(place, 10) as server:
                self.send_response(200, "Connection established")
                self.end_headers()
                _hand_on(self.connection, server)
            self.close_connection = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            place = self._place(f"{parts.hostname}:{parts.port or 80}")
            if place is None:
                return
            with socket.create_connection(place, 10) as server:
                path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
                head = f"{self.command} {path} HTTP/1.1\r\nConnection: close\r\n"
                head += "".join(
                    f"{name}: {value}\r\n"
                    for name, value in self.headers.items()
                    if not name.lower().startswith(("proxy-", "connection"))
                )
                server.sendall(f"{head}\r\n".encode())
                while piece := server.recv(1 << 16):
                    self.wfile.write(piece)
            self.close_connection = True

        def _place(self, name: str) -> tuple[str, int] | None:
            proxy.asked.append(f"{self.command} {self.path}")
            told = base64.b64encode(proxy.login.encode()).decode()
            if proxy.login and self.headers.get("Proxy-Authorization") != (
                f"Basic {told}"
            ):
                self.send_error(407)
            elif name not in proxy.places:
                self.send_error(403)
            else:
                return proxy.places[name]
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _hand_on(client: socket.socket, server: socket.socket) -> None:
    other = {client: server, server: client}
    while True:
        for ready in select.select(list(other), [], [])[0]:
            try:
                piece = ready.recv(1 << 16)
                other[ready].sendall(piece)
            except OSError:
                return
            if not piece:
                return


def with_tls(server: HTTPServer, context: ssl.SSLContext) -> None:
    """Have a server of the tests answer by TLS; before it serves."""
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )


@dataclass
class Hospital:
    """A network whose proxy is the only way out, with an authority of its own."""

    proxy: ForwardingProxy
    tls: ssl.SSLContext
    """What its servers show: certificates of its own authority."""
    ca_file: Path
    other_ca_file: Path
    """Of another authority, which signed nothing here."""


@contextmanager
def hospital(folder: Path, login: str = "") -> Iterator[Hospital]:
    """The network, its two files of certificates in `folder`."""
    own, other = trustme.CA(), trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.issue_cert("hub.example", "files.example", "data.example").configure_cert(tls)
    files = folder / "hospital.pem", folder / "other.pem"
    for authority, file in zip((own, other), files, strict=True):
        authority.cert_pem.write_to_path(file)
    with forwarding(ForwardingProxy(login=login)) as proxy:
        yield Hospital(proxy, tls, *files)
