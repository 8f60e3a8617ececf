"""The timing process: runs the app's own loop on random tokens.

It reads and writes as the app's child does, with the same weights, cache, chunks and
calls, but the tokens are drawn and none is chosen: a number of tokens is exactly that
number, and template, sampler and vocabulary cost nothing. That is what llama-bench
measures, too. Started by `timing` alone.
"""

from __future__ import annotations

import random
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from medassist.core.errors import EngineError, file_of
from medassist.core.gguf import shards
from medassist.engine.frames import Opening, Refused
from medassist.engine.timing_wire import (
    COMMANDS,
    OpenedTimed,
    OpenTimed,
    TimedRun,
    Took,
)

if TYPE_CHECKING:
    from medassist.engine.child_startup import Confined
    from medassist.engine.context import Chunk, Context

SEED = 20


class _TimingWorker:
    def __init__(self, process: Confined, stack: ExitStack) -> None:
        self._process = process
        self._channel = process.channel
        self._stack = stack
        self._context: Context | None = None
        self._adapted = False
        self._size = 0

    def run(self) -> None:
        while (command := self._channel.receive(COMMANDS)) is not None:
            try:
                match command:
                    case OpenTimed() if self._context is None:
                        self._channel.send(self._open(command))
                    case TimedRun() if self._context is not None:
                        self._channel.send(self._time(self._context, command))
                    case _:
                        raise EngineError("A model is loaded once, and first.")
            except EngineError as error:
                self._channel.send(Refused(message=str(error), file=file_of(error)))
                if self._context is None:
                    return

    def _open(self, command: OpenTimed) -> OpenedTimed:
        # Native libraries first: once files are out of reach they cannot be loaded.
        import ctypes

        import llama_cpp
        import llama_cpp.llama_cpp as llama

        from medassist.engine.context import Context
        from medassist.engine.devices import commit_of_llama, used_features
        from medassist.engine.weights import Adapter, Weights, start_llama

        start_llama()
        commit, features = commit_of_llama(), used_features()
        named = [command.model, *([command.adapter] if command.adapter else [])]
        files = {file.resolve() for file in named}
        self._process.keep_files({part for file in files for part in shards(file)})
        self._channel.send(Opening(file=command.model))
        enter = self._stack.enter_context
        begun = time.perf_counter_ns()
        weights = enter(Weights(command.model, command.gpu_layers, _go_on))
        adapter = None
        if command.adapter is not None:
            self._channel.send(Opening(file=command.adapter))
            adapter = enter(Adapter(weights, command.adapter))
        mapped = time.perf_counter_ns()
        self._channel.send(Opening(file=command.model))
        context = enter(
            Context(
                weights,
                tokens=command.context,
                threads=command.threads,
                kv=command.kv,
                flash_attention=command.flash_attention,
                adapter=adapter,
            )
        )
        ready = time.perf_counter_ns()
        self._context, self._adapted = context, adapter is not None
        self._size = weights.vocabulary.size
        self._time(context, TimedRun(written=1, threads=command.threads))
        first = time.perf_counter_ns()
        room = ctypes.create_string_buffer(256)
        llama.llama_model_desc(weights.model, room, len(room))
        return OpenedTimed(
            description=room.value.decode(errors="replace"),
            tensor_bytes=llama.llama_model_size(weights.model),
            parameters=llama.llama_model_n_params(weights.model),
            weights_ns=mapped - begun,
            ready_ns=ready - begun,
            first_ns=first - begun,
            context=context.size,
            on_gpu=weights.on_gpu,
            commit=commit,
            version=str(llama_cpp.__version__),
            features=features,
        )

    def _time(self, context: Context, run: TimedRun) -> Took:
        import llama_cpp.llama_cpp as llama

        from medassist.engine.context import Chunk, chunks_of

        total = run.depth + run.prompt + run.written
        if not 0 < total <= context.size:
            raise EngineError(f"{total:,} tokens, where {context.size:,} have room.")
        llama.llama_set_n_threads(context.context, run.threads, run.threads)
        tokens = random.Random(SEED).choices(range(self._size), k=total)
        before = chunks_of(tokens[: run.depth], self._adapted)
        prompt = tokens[run.depth : run.depth + run.prompt]
        timed = chunks_of(prompt, self._adapted)
        timed += [
            Chunk((token,), self._adapted) for token in tokens[run.depth + run.prompt :]
        ]
        # What an earlier run has left beyond the depth is forgotten; a plan's last
        # chunk is never kept, so one more is handed over.
        kept = context.reuse([*before, timed[0]])
        for chunk in before[kept:]:
            self._read(context, chunk)
        llama.llama_synchronize(context.context)
        switches, cpu = _switches(), time.process_time_ns()
        begun = time.perf_counter_ns()
        for chunk in timed:
            self._read(context, chunk)
        llama.llama_synchronize(context.context)
        ended = time.perf_counter_ns()
        after = _switches()
        return Took(
            ns=ended - begun,
            cpu_ns=time.process_time_ns() - cpu,
            switches=None if after is None or switches is None else after - switches,
        )

    def _read(self, context: Context, chunk: Chunk) -> None:
        if not context.read(chunk):
            raise EngineError("The run was broken off.")


def _switches() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def _go_on(_fraction: float) -> bool:
    return True


def serve(process: Confined) -> None:
    """Load the model that the app names, and time runs until the app goes."""
    with ExitStack() as stack:
        _TimingWorker(process, stack).run()
