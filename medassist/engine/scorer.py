"""A GGUF as an exam's model, in a child process: native code may end it, not us."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from medassist.core.errors import EngineDied, EngineError, ModelFileError
from medassist.engine.child_environment import child_environment
from medassist.engine.death import cause_of_death
from medassist.engine.last_words import LastWords
from medassist.engine.pair import physical_cores
from medassist.engine.scorer_wire import (
    REPLIES,
    Command,
    Open,
    Opened,
    Opening,
    Read,
    Refused,
    Reply,
    Rows,
    Tokenize,
    Tokens,
    Write,
    receive_frame,
)
from medassist.engine.wire import frame
from medassist.exams.chunks import CONTEXT, LEAST_CHUNKS, Chunk, chunks_of
from medassist.exams.log_probs import Logits

CLOSE_WITHIN_S = 5
PIECE_BYTES = 1 << 20


class GgufScorer:
    """A GGUF, perhaps with an adapter, that reads texts; close it after use.

    Args:
        model: a GGUF file, the first one of a split model.
        adapter: a GGUF adapter of it.
        context: tokens of the longest text; less where the model was trained on less.
        exact: an F32 cache and no flash attention, to find what a conversion did; a
            damaged file's logits are given as they are.
        threads: that compute; by default one for each core.

    Attributes:
        opened: what the file says of itself.

    Raises:
        EngineError: the file is no model, is damaged, or does not fit.
        EngineDied: the child ended on it.
    """

    def __init__(
        self,
        model: Path,
        adapter: Path | None = None,
        *,
        context: int = CONTEXT,
        exact: bool = False,
        threads: int | None = None,
    ) -> None:
        self.model = model
        self.adapter = adapter
        self._when = "while it was loaded"
        self._opening: Path | None = None
        # A file, not a pipe: nobody has to read it for the child to go on.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            (sys.executable, "-P", "-m", "medassist.engine.scorer_worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=child_environment(),
        )
        try:
            opened = self._ask(
                Open(
                    model=model.absolute(),
                    adapter=adapter and adapter.absolute(),
                    context=context,
                    exact=exact,
                    threads=threads or physical_cores(),
                )
            )
            while isinstance(opened, Opening):
                self._opening = opened.file
                opened = self._receive()
            self._opening = None
            if not isinstance(opened, Opened):
                raise self._out_of_turn(opened)
        except BaseException:
            self.close()
            raise
        self.opened = opened
        self._when = "while it read a text"

    def tokenize(self, text: str) -> list[int]:
        """The tokens of `text` as this model reads it, with its BOS where it has one.

        Raises:
            EngineDied: the child ended.
        """
        tokens = self._tokens(Tokenize(text=text))
        return tokens if self.opened.bos is None else [self.opened.bos, *tokens]

    def chunks(self, text: str) -> list[Chunk]:
        """`text` cut into chunks for this model, as llama-perplexity cuts it.

        Raises:
            EngineError: it is too short to say anything.
            EngineDied: the child ended.
        """
        tokens = self.tokenize(text)
        found = chunks_of(tokens, self.opened.bos, self.opened.context)
        if len(found) < LEAST_CHUNKS:
            least = LEAST_CHUNKS * self.opened.context
            raise EngineError(
                f"the text has {len(tokens):,} tokens for {self.model.name}, and at "
                f"least {least:,} are needed. Give a longer one."
            )
        return found

    def logits(
        self, tokens: Sequence[int], first: int = 0, adapted_from: int | None = None
    ) -> Logits:
        """The logits after each of `tokens` from position `first` on: (T, V).

        Args:
            tokens: what is read, from the start of a text.
            first: the first position whose logits are wanted.
            adapted_from: the position from which the adapter counts; by default it
                counts nowhere.

        Raises:
            EngineError: the text is too long, or a token is none of this model.
            EngineDied: the child ended.
        """
        reply = self._ask(
            Read(tokens=tuple(tokens), first=first, adapted_from=adapted_from)
        )
        if not isinstance(reply, Rows):
            raise self._out_of_turn(reply)
        if reply.rows != len(tokens) - first or reply.columns != self.opened.size:
            raise self._out_of_turn(reply)
        rows = np.empty((reply.rows, reply.columns), np.float32)
        left = rows.data.cast("B") if rows.size else memoryview(b"")
        assert self._process.stdout is not None
        while left:
            # Without a buffer of its own in between, as far as the pipe gives.
            count = self._process.stdout.readinto(left)  # type: ignore[attr-defined]
            if not count:
                raise self._death()
            left = left[count:]
        return rows

    def greedy(
        self, tokens: Sequence[int], count: int, adapted_from: int | None = None
    ) -> list[int]:
        """The `count` likeliest tokens after `tokens`; fewer where the context ends.

        Raises:
            EngineError: as `logits`.
            EngineDied: the child ended.
        """
        return self._tokens(
            Write(tokens=tuple(tokens), count=count, adapted_from=adapted_from)
        )

    def close(self) -> None:
        """End the child."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            process.wait(CLOSE_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._words.close()

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

    def _tokens(self, command: Command) -> list[int]:
        reply = self._ask(command)
        if not isinstance(reply, Tokens):
            raise self._out_of_turn(reply)
        return list(reply.tokens)

    def _ask(self, command: Command) -> Reply:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(frame(command))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._death() from None
        return self._receive()

    def _receive(self) -> Reply:
        assert self._process.stdout is not None
        body = receive_frame(self._process.stdout)  # type: ignore[arg-type]
        if body is None:
            raise self._death()
        reply = REPLIES.validate_json(body)
        if isinstance(reply, Refused):
            if reply.file is not None:
                raise ModelFileError(reply.message, reply.file)
            raise EngineError(reply.message)
        return reply

    def _out_of_turn(self, reply: Reply) -> EngineDied:
        self._process.kill()
        return self._death(f"it answered with {reply.kind}")

    def _death(self, broken: str = "") -> EngineDied:
        code = self._process.wait()
        words = LastWords()
        self._words.seek(0)
        while piece := self._words.read(PIECE_BYTES):
            words.add(piece)
        named = [self.model, *([self.adapter] if self.adapter else [])]
        subject = " with ".join(str(file) for file in named)
        if self._opening is not None:
            subject = str(self._opening)
        return EngineDied(cause_of_death(subject, self._when, code, words, broken))
