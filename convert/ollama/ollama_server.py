"""HTTP client of a running Ollama server, with its errors as sentences.

The client that Ollama gives cannot do half of what is needed (whether a blob is there,
how far an upload is, the tensors of a model, a prompt that is rendered only), and it
has an HTTP library and a way out of its own.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from convert.errors import ConvertError
from convert.ollama.model_settings import OllamaSettings
from convert.ollama.server_version import version_numbers
from medassist.core.errors import NetworkError
from medassist.core.ollama_connection import OllamaConnection
from medassist.core.ollama_host import VARIABLE
from medassist.core.progress import Watcher
from medassist.core.values import Role

OLDEST = (0, 5, 5)
"""First version whose /api/create takes files by digest; released in January 2025."""
PIECE = 1 << 20
CREATE = "create"


class ServerRefusedError(ConvertError):
    """The server would not; `said` is what it says of that."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


class AdapterRefusedError(ServerRefusedError):
    """The server makes no models with an adapter."""


class ThinkingRefusedError(ServerRefusedError):
    """The server takes no `think` for the model."""


class OllamaServer(OllamaConnection):
    """Protocol of an Ollama that models are published to."""

    def version(self) -> str:
        """The server's version.

        Raises:
            ConvertError: nothing answers, or not an Ollama, or one that is too old.
        """
        found = self._json("GET", "/api/version").get("version")
        if not isinstance(found, str):
            raise ConvertError(
                f"what answers at {self.host.url} is no Ollama; see --host"
            )
        numbers = version_numbers(found)
        if any(numbers) and numbers < OLDEST:
            needed = ".".join(map(str, OLDEST))
            raise ConvertError(
                f"the Ollama at {self.host.url} is {found}; {needed} or later is "
                "needed. Update it: https://ollama.com/download"
            )
        return found

    def models(self) -> dict[str, str]:
        """The models that are there, and the digests of their manifests."""
        listed = self._json("GET", "/api/tags").get("models") or []
        return {str(m.get("model")): str(m.get("digest") or "") for m in listed}

    def has_blob(self, digest: str) -> bool:
        """Whether a file with the sha256 `digest` is there already."""
        with self._told("look for a blob"):
            answer = self._http.head(f"/api/blobs/sha256:{digest}")
        if answer.status_code not in (200, 404):
            raise self._refused("look for a blob", answer.text, answer.status_code)
        return answer.status_code == 200

    def upload(self, file: Path, digest: str, watcher: Watcher) -> None:
        """Send `file`.

        Raises:
            ConvertError: the server did not take it.
        """
        size = file.stat().st_size

        def pieces() -> Iterator[bytes]:
            sent = 0
            with file.open("rb") as opened:
                while piece := opened.read(PIECE):
                    yield piece
                    sent += len(piece)
                    watcher(f"sending {file.name}", sent, size)

        with self._told(f"take {file}"):
            answer = self._http.post(
                f"/api/blobs/sha256:{digest}",
                content=pieces(),
                headers={"Content-Length": str(size)},
            )
        if answer.status_code not in (200, 201):
            raise self._refused(f"take {file}", answer.text, answer.status_code)

    def create(
        self,
        name: str,
        files: dict[str, str],
        adapters: dict[str, str],
        settings: OllamaSettings,
        watcher: Watcher,
    ) -> None:
        """Make a model of blobs that are there; `files` and `adapters` by digest.

        Raises:
            AdapterRefusedError: the server takes no adapter.
            ConvertError: the server did not, or broke off.
        """
        body = {
            "model": name,
            "files": files,
            "adapters": adapters or None,
            "template": settings.template,
            "license": list(settings.licences) or None,
            "system": settings.system,
            "parameters": settings.all_parameters(),
            "messages": [{"role": r, "content": t} for r, t in settings.messages]
            or None,
        }
        said = {key: value for key, value in body.items() if value is not None}
        self._follow(f"{CREATE} {name}", "/api/create", said, watcher)

    def show(self, name: str) -> dict[str, Any]:
        """All that the server says of a model."""
        return self._json("POST", "/api/show", {"model": name, "verbose": True})

    def rendered(
        self,
        name: str,
        turns: Sequence[tuple[Role, str]],
        *,
        think: bool | None = None,
    ) -> str | None:
        """The prompt that the server makes of `turns`; `None` if it cannot show it.

        Args:
            name: the model.
            turns: the conversation.
            think: whether the model is to think; `None` leaves that to the server.

        Raises:
            ThinkingRefusedError: the model does not think there.
            ConvertError: it makes none.
        """
        thinking = {} if think is None else {"think": think}
        answer = self._json(
            "POST",
            "/api/chat",
            {
                "model": name,
                "messages": [{"role": r, "content": t} for r, t in turns],
                "stream": False,
                "_debug_render_only": True,
                "keep_alive": 0,
                **thinking,
                # A server that does not know the field above answers in earnest.
                "options": {"num_predict": 1},
            },
        )
        told = answer.get("_debug_info")
        text = told.get("rendered_template") if isinstance(told, dict) else None
        return text if isinstance(text, str) else None

    def push(self, name: str, watcher: Watcher, *, insecure: bool = False) -> None:
        """Have the server send `name` to the registry that its name says.

        Raises:
            ConvertError: it was refused or broke off.
        """
        body = {"model": name, "insecure": insecure}
        self._follow(f"push {name}", "/api/push", body, watcher)

    def _follow(
        self, doing: str, path: str, body: dict[str, object], watcher: Watcher
    ) -> None:
        """Ask for long work, and tell how far it is until it is done."""
        last = ""
        with (
            self._told(doing),
            self._http.stream("POST", path, json={**body, "stream": True}) as answer,
        ):
            if answer.status_code != 200:
                answer.read()
                raise self._refused(doing, answer.text, answer.status_code)
            for line in answer.iter_lines():
                told = json.loads(line)
                if not isinstance(told, dict):
                    raise ValueError(line[:80])
                if "error" in told:
                    raise self._refused(doing, line, answer.status_code)
                last = str(told.get("status") or last)
                watcher(last, told.get("completed") or 0, told.get("total") or 0)
        if last != "success":
            raise self._broken_off(doing, last)

    def _json(
        self, method: str, path: str, body: dict[str, object] | None = None
    ) -> dict[str, Any]:
        doing = f"answer {path}"
        with self._told(doing):
            answer = self._http.request(method, path, json=body)
        if answer.status_code != 200:
            raise self._refused(doing, answer.text, answer.status_code)
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ConvertError(
                f"what answers at {self.host.url} is no Ollama; see --host"
            )
        return found

    @contextmanager
    def _told(self, doing: str) -> Generator[None]:
        """Turn what goes wrong with the server into sentences."""
        try:
            yield
        except NetworkError as error:
            raise ConvertError(
                f"{error}; see that --host or {VARIABLE} names the computer that "
                "Ollama runs on"
            ) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise ConvertError(
                f"no Ollama answers at {self.host.url}. Start it with `ollama serve` "
                "(https://ollama.com/download), or name another with --host"
            ) from error
        except (httpx2.HTTPError, ValueError) as error:
            raise self._broken_off(doing, str(error)) from error

    def _broken_off(self, doing: str, last: str) -> ConvertError:
        again = (
            "Give the command again with --force: what arrived whole is not sent again"
        )
        return ConvertError(
            f"the Ollama at {self.host.url} broke off when it was to {doing} (last "
            f"heard: {last or 'nothing'}). {again}"
        )

    def _refused(self, doing: str, said: str, status: int) -> ConvertError:
        """The next step for what a server says."""
        try:
            said = str(json.loads(said)["error"])
        except (ValueError, KeyError, TypeError):
            said = said.strip() or f"status {status}"
        lower = said.lower()
        if "no space left" in lower or "disk full" in lower or "enough space" in lower:
            step = (
                "Its disk is full: make room there (`ollama rm` takes models away), "
                "then give the command again"
            )
        elif "unknown ollama key" in lower or "signin" in lower:
            step = (
                "It is not signed in: `ollama signin`, or add its key "
                "(~/.ollama/id_ed25519.pub) at https://ollama.com/settings/keys"
            )
        elif any(word in lower for word in ("unauthorized", "denied", "forbidden")):
            step = (
                "You may push only under your own name: publish as USER/NAME with the "
                "USER that you are signed in as (`ollama signin`)"
            )
        elif "insecure protocol" in lower:
            step = "A registry without TLS is used with --insecure"
        elif "digest mismatch" in lower:
            step = "The file changed while it was sent; give the command again"
        elif "not found" in lower and "blob" in lower:
            step = "It lost a file that it had; give the command again"
        else:
            step = "Its log says more (`journalctl -u ollama`, or ~/.ollama/logs)"
            refused = f"the Ollama at {self.host.url} would not {doing}: {said}. {step}"
            if "adapter" in lower and doing.startswith(CREATE):
                return AdapterRefusedError(refused, said)
            if "does not support thinking" in lower:
                return ThinkingRefusedError(refused, said)
        return ConvertError(
            f"the Ollama at {self.host.url} would not {doing}: {said}. {step}"
        )
