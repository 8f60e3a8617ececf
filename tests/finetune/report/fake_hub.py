"""A Hub on this computer that speaks what an upload needs."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.forwarding_proxy import with_tls

TOKEN = "hf_secretOfTheTests"


class FakeHub:
    def __init__(self) -> None:
        self.requests: list[str] = []
        self.repos: dict[str, bool] = {}  # by name: whether it is private
        self.stored: dict[str, bytes] = {}  # large files by sha256
        self.committed: dict[str, Any] = {}  # bytes, or the sha256 of a large file
        self.branches: list[str] = []
        self.fails_on = ""
        self.storage = ""  # another host than the Hub's own
        self.address = ""


@contextmanager
def fake_hub(tls: ssl.SSLContext | None = None) -> Iterator[FakeHub]:
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.requests.append(f"POST {self.path}")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.answer(401, {"error": "Invalid user token."})
            if hub.fails_on and hub.fails_on in self.path:
                return self.answer(500, {"error": "out of order"})
            path = self.path.split("?")[0]
            if path == "/api/repos/create":
                asked = json.loads(body)
                name = f"{asked.get('organization')}/{asked['name']}"
                private = asked.get("private") or asked.get("visibility") == "private"
                hub.repos[name] = bool(private)
                return self.answer(200, {"url": f"{hub.address}/{name}"})
            if path == "/api/validate-yaml":
                return self.answer(200, {"errors": [], "warnings": []})
            if "/branch/" in path:
                hub.branches.append(path.split("/branch/")[1])
                return self.answer(200, {})
            if "/preupload/" in path:
                files = [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs"
                        if file["path"].endswith((".safetensors", ".pptx"))
                        else "regular",
                        "shouldIgnore": False,
                        "oid": None,
                    }
                    for file in json.loads(body)["files"]
                ]
                return self.answer(200, {"files": files})
            if path.endswith("/info/lfs/objects/batch"):
                where = hub.storage or hub.address
                objects = [
                    {
                        "oid": found["oid"],
                        "size": found["size"],
                        "actions": {
                            "upload": {"href": f"{where}/storage/{found['oid']}"}
                        },
                    }
                    for found in json.loads(body)["objects"]
                ]
                return self.answer(200, {"objects": objects, "transfer": "basic"})
            if "/commit/" in path:
                for line in body.splitlines():
                    entry = json.loads(line)
                    value = entry["value"]
                    if entry["key"] == "file":
                        content = base64.b64decode(value["content"])
                        hub.committed[value["path"]] = content
                    elif entry["key"] == "lfsFile":
                        hub.committed[value["path"]] = value["oid"]
                url = f"{hub.address}/our/model/commit/{'c' * 40}"
                return self.answer(
                    200, {"commitUrl": url, "commitOid": "c" * 40, "success": True}
                )
            return self.answer(404, {"error": "unknown"})

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.requests.append(f"PUT {self.path}")
            if hub.fails_on and hub.fails_on in self.path:
                self.close_connection = True
                return self.answer(403, {"error": "refused"})
            hub.stored[self.path.rpartition("/")[2]] = body
            return self.answer(200, {})

        def do_GET(self) -> None:
            hub.requests.append(f"GET {self.path}")
            self.answer(404, {"error": "unknown"})

        def do_HEAD(self) -> None:
            self.do_GET()

        def answer(self, status: int, content: dict[str, Any]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        with_tls(server, tls)
    hub.address = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
