"""Client of a running Ollama, for measurements.

Nothing is made, pulled or pushed there. Its answers come from outside: they are read
within bounds, and what is no answer is refused.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import httpx2
from pydantic import Field, ValidationError

from medassist.bench.errors import BenchError
from medassist.bench.results import FileFacts
from medassist.core.clean import clean_line
from medassist.core.errors import NetworkError
from medassist.core.ollama_connection import OllamaConnection
from medassist.core.ollama_host import VARIABLE
from medassist.frozen_model import ForeignModel

NAME = "ollama:"
"""Prefix of these models' names in the library."""
MOST_LINE = 1 << 20
MOST_SAID = 200
SHA256 = re.compile(r"[0-9a-f]{64}")
NS = 1e9


_Form = TypeVar("_Form", bound=ForeignModel)


class _Details(ForeignModel):
    quantization_level: str = Field(default="", max_length=50)


class _Tag(ForeignModel):
    name: str = Field(max_length=1000)
    size: int = Field(default=0, ge=0)
    digest: str = Field(default="", max_length=200)
    details: _Details = _Details()


class _Tags(ForeignModel):
    models: list[_Tag] = Field(default=[], max_length=10_000)


class _Version(ForeignModel):
    version: str = Field(max_length=100)


class _Message(ForeignModel):
    content: str = ""
    thinking: str = ""


class _Piece(ForeignModel):
    """A line of an answer; the last one has the timings, in ns."""

    error: str = ""
    message: _Message = _Message()
    done: bool = False
    load_duration: int = Field(default=0, ge=0)
    prompt_eval_count: int = Field(default=0, ge=0)
    prompt_eval_duration: int = Field(default=0, ge=0)
    eval_count: int = Field(default=0, ge=0)
    eval_duration: int = Field(default=0, ge=0)


@dataclass(frozen=True)
class Timings:
    """Times of one answer, as the server tells them.

    Attributes:
        ttft_s: from the question to the first word that arrived here.
        load_s: of the model, by the server.
        read_s: for the prompt, by the server.
        write_s: for the answer, by the server.
        read: tokens of the prompt, with the server's template.
        written: tokens of the answer.
    """

    ttft_s: float
    load_s: float
    read_s: float
    write_s: float
    read: int
    written: int

    @property
    def tok_per_s(self) -> float | None:
        """Tokens per second of the answer."""
        return self.written / self.write_s if self.write_s else None


class Ollama(OllamaConnection):
    """Protocol of an Ollama whose models are measured."""

    def version(self) -> str:
        """The server's version.

        Raises:
            BenchError: nothing answers, or no Ollama.
        """
        return self._get("/api/version", _Version).version

    def model(self, name: str) -> FileFacts:
        """Facts about the model `name`.

        Raises:
            BenchError: it is not there.
        """
        tags = self._get("/api/tags", _Tags).models
        tag = next((t for t in tags if t.name in (name, f"{name}:latest")), None)
        if tag is None or not SHA256.fullmatch(digest := _hex(tag)):
            names = ", ".join(clean_line(t.name) for t in tags[:5]) or "none"
            raise BenchError(
                f"The Ollama at {self.host.url} has no model {name!r}. It has: {names}."
            )
        return FileFacts(
            name=f"{NAME}{name}",
            sha256=digest,
            bytes=tag.size,
            quantization=tag.details.quantization_level,
        )

    def ask(
        self, name: str, text: str, tokens: int, context: int, threads: int
    ) -> Timings:
        """Ask a question and read the streamed answer.

        Args:
            name: of the model.
            text: the question; the server's template goes around it.
            tokens: that the answer has at most.
            context: tokens of the cache.
            threads: that compute.

        Raises:
            BenchError: it was not answered.
        """
        body = {
            "model": name,
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            "options": {
                "num_predict": tokens,
                "num_ctx": context,
                "num_thread": threads,
                "temperature": 0,
                "seed": 1,
            },
        }
        begun = time.perf_counter()
        first: float | None = None
        with (
            self._told(),
            self._http.stream("POST", "/api/chat", json=body) as answer,
        ):
            if answer.status_code != 200:
                answer.read()
                raise self._refused(answer.text)
            for line in answer.iter_lines():
                piece = self._read(line, _Piece)
                if piece.error:
                    raise self._refused(line)
                if first is None and (piece.message.content or piece.message.thinking):
                    first = time.perf_counter() - begun
                if piece.done:
                    whole = time.perf_counter() - begun
                    return Timings(
                        whole if first is None else first,
                        piece.load_duration / NS,
                        piece.prompt_eval_duration / NS,
                        piece.eval_duration / NS,
                        piece.prompt_eval_count,
                        piece.eval_count,
                    )
        raise BenchError(f"The Ollama at {self.host.url} broke off its answer.")

    def unload(self, name: str) -> None:
        """Have the server take the model out of its memory.

        Raises:
            BenchError: it did not.
        """
        nothing: list[object] = []
        body = {"model": name, "messages": nothing, "keep_alive": 0, "stream": False}
        with self._told():
            answer = self._http.post("/api/chat", json=body)
        if answer.status_code != 200:
            raise self._refused(answer.text)

    def _get(self, path: str, form: type[_Form]) -> _Form:
        with self._told():
            answer = self._http.get(path)
        if answer.status_code != 200:
            raise self._no_ollama()
        return self._read(answer.text, form)

    def _read(self, text: str, form: type[_Form]) -> _Form:
        try:
            if len(text) > MOST_LINE:
                raise ValueError
            return form.model_validate_json(text)
        except (ValidationError, ValueError):
            raise self._no_ollama() from None

    def _no_ollama(self) -> BenchError:
        return BenchError(
            f"What answers at {self.host.url} is no Ollama; see --ollama-host."
        )

    def _refused(self, said: str) -> BenchError:
        with suppress(ValidationError):
            said = _Piece.model_validate_json(said).error or said
        said = clean_line(said)[:MOST_SAID].rstrip(".")
        return BenchError(f"The Ollama at {self.host.url} refused: {said}.")

    @contextmanager
    def _told(self) -> Generator[None]:
        """Turn what goes wrong on the way into sentences."""
        try:
            yield
        except NetworkError as error:
            raise BenchError(f"{error}; see --ollama-host or {VARIABLE}.") from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise BenchError(
                f"No Ollama answers at {self.host.url}. Start it with `ollama serve`, "
                "or name another with --ollama-host."
            ) from error
        except httpx2.HTTPError as error:
            raise BenchError(
                f"The Ollama at {self.host.url} broke off "
                f"({clean_line(str(error)) or type(error).__name__})."
            ) from error


def _hex(tag: _Tag) -> str:
    return tag.digest.removeprefix("sha256:")
