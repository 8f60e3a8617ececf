"""A server that speaks the parts of Ollama's API that are used, and is strict.

It keeps blobs as files, refuses digests that are wrong, fields and parameters that
Ollama does not have, and models of blobs that are not there; it writes a GGUF anew
when it makes a model of it, as the real one does. From version 0.30 on it renders the
chat template in the GGUF where that can do more than TEMPLATE. `faults` makes it fail
in a way.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

CREATE_FIELDS = {
    "model", "stream", "files", "adapters", "template", "license", "system",
    "parameters", "messages",
}  # fmt: skip
CHAT_FIELDS = {
    "model", "messages", "stream", "_debug_render_only", "keep_alive", "options",
    "think",
}  # fmt: skip
NUMBERS = {
    "num_ctx", "num_predict", "temperature", "top_k", "top_p", "min_p",
    "repeat_penalty", "seed", "num_keep",
}  # fmt: skip
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NO_SPACE = "write /models/blobs/sha256-x: no space left on device"
Render = Callable[[str, list[dict[str, str]]], str]


@dataclass
class Model:
    weights: str
    adapter: str | None
    request: dict[str, Any]


@dataclass
class State:
    folder: Path
    render: Render | None
    version: str = "0.30.2"
    faults: set[str] = field(default_factory=set)
    models: dict[str, Model] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    received: int = 0
    pushed: list[str] = field(default_factory=list)
    clock: timedelta = timedelta()
    """How far the server's clock is ahead of the one here."""
    timings: dict[str, int] = field(default_factory=dict)
    """What is told at the end of an answer: `eval_duration` and so on, in ns."""
    chats: list[dict[str, Any]] = field(default_factory=list)
    together: threading.Barrier | None = None
    """Answers wait for one another here, so that they are given at once."""

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(map(int, self.version.split("-")[0].split(".")))

    def blob(self, digest: str) -> Path:
        return self.folder / digest.replace(":", "-")

    def keep(self, data: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blob(digest).write_bytes(data)
        return digest


class Refusal(Exception):
    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class FakeOllama:
    """The server, on a port of this computer; a context manager."""

    def __init__(self, folder: Path, render: Render | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.state = state = State(folder, render)

        class Bound(Handler):
            pass

        Bound.state = state
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def __enter__(self) -> FakeOllama:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    state: State

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.answer({"/api/version": self.version, "/api/tags": self.tags})

    def do_HEAD(self) -> None:
        self.state.asked.append(f"HEAD {self.path}")
        digest = self.path.removeprefix("/api/blobs/")
        if not DIGEST.fullmatch(digest):
            self.send_error(400)
        else:
            there = self.state.blob(digest).exists()
            self.send_response(200 if there else 404)
            self.end_headers()

    def do_POST(self) -> None:
        if self.path.startswith("/api/blobs/"):
            self.answer({self.path: self.take_blob})
            return
        self.answer(
            {
                "/api/create": self.create,
                "/api/show": self.show,
                "/api/chat": self.chat,
                "/api/push": self.push,
            }
        )

    def answer(self, ways: dict[str, Callable[[], None]]) -> None:
        self.state.asked.append(f"{self.command} {self.path}")
        try:
            way = ways.get(self.path)
            if way is None:
                raise Refusal(404, "404 page not found")
            way()
        except Refusal as refusal:
            self.tell({"error": str(refusal)}, refusal.status)

    def tell(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, lines: list[dict[str, Any]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.end_headers()
        for line in lines:
            self.wfile.write(json.dumps(line).encode() + b"\n")
            self.wfile.flush()

    def body(self, fields: set[str]) -> dict[str, Any]:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        found = json.loads(data)
        if unknown := found.keys() - fields:
            raise Refusal(400, f"json: unknown field {sorted(unknown)[0]!r}")
        return found

    def version(self) -> None:
        self.tell({"version": self.state.version})

    def tags(self) -> None:
        rows = [
            {
                "name": n,
                "model": n,
                "digest": hashlib.sha256(n.encode()).hexdigest(),
                "size": 1000,
                "details": {"quantization_level": "Q8_0"},
            }
            for n in self.state.models
        ]
        self.tell({"models": rows})

    def take_blob(self) -> None:
        digest = self.path.removeprefix("/api/blobs/")
        size = int(self.headers["Content-Length"])
        if "breaks off an upload" in self.state.faults:
            self.rfile.read(16)
            self.connection.close()
            return
        data = self.rfile.read(size)
        self.state.received += len(data)
        if "disk full" in self.state.faults:
            raise Refusal(500, NO_SPACE)
        found = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if "digest differs" in self.state.faults:
            found = f"sha256:{'0' * 64}"
        if found != digest:
            raise Refusal(400, f"digest mismatch, expected {digest!r}, got {found!r}")
        self.state.keep(data)
        self.tell({}, 201)

    def create(self) -> None:
        request = self.body(CREATE_FIELDS)
        for name, value in request.get("parameters", {}).items():
            right = (
                isinstance(value, list)
                if name == "stop"
                else name in NUMBERS and isinstance(value, int | float)
            )
            if not right:
                raise Refusal(400, f"invalid option provided: {name}")
        kept: dict[str, list[str]] = {"files": [], "adapters": []}
        for kind in ("files", "adapters"):
            for name, digest in sorted(request.get(kind, {}).items()):
                if name.startswith("/") or ".." in name:
                    raise Refusal(400, "file path must be relative")
                if not DIGEST.fullmatch(digest) or not self.state.blob(digest).exists():
                    raise Refusal(400, f"blob {digest!r} not found")
                kept[kind].append(digest)
        if not kept["files"]:
            raise Refusal(400, "neither 'from' or 'files' was specified")
        if "disk full at create" in self.state.faults:
            self.stream([{"status": "parsing GGUF"}, {"error": NO_SPACE}])
            return
        if "breaks off a create" in self.state.faults:
            self.stream([{"status": "parsing GGUF"}, {"status": "writing manifest"}])
            return
        refuses = "refuses adapters" in self.state.faults
        if kept["adapters"] and (refuses or self.state.numbers >= (0, 34, 1)):
            raise Refusal(400, "adapters are no longer supported")
        if kept["adapters"] and "refuses adapters late" in self.state.faults:
            told = {"error": "ADAPTER is not supported"}
            self.stream([{"status": "parsing GGUF"}, told])
            return
        if len(kept["adapters"]) > 1:
            raise Refusal(400, "only one adapter is currently supported")
        blobs = [self.state.blob(digest) for digest in kept["files"]]
        weights = rewritten(blobs, self.state)
        name = request["model"] + ("" if ":" in request["model"] else ":latest")
        self.state.models[name] = Model(
            weights, next(iter(kept["adapters"]), None), request
        )
        self.stream(
            [
                {"status": "parsing GGUF"},
                {"status": "validating GGUF model", "completed": 5, "total": 10},
                {"status": "writing manifest"},
                {"status": "success"},
            ]
        )

    def model(self, name: str) -> Model:
        if f"{name}:latest" in self.state.models:
            name = f"{name}:latest"
        if name not in self.state.models:
            raise Refusal(404, f"model '{name}' not found")
        return self.state.models[name]

    def show(self) -> None:
        request = self.body({"model", "verbose"})
        model = self.model(request["model"])
        faults = self.state.faults
        path = self.state.blob(model.weights)
        reader = GGUFReader(path)
        info = {
            key: entry.contents()
            for key, entry in reader.fields.items()
            if not key.startswith("GGUF.")
        }
        jinja = info.pop("tokenizer.chat_template", "")
        info.pop("general.name", None)
        shown = dict.fromkeys(("license", "system", "template"), "")
        shown["license"] = "\n".join(model.request.get("license", []))
        shown["system"] = model.request.get("system", "")
        shown["template"] = model.request.get("template", "")
        if self.renders_own(model):
            shown["template"] = jinja
        if "another template" in faults:
            shown["template"] += " "
        if "loses the system" in faults:
            shown["system"] = ""
        lines = [f"FROM {path}"]
        if model.adapter and "loses the adapter" not in faults:
            lines.append(f"ADAPTER {self.state.blob(model.adapter)}")
        parameters = dict(model.request.get("parameters", {}))
        if "loses a stop" in faults:
            parameters["stop"] = parameters["stop"][:-1]
        if "another temperature" in faults:
            parameters["temperature"] = 0.0625
        self.tell(
            {
                **shown,
                "modelfile": "# Modelfile\n" + "\n".join(lines) + "\n",
                "parameters": "\n".join(go_values(parameters)),
                "messages": model.request.get("messages", []),
                "model_info": info,
                "tensors": [
                    {
                        "name": t.name,
                        "type": t.tensor_type.name,
                        "shape": [int(n) for n in t.shape],
                    }
                    for t in reader.tensors
                ],
            }
        )

    def chat(self) -> None:
        request = self.body(CHAT_FIELDS)
        model = self.model(request["model"])
        if "cannot load" in self.state.faults:
            raise Refusal(500, "llama runner process has terminated")
        if not request.get("_debug_render_only"):
            self.answer_chat(request)
            return
        own = self.renders_own(model)
        if self.state.render is None and not own:
            self.tell({"message": {"role": "assistant", "content": "x"}})
            return
        turns = [*model.request.get("messages", []), *request["messages"]]
        system = model.request.get("system")
        if system and request["messages"][0]["role"] != "system":
            turns.insert(0, {"role": "system", "content": system})
        if own:
            text = self.by_own_template(model, turns, request.get("think"))
        else:
            if request.get("think"):
                raise Refusal(400, f'"{request["model"]}" does not support thinking')
            assert self.state.render is not None
            text = self.state.render(model.request["template"], turns)
        if "another prompt" in self.state.faults:
            text = text.rstrip() + " "
        self.tell({"_debug_info": {"rendered_template": text}})

    def own_template(self, model: Model) -> str:
        entry = GGUFReader(self.state.blob(model.weights)).get_field(
            "tokenizer.chat_template"
        )
        return "" if entry is None else entry.contents()

    def renders_own(self, model: Model) -> bool:
        """As server/images.go chooses, for a TEMPLATE that knows no tools."""
        if self.state.numbers < (0, 30):
            return False
        own = self.own_template(model)
        return "tools" in own or "tool_call" in own or thinks(own)

    def by_own_template(
        self, model: Model, turns: list[dict[str, str]], think: bool | None
    ) -> str:
        """As llama-server renders it: it always says whether to think."""
        own = self.own_template(model)
        if think and not thinks(own):
            raise Refusal(400, "the model does not support thinking")
        thinking = thinks(own) if think is None else think
        if "turns thinking round" in self.state.faults and think is not None:
            thinking = not thinking
        fields = GGUFReader(self.state.blob(model.weights)).fields
        words = fields["tokenizer.ggml.tokens"]
        bos, eos = (
            words.contents(fields[key].contents()) if key in fields else ""
            for key in ("tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id")
        )
        today = datetime.now().astimezone() + self.state.clock
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.globals["strftime_now"] = today.strftime
        environment.globals["raise_exception"] = refuse
        try:
            prompt = environment.from_string(own).render(
                messages=turns,
                add_generation_prompt=True,
                bos_token=bos,
                eos_token=eos,
                enable_thinking=thinking,
                date_string=today.strftime("%d %b %Y"),
            )
        except TemplateError as error:
            raise Refusal(500, str(error)) from error
        return prompt.removeprefix(bos)

    def answer_chat(self, request: dict[str, Any]) -> None:
        state = self.state
        state.chats.append(request)
        if not request["messages"]:
            self.tell({"done": True, "done_reason": "unload"})
            return
        if unknown := request.get("options", {}).keys() - NUMBERS - {"num_thread"}:
            raise Refusal(400, f"invalid option provided: {sorted(unknown)[0]}")
        if state.together is not None and len(request["messages"][0]["content"]) > 500:
            state.together.wait(20)
        words = [{"message": {"role": "assistant", "content": w}} for w in ("a", " b")]
        if "breaks off an answer" in state.faults:
            self.stream(words)
            return
        if "fails within an answer" in state.faults:
            self.stream([*words, {"error": "an error was encountered\x1b[2J"}])
            return
        end = {"message": {"role": "assistant", "content": ""}, "done": True}
        self.stream([*words, {**end, "done_reason": "length", **state.timings}])

    def push(self) -> None:
        request = self.body({"model", "stream", "insecure"})
        self.model(request["model"])
        faults = self.state.faults
        lines: list[dict[str, Any]] = [{"status": "retrieving manifest"}]
        if "not signed in" in faults:
            key = "ssh-ed25519 AAAA"
            lines.append({"error": f'unauthorized: unknown ollama key "{key}"'})
        elif "push denied" in faults:
            lines.append({"error": "unauthorized: access denied"})
        elif "push breaks off" in faults:
            part = {"status": "pushing aa", "digest": "sha256:aa"}
            lines.append({**part, "completed": 1, "total": 4})
        else:
            part = {"status": "pushing aa", "digest": "sha256:aa"}
            lines.append({**part, "completed": 4, "total": 4})
            lines += [{"status": "pushing manifest"}, {"status": "success"}]
            self.state.pushed.append(request["model"])
        self.stream(lines)


def thinks(template: str) -> bool:
    return "<think>" in template and "</think>" in template


def refuse(why: str) -> None:
    raise TemplateError(why)


def go_values(parameters: dict[str, Any]) -> list[str]:
    """As Go's `%-30s %#v` writes them."""
    rows: list[str] = []
    for name, value in parameters.items():
        values = value if isinstance(value, list) else [value]
        rows += [f"{name:<30} {json.dumps(one)}" for one in values]
    return rows


def rewritten(files: list[Path], state: State) -> str:
    """The digest of the one GGUF that is kept in the place of `files`."""
    parts = [GGUFReader(file) for file in files]
    reader = parts[0]
    count = reader.get_field("split.count")
    if count is not None and len(parts) != count.contents():
        raise Refusal(400, "split GGUF is missing a shard")
    half = state.folder / "half"
    left_out = ("GGUF.", "split.")
    fields = {k: v for k, v in reader.fields.items() if not k.startswith(left_out)}
    writer = GGUFWriter(half, str(fields.pop("general.architecture").contents()))
    # Another order and one entry more: other bytes, the same model.
    writer.add_uint32("general.rewritten", 1)
    for key, entry in reversed(fields.items()):
        kind = entry.types[0]
        inner = entry.types[-1] if kind == GGUFValueType.ARRAY else None
        value = entry.contents()
        if key == "tokenizer.ggml.eos_token_id" and "another end" in state.faults:
            value += 1
        writer.add_key_value(key, value, kind, inner)
    for number, tensor in enumerate(t for part in parts for t in part.tensors):
        data = np.array(tensor.data)
        if "other bytes" in state.faults and number == 1:
            data.reshape(-1).view(np.uint8)[7] ^= 1
        if "loses a tensor" in state.faults and number == 1:
            continue
        writer.add_tensor(tensor.name, data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return state.keep(half.read_bytes())
