"""A child process used from an event loop."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import PIPE, Process
from typing import Self

import psutil

from medassist.engine.child import LAST_WORDS_WITHIN_S, command, environment
from medassist.engine.frames import FRAME_LENGTH, length_of
from medassist.engine.last_words import LastWords

CLOSE_WITHIN_S = 1.0


class AsyncChild:
    """A child process with asynchronous messages; made by `start`.

    Attributes:
        words: what it printed.
        pid: its process id.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self.pid = process.pid
        self.words = LastWords()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, module: str) -> Self:
        """Start a child that runs `module`; see `confined`."""
        process = await asyncio.create_subprocess_exec(
            *command(module), stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment()
        )
        return cls(process)

    async def send(self, data: bytes) -> None:
        """Send a frame; the death of the child shows in `receive`."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        with contextlib.suppress(ConnectionError):
            await self._process.stdin.drain()

    def post(self, data: bytes) -> None:
        """Send a frame without waiting."""
        if self._process.stdin is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(data)

    async def receive(self) -> bytes | None:
        """The next message; `None` where the child has ended.

        Raises:
            FrameTooLarge: what is announced is no message.
        """
        stream = self._process.stdout
        assert stream is not None
        try:
            head = await stream.readexactly(FRAME_LENGTH.size)
            return await stream.readexactly(length_of(head))
        except asyncio.IncompleteReadError:
            return None

    async def wait(self) -> int:
        """Wait until it has ended and its last words are read; its exit code."""
        code = await self._process.wait()
        await asyncio.wait([self._listening], timeout=LAST_WORDS_WITHIN_S)
        return code

    def kill(self) -> None:
        """Kill the child."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def memory(self) -> int | None:
        """Resident bytes of the child; `None` after its end."""
        if self._process.returncode is not None:
            return None
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return None

    async def close(self) -> None:
        """Ask the child to end, and wait for it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), CLOSE_WITHIN_S)
        except TimeoutError:
            self.kill()
            await self._process.wait()
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        while chunk := await stream.read(4096):
            self.words.add(chunk)
