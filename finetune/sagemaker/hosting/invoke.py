"""Asking an endpoint: as a stream where these credentials may, else in one piece."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import AccessRefused, SageMakerError, code_of, told
from finetune.sagemaker.hosting.question import (
    AnswerPiece,
    EndpointEngine,
    EndpointQuestion,
    QuestionDoesNotFit,
    Side,
    complaint,
    pieces,
)
from medassist.core.clean import clean_line

_JSON = "application/json"
LARGEST = 6 * 2**20
"""Bytes of a request or an answer that SageMaker passes on."""


@dataclass(frozen=True)
class EndpointAnswer:
    """An answer as a whole."""

    text: str
    ended: bool
    """By itself, not at the limit."""
    tokens: int | None
    likelihoods: tuple[float, ...] = ()


@dataclass
class Endpoint:
    """An endpoint that can be asked."""

    aws: Aws
    name: str
    engine: EndpointEngine
    _streams: bool = field(default=True, repr=False)

    def stream(self, side: Side, asked: EndpointQuestion) -> Iterator[AnswerPiece]:
        """The pieces of an answer as they are written.

        Raises:
            SageMakerError: the endpoint is not there, refuses, or broke off.
        """
        body = json.dumps(self.engine.body(side, asked)).encode()
        if len(body) > LARGEST:
            raise SageMakerError(
                f"the question is {len(body):,} bytes long; an endpoint takes "
                f"{LARGEST:,}"
            )
        with _asking(self.name):
            yield from pieces(self._parts(body))

    def answer(
        self,
        side: Side,
        asked: EndpointQuestion,
        take: Callable[[str], object] | None = None,
    ) -> EndpointAnswer:
        """An answer as a whole.

        Args:
            side: who is asked.
            asked: what.
            take: is told each piece of text as it comes.

        Raises:
            SageMakerError: as `stream`.
        """
        text, ending, tokens = "", "", None
        likelihoods: list[float] = []
        for piece in self.stream(side, asked):
            text += piece.text
            ending = piece.ending or ending
            tokens = piece.tokens if piece.tokens is not None else tokens
            likelihoods += piece.likelihoods
            if take is not None and piece.text:
                take(piece.text)
        return EndpointAnswer(
            text.strip(), ending != "length", tokens, tuple(likelihoods)
        )

    def _parts(self, body: bytes) -> Iterator[bytes]:
        runtime = self.aws.client("sagemaker-runtime")
        request = {"EndpointName": self.name, "ContentType": _JSON, "Body": body}
        if self._streams:
            try:
                with _asking(self.name):
                    stream = runtime.invoke_endpoint_with_response_stream(**request)
            except AccessRefused:
                # A right of its own, which older policies do not give.
                self._streams = False
            else:
                yield from _events(stream["Body"])
                return
        # An answer has 60 s then, and comes whole, whatever the body asks for.
        yield runtime.invoke_endpoint(**request)["Body"].read(LARGEST + 1)


def _events(stream: Any) -> Iterator[bytes]:
    for event in stream:
        if "PayloadPart" in event:
            yield event["PayloadPart"]["Bytes"]


@contextmanager
def _asking(name: str) -> Generator[None]:
    from botocore.exceptions import ClientError
    from urllib3.exceptions import HTTPError

    try:
        with told(f"ask the endpoint {name}"):
            try:
                yield
            except ClientError as error:
                if code_of(error) in ("ModelError", "ModelStreamError"):
                    raise _of_model(name, error) from error
                raise
    except HTTPError as error:
        raise SageMakerError(
            f"the connection to the endpoint {name} broke off ({error}); ask again"
        ) from error


def _of_model(name: str, error: Any) -> SageMakerError:
    status = error.response.get("OriginalStatusCode")
    said = str(
        error.response.get("OriginalMessage")
        or error.response.get("Error", {}).get("Message", "")
    )
    try:
        said = complaint(json.loads(said))
    except ValueError:
        said = complaint(said)
    if status == 400:
        return QuestionDoesNotFit(f"the model refuses the question: {clean_line(said)}")
    return SageMakerError(
        f"the model on the endpoint {name} gave no answer: {clean_line(said)}. Its log "
        f"is in CloudWatch under /aws/sagemaker/Endpoints/{name}"
    )
