"""Starts child processes, exchanges messages with them, and ends them.

What comes from outside (a model, a template, a matrix) is read in a child, since
native code may block, print, or end the process that it runs in. How it gives up what
it does not need stands in `confined`; how the pair's child is spoken with beside a
running screen, in `async_child`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, TypeAdapter

from medassist.core.spin_time import spin_briefly
from medassist.engine.frames import (
    FrameTooLarge,
    Hello,
    UnknownMessage,
    frame,
    read_frame,
    read_message,
)
from medassist.engine.last_words import LastWords
from medassist.engine.replaced import what_to_do, why_ended

PACKAGE = Path(__file__).resolve().parents[2]
SECRETS = ("TOKEN", "SECRET", "PASSWORD", "KEY")
CLOSE_WITHIN_S = 5
LAST_WORDS_WITHIN_S = 1

Reply = TypeVar("Reply")
HELLO: TypeAdapter[Hello] = TypeAdapter(Hello)


def command(module: str) -> tuple[str, ...]:
    """The command line that starts the child `module`."""
    return (sys.executable, "-P", "-m", "medassist.engine.child_startup", module)


def environment() -> dict[str, str]:
    """The environment of this process, without its secrets."""
    found = {
        name: value
        for name, value in os.environ.items()
        if not any(secret in name.upper() for secret in SECRETS)
    }
    spin_briefly(found)
    # Of a failed check the stack helps nobody here, and gdb is started to print it.
    found.setdefault("GGML_NO_BACKTRACE", "1")
    # The child finds this very package, wherever the app was started.
    path = found.get("PYTHONPATH")
    found["PYTHONPATH"] = os.pathsep.join(filter(None, (str(PACKAGE), path)))
    return found


class ChildEnded(Exception):
    """The child ended before it answered.

    Attributes:
        code: the exit code; negative for a signal.
        words: what it printed.
        to_do: what helps, where `broken` says something.
        broken: why it is not the child's fault alone that it ended, or "": the app
            ended it, or was itself replaced on the disk.
        late: it was ended because its time was over.
    """

    def __init__(self, code: int, words: LastWords, broken: str, late: bool) -> None:
        super().__init__(broken or f"the child ended with code {code}")
        self.to_do = what_to_do(broken)
        self.code = code
        self.words = words
        self.broken = broken
        self.late = late


class Child(Generic[Reply]):
    """A child process with blocking messages; a context manager.

    Args:
        module: what it runs; see `confined`.
        replies: what it may answer.
        time_limit: seconds after which it is ended; by default never.

    Attributes:
        confined: what holds it, once it has said so.
        pid: its process id.
    """

    def __init__(
        self, module: str, replies: TypeAdapter[Reply], time_limit: float | None = None
    ) -> None:
        self.confined: str | None = None
        self._replies = replies
        self._words = LastWords()
        self._late = False
        self._process = subprocess.Popen(
            command(module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        self.pid = self._process.pid
        # Somebody has to read what it prints, or it stops when the pipe is full. A
        # file would need no reader, and no child without Landlock may write to one.
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()
        self._timer = threading.Timer(time_limit or 0, self._end_late)
        if time_limit is not None:
            self._timer.daemon = True
            self._timer.start()

    def send(self, command: BaseModel) -> None:
        """Send a command.

        Raises:
            ChildEnded: nobody is there to take it.
            FrameTooLarge: it is too large.
        """
        data = frame(command)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self.ended() from None

    def receive(self) -> Reply:
        """Wait for the next answer.

        Raises:
            ChildEnded: it ended first, or answered with what is not known here.
        """
        try:
            if self.confined is None:
                hello = read_message(self._receive_frame(), HELLO)
                self.confined = hello.confined
            return read_message(self._receive_frame(), self._replies)
        except (FrameTooLarge, UnknownMessage) as error:
            raise self.ended(str(error)) from None

    def receive_into(self, room: memoryview) -> None:
        """Fill `room` with the raw bytes that follow a message.

        Raises:
            ChildEnded: it ended first.
        """
        assert self._process.stdout is not None
        while room:
            # Without a buffer of its own in between, as far as the pipe gives.
            count = self._process.stdout.readinto(room)  # type: ignore[attr-defined]
            if not count:
                raise self.ended()
            room = room[count:]

    def ended(self, broken: str = "") -> ChildEnded:
        """End of the child; `broken` says why it is to be ended now."""
        if broken:
            self._process.kill()
        code = self._process.wait()
        self._listening.join(LAST_WORDS_WITHIN_S)
        return ChildEnded(code, self._words, why_ended(code, broken), self._late)

    def close(self) -> None:
        """Ask the child to end, and wait for it."""
        self._timer.cancel()
        process = self._process
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        if process.stdout is not None:
            process.stdout.close()
        try:
            process.wait(CLOSE_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._listening.join(LAST_WORDS_WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            # Nobody waits for what it computes.
            self._process.kill()
        self.close()

    def _receive_frame(self) -> bytes:
        assert self._process.stdout is not None
        body = read_frame(self._process.stdout)  # type: ignore[arg-type]
        if body is None:
            raise self.ended()
        return body

    def _listen(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        with stream:
            while piece := os.read(stream.fileno(), 1 << 16):
                self._words.add(piece)

    def _end_late(self) -> None:
        self._late = True
        self._process.kill()
