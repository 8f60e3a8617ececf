"""A server with vLLM's body, that answers with a real pair of tiny models.

`/invocations` takes a completion of token ids, by the name of the model, and refuses
what vLLM refuses. It answers greedily with the models of a run folder, so that what
comes over an endpoint can be held against an evaluation on this computer.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch

from finetune.evaluate.torch_pair import TorchPair, load_pair
from finetune.evaluate.written_answers import Writing, write

KNOWN = {
    "model", "prompt", "max_tokens", "temperature", "seed", "top_p", "top_k",
    "repetition_penalty", "stop_token_ids", "stop", "stream", "stream_options",
    "logprobs",
}  # fmt: skip


@dataclass
class Vllm:
    """The server; `url` is what the fake's endpoints pass questions on to."""

    pair: TorchPair
    context: int = 256
    forgets_adapter: bool = False
    """It answers as the base for `tuned` too, and says nothing."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    fails: str = ""
    """It refuses all, with this message."""

    def answer(self, body: dict[str, Any]) -> tuple[int, bytes]:
        self.asked.append(body)
        if self.fails:
            return refused(500, self.fails)
        unknown = set(body) - KNOWN
        if unknown:
            return refused(400, f"extra fields {unknown}")
        if body["model"] not in ("base", "tuned"):
            return refused(404, f"The model `{body['model']}` does not exist.")
        if len(body["prompt"]) + body["max_tokens"] > self.context:
            return refused(400, "This model's maximum context length is exceeded.")
        assert all(isinstance(token, int) for token in body["prompt"])
        side = "base" if self.forgets_adapter else body["model"]
        with self.pair.side(side):
            (written,) = write(
                self.pair.model,
                self.pair.tokenizer,
                [body["prompt"]],
                Writing(body["max_tokens"], body["temperature"], body["seed"]),
            )
            likely = self.likelihoods(body["prompt"], written.text)
        ending = "stop" if written.ended else "length"
        words = written.text.split(" ")
        usage = {"completion_tokens": len(likely), "prompt_tokens": len(body["prompt"])}
        pieces = [word if at == 0 else f" {word}" for at, word in enumerate(words)]
        if not body.get("stream"):
            choice = {"index": 0, "text": written.text, "finish_reason": ending}
            return 200, json.dumps({"choices": [choice], "usage": usage}).encode()
        events: list[dict[str, Any]] = [
            {"choices": [{"index": 0, "text": each, "finish_reason": None}]}
            for each in pieces
        ]
        last: dict[str, Any] = {"index": 0, "text": "", "finish_reason": ending}
        if body.get("logprobs"):
            last["logprobs"] = {"token_logprobs": likely}
        events += [{"choices": [last]}, {"choices": [], "usage": usage}]
        lines = [f"data: {json.dumps(each)}\n\n" for each in events]
        return 200, "".join([*lines, "data: [DONE]\n\n"]).encode()

    @torch.inference_mode()
    def likelihoods(self, prompt: list[int], text: str) -> list[float]:
        ids = self.pair.tokenizer(text, add_special_tokens=False).input_ids
        if not ids:
            return []
        row = torch.tensor([[*prompt, *ids]])
        logits = self.pair.model(input_ids=row).logits[0, len(prompt) - 1 : -1]
        likely = torch.log_softmax(logits.double(), -1)
        return likely[torch.arange(len(ids)), torch.tensor(ids)].tolist()


def refused(status: int, message: str) -> tuple[int, bytes]:
    return status, json.dumps({"error": {"message": message, "code": status}}).encode()


@contextmanager
def vllm_server(run: Path) -> Iterator[Vllm]:
    """A server with the pair of `run`."""
    double = Vllm(load_pair(run))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/invocations":
                status, answer = refused(404, self.path)
            else:
                status, answer = double.answer(json.loads(body))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    double.url = f"http://127.0.0.1:{server.server_port}/invocations"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
