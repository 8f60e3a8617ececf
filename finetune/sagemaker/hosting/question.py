"""A question to one side of an endpoint, and the pieces that its answer comes in.

vLLM and llama.cpp both speak the bodies of OpenAI's completions, whole or as a stream
of events. What comes back is not trusted: it is text of a model, and is held to the few
fields that are read here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from finetune.data.prepared_records import RecordMessage
from finetune.sagemaker.errors import SageMakerError

Side = Literal["base", "tuned"]
SIDES: tuple[Side, Side] = ("base", "tuned")
LARGEST_EVENT = 4 * 2**20
"""Bytes of one event; a piece of an answer is a few hundred."""
_DATA = b"data:"


@dataclass(frozen=True)
class EndpointQuestion:
    """A question, with all that decides its answer."""

    messages: tuple[RecordMessage, ...]
    max_tokens: int = 256
    temperature: float = 0.0
    """0 takes the likeliest token each time."""
    seed: int = 0
    likelihoods: bool = False
    """Whether the log-likelihood of each token of the answer is wanted."""


@dataclass(frozen=True)
class AnswerPiece:
    """A part of an answer, or all of it."""

    text: str = ""
    tokens: int | None = None
    """Tokens of the whole answer; they come with the last piece."""
    ending: str | None = None
    """`stop`: it ended by itself; `length`: it was cut off; None: more follows."""
    likelihoods: tuple[float, ...] = ()
    """Log-likelihoods of the tokens in this piece, in nats."""


class QuestionDoesNotFit(SageMakerError):
    """The question does not suit the model, or has no room in its context."""


class EndpointEngine(Protocol):
    """Engine on an endpoint, and how it is asked."""

    def body(self, side: Side, asked: EndpointQuestion) -> dict[str, Any]:
        """The request that puts `asked` to one side, as a stream.

        Raises:
            QuestionDoesNotFit: the question does not suit the model, or has no room.
        """
        ...


def pieces(parts: Iterable[bytes]) -> Iterator[AnswerPiece]:
    """The pieces of an answer, of a stream of events or of one whole object.

    Args:
        parts: bytes as they come; their bounds mean nothing.

    Raises:
        SageMakerError: it is no answer, tells of an error, or broke off before its end.
    """
    rest, whole, ended = b"", b"", False
    streamed = False
    for part in parts:
        rest += part
        *lines, rest = rest.split(b"\n")
        for line in lines:
            if not line.startswith(_DATA):
                whole += b"" if streamed else line + b"\n"
                continue
            streamed = True
            piece = _of_line(line)
            if piece is not None:
                ended = ended or piece.ending is not None
                yield piece
        if len(rest) + len(whole) > LARGEST_EVENT:
            raise SageMakerError(
                f"the endpoint sent more than {LARGEST_EVENT:,} bytes that are no "
                "answer of its engine"
            )
    last = None
    if rest.startswith(_DATA):
        last = _of_line(rest)
    elif not streamed and (whole + rest).strip():
        last = _of_object(whole + rest)
    if last is not None:
        ended = ended or last.ending is not None
        yield last
    if not ended:
        raise SageMakerError("the answer broke off before its end; ask again")


def _of_line(line: bytes) -> AnswerPiece | None:
    data = line.removeprefix(_DATA).strip()
    return None if data in (b"", b"[DONE]") else _of_object(data)


def _of_object(data: bytes) -> AnswerPiece:
    try:
        event: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SageMakerError(
            f"the endpoint answered with what is no JSON: {data[:80]!r}"
        ) from error
    if not isinstance(event, dict):
        raise SageMakerError(f"the endpoint answered with {data[:80]!r}")
    event = cast("dict[str, Any]", event)
    if "choices" not in event:
        raise SageMakerError(f"the model's server refused: {complaint(event)}")
    try:
        return _of_event(event)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise SageMakerError(
            f"the endpoint's answer is not of the known form ({error!r:.100})"
        ) from error


def complaint(event: Any) -> str:
    """Reason of a server that refuses, in at most 300 characters."""
    said = event.get("error", event) if isinstance(event, dict) else event
    if isinstance(said, dict):
        said = cast("dict[str, Any]", said).get("message", said)
    return " ".join(str(said).split())[:300]


def _of_event(event: dict[str, Any]) -> AnswerPiece:
    usage = event.get("usage") or {}
    tokens = usage.get("completion_tokens")
    if not event["choices"]:
        return AnswerPiece(tokens=None if tokens is None else int(tokens))
    choice: dict[str, Any] = event["choices"][0]
    told = choice.get("delta") or choice.get("message") or {}
    text = choice.get("text") or told.get("content") or ""
    ending = choice.get("finish_reason")
    return AnswerPiece(
        str(text),
        None if tokens is None else int(tokens),
        None if ending is None else str(ending),
        tuple(_likelihoods(choice.get("logprobs") or {})),
    )


def _likelihoods(told: dict[str, Any]) -> Iterator[float]:
    if "token_logprobs" in told:  # of completions
        yield from (float(one) for one in told["token_logprobs"] if one is not None)
    else:  # of chats
        yield from (float(one["logprob"]) for one in told.get("content") or ())
