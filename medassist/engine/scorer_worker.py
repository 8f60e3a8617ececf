"""The child process of an exam: it loads a GGUF and reads texts with it.

It gives up network and file system before it opens the file, as the engine's does.
Run as `python -m medassist.engine.scorer_worker`, by `gguf_scorer.GgufScorer` alone.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import BaseModel

from medassist.core.errors import EngineError, file_of
from medassist.engine import confine
from medassist.engine.forbidden_calls import forbid_calls
from medassist.engine.scorer_wire import (
    COMMANDS,
    Open,
    Opened,
    Opening,
    Read,
    Refused,
    Rows,
    Tokenize,
    Tokens,
    Write,
    own_channel,
    receive_frame,
)
from medassist.engine.wire import frame

if TYPE_CHECKING:
    from medassist.engine.scorer_reading import Reading
    from medassist.engine.weights import Weights

CPU_ONLY = 0


class _Worker:
    def __init__(self, read: BinaryIO, write: BinaryIO) -> None:
        self._in = read
        self._out = write

    def run(self) -> None:
        body = receive_frame(self._in)
        command = COMMANDS.validate_json(body) if body else None
        if not isinstance(command, Open):
            return
        with ExitStack() as stack:
            try:
                weights, reading = self._open(command, stack)
            except EngineError as error:
                self._send(Refused(message=str(error), file=file_of(error)))
                return
            while (body := receive_frame(self._in)) is not None:
                try:
                    self._answer(body, weights, reading)
                except EngineError as error:
                    self._send(Refused(message=str(error), file=file_of(error)))

    def _open(self, command: Open, stack: ExitStack) -> tuple[Weights, Reading]:
        # Native libraries first: once files are out of reach they cannot be loaded.
        from medassist.engine.scorer_reading import Reading
        from medassist.engine.weights import Adapter, Weights, start_llama

        start_llama()
        confine.restrict_files(self._files(command))
        self._send(Opening(file=command.model))
        weights = stack.enter_context(Weights(command.model, CPU_ONLY, _go_on))
        adapter = None
        if command.adapter is not None:
            self._send(Opening(file=command.adapter))
            adapter = stack.enter_context(Adapter(weights, command.adapter))
        self._send(Opening(file=command.model))
        trained = weights.trained_context
        context = min(command.context, trained)
        reading = stack.enter_context(
            Reading(
                weights,
                adapter,
                context=context,
                exact=command.exact,
                threads=command.threads,
            )
        )
        vocabulary = weights.vocabulary
        begins = vocabulary.adds_bos and vocabulary.bos >= 0
        self._send(
            Opened(
                architecture=weights.header.architecture,
                quantization=weights.header.quantization,
                size=vocabulary.size,
                trained_context=trained,
                context=context,
                bos=vocabulary.bos if begins else None,
                invocation=adapter.invocation if adapter else (),
            )
        )
        return weights, reading

    @staticmethod
    def _files(command: Open) -> list[Path]:
        named = [command.model, *([command.adapter] if command.adapter else [])]
        # The other files of a split model are beside the first one.
        shards = command.model.parent.glob("*-of-*.gguf")
        return [file.resolve() for file in (*named, *shards)]

    def _answer(self, body: bytes, weights: Weights, reading: Reading) -> None:
        match COMMANDS.validate_json(body):
            case Tokenize(text=text):
                tokens = weights.vocabulary.tokenize(text, special=False)
                self._send(Tokens(tokens=tuple(tokens)))
            case Read(tokens=tokens, first=first, adapted_from=adapted_from):
                logits = reading.logits(tokens, first, adapted_from)
                rows, columns = logits.shape
                self._send(Rows(rows=rows, columns=columns))
                self._out.write(logits.data)
                self._out.flush()
            case Write(tokens=tokens, count=count, adapted_from=adapted_from):
                written = reading.greedy(tokens, count, adapted_from)
                self._send(Tokens(tokens=tuple(written)))
            case Open():
                self._send(Refused(message="A model is loaded already."))

    def _send(self, reply: BaseModel) -> None:
        self._out.write(frame(reply))
        self._out.flush()


def _go_on(_fraction: float) -> bool:
    return True


def main() -> None:
    """Run the child: confine it as far as possible, then serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    confine.forbid_core_dumps()
    confine.keep_one_thread()
    # Before any library starts a thread of its own: the kernel asks for that.
    confine.leave_network()
    confine.drop_privileges()
    forbid_calls()
    try:
        _Worker(*own_channel()).run()
    except BrokenPipeError:
        # Whoever would read the answer has gone.
        os._exit(0)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
