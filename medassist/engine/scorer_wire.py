"""The messages between an exam and the child process that runs its GGUF.

As in the engine, a message is a frame of JSON. Logits follow their `Rows` as bare
float32 of this machine, since a chunk of a large vocabulary has 130 MB of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from pydantic import Field, TypeAdapter

from medassist.engine.wire import FRAME_LENGTH, MAX_FRAME_BYTES, Value


class Open(Value):
    """Load a model; the first command.

    Attributes:
        context: tokens that are read at a time, at most; fewer where the model was
            trained to hold fewer.
        exact: keep the cache in F32 and use no flash attention, to find what a
            conversion did; else as llama-perplexity reads by default.
        threads: that compute.
    """

    kind: Literal["open"] = "open"
    model: Path
    adapter: Path | None = None
    context: int
    exact: bool
    threads: int


class Tokenize(Value):
    """The tokens of a text, none of which stands for a control token."""

    kind: Literal["tokenize"] = "tokenize"
    text: str


class Read(Value):
    """The logits after each token from position `first` on.

    Attributes:
        adapted_from: the position from which the adapter counts; `None` for never.
    """

    kind: Literal["read"] = "read"
    tokens: tuple[int, ...]
    first: int = 0
    adapted_from: int | None = None


class Write(Value):
    """The `count` likeliest tokens after `tokens`, one after the other."""

    kind: Literal["write"] = "write"
    tokens: tuple[int, ...]
    count: int
    adapted_from: int | None = None


class Opening(Value):
    """A file is about to be opened; before `Opened`, once for each file."""

    kind: Literal["opening"] = "opening"
    file: Path


class Opened(Value):
    """What was loaded.

    Attributes:
        quantization: F16, Q4_K_M and so on.
        size: tokens of the vocabulary.
        trained_context: tokens that the model was trained to hold.
        context: tokens that can be read at a time.
        bos: the token to begin with; `None` where the model has none or wants none.
        invocation: the tokens that switch an activated LoRA on.
    """

    kind: Literal["opened"] = "opened"
    architecture: str
    quantization: str
    size: int
    trained_context: int
    context: int
    bos: int | None
    invocation: tuple[int, ...] = ()


class Tokens(Value):
    """Token ids: of a text, or likeliest after others."""

    kind: Literal["tokens"] = "tokens"
    tokens: tuple[int, ...]


class Rows(Value):
    """That many rows of logits follow."""

    kind: Literal["rows"] = "rows"
    rows: int
    columns: int


class Refused(Value):
    """It could not be done; the message says why."""

    kind: Literal["refused"] = "refused"
    message: str
    file: Path | None = None
    """The file that is no model, or is damaged, where one is."""


Command = Open | Tokenize | Read | Write
Reply = Opening | Opened | Tokens | Rows | Refused
COMMANDS: TypeAdapter[Command] = TypeAdapter(
    Annotated[Command, Field(discriminator="kind")]
)
REPLIES: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="kind")])


def receive_frame(stream: BinaryIO) -> bytes | None:
    """The body of the next frame; `None` where the stream ends or is no frame."""
    head = stream.read(FRAME_LENGTH.size)
    if len(head) < FRAME_LENGTH.size:
        return None
    (length,) = FRAME_LENGTH.unpack(head)
    if length > MAX_FRAME_BYTES:
        return None
    body = stream.read(length)
    return body if len(body) == length else None


def own_channel() -> tuple[BinaryIO, BinaryIO]:
    """A child's standard input and output, out of the reach of native code.

    Native code writes to descriptor 1 as it likes; from now on that is descriptor 2,
    which is kept as the last words of the process.
    """
    read, write = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return read, write
