"""Length-prefixed frames between the app and its child processes, checked by Pydantic.

A frame is the length of a message in bytes (4 bytes, big-endian), then the message as
UTF-8 JSON. The first one comes from the app and says what to do; the first answer of
every child is a `Hello`.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from medassist.core.clean import clean_line
from medassist.frozen_model import FrozenModel

FRAME_LENGTH = struct.Struct(">I")
MAX_FRAME_BYTES = 64 * 1024 * 1024

MOST_SAID = 200
"""Characters of what is wrong with a message."""

Message = TypeVar("Message")


class Hello(FrozenModel):
    """The child runs and is confined; nothing from outside has been opened yet."""

    kind: Literal["hello"] = "hello"
    confined: str
    """Confinement in the words of `confine.describe`."""


class Opening(FrozenModel):
    """A file is about to be opened; sent once for each, before it is loaded."""

    kind: Literal["opening"] = "opening"
    file: Path


class Refused(FrozenModel):
    """The command failed; the message says why."""

    kind: Literal["refused"] = "refused"
    message: str
    file: Path | None = None
    """The file that is no model, or is damaged, where one is."""


class FrameTooLarge(ValueError):
    """A message is larger than the protocol allows."""


class UnknownMessage(ValueError):
    """A message is none that this side knows."""


def read_message(body: bytes, messages: TypeAdapter[Message]) -> Message:
    """The message that a frame holds.

    Raises:
        UnknownMessage: it is none of `messages`; said without what stands in it.
    """
    try:
        return messages.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "all of it"
        said = clean_line(f"{where}: {first['msg']}")[:MOST_SAID]
        raise UnknownMessage(
            f"it sent a message that is not known here ({said})"
        ) from None


def frame(message: BaseModel) -> bytes:
    """Encode `message` as a frame.

    Raises:
        FrameTooLarge: the message is larger than `MAX_FRAME_BYTES`.
        ValueError: a text in it is no Unicode.
    """
    body = message.model_dump_json().encode()
    if len(body) > MAX_FRAME_BYTES:
        raise FrameTooLarge(
            f"a message of {len(body):,} bytes is over the {MAX_FRAME_BYTES:,} that "
            "the engine takes; shorten the text"
        )
    return FRAME_LENGTH.pack(len(body)) + body


def length_of(head: bytes) -> int:
    """The length of the message that the header `head` announces.

    Raises:
        FrameTooLarge: it is more than either side sends.
    """
    (length,) = FRAME_LENGTH.unpack(head)
    if length > MAX_FRAME_BYTES:
        raise FrameTooLarge(f"it announced a message of {length:,} bytes")
    return length


def read_frame(stream: BinaryIO) -> bytes | None:
    """Read the next message; `None` at the end of the stream.

    Raises:
        FrameTooLarge: what is announced is no message.
    """
    head = stream.read(FRAME_LENGTH.size)
    if len(head) < FRAME_LENGTH.size:
        return None
    length = length_of(head)
    body = stream.read(length)
    return body if len(body) == length else None


class ChildPipe:
    """The child's end of the pipe, out of reach of native code.

    Native code writes to descriptors 1 and 2 as it likes: 1 is bent to 2, which the
    app keeps as the last words of the process, and frames go over copies that this
    object alone knows.
    """

    def __init__(self) -> None:
        self._read: BinaryIO = os.fdopen(os.dup(0), "rb")
        self._write: BinaryIO = os.fdopen(os.dup(1), "wb")
        if sys.platform == "win32":
            import msvcrt

            for stream in (self._read, self._write):
                msvcrt.setmode(stream.fileno(), os.O_BINARY)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    def receive(self, commands: TypeAdapter[Message]) -> Message | None:
        """Wait for the next command; `None` once the app has gone.

        Raises:
            UnknownMessage: it is no such command.
        """
        try:
            body = read_frame(self._read)
        except FrameTooLarge:
            return None
        return None if body is None else read_message(body, commands)

    def send(self, message: BaseModel, following: memoryview | bytes = b"") -> None:
        """Send a message to the app, and raw bytes after it.

        Ends this process where nobody reads any more.

        Raises:
            FrameTooLarge: the message does not fit.
        """
        data = frame(message)
        try:
            self._write.write(data)
            self._write.write(following)
            self._write.flush()
        except BrokenPipeError:
            leave()

    def leave_with_the_app(self) -> None:
        """Wait until the app has gone, then end this process; for a thread."""
        while self._read.read(FRAME_LENGTH.size):
            pass
        leave()


def leave() -> None:
    """End this process at once, without reporting errors."""
    os._exit(0)
