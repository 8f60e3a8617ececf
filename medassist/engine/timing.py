"""Client of the timing process: a model whose raw speed is measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medassist.core.gguf import read_header
from medassist.core.values import KvType
from medassist.engine.gguf_client import GgufClient
from medassist.engine.timing_wire import (
    REPLIES,
    OpenedTimed,
    OpenTimed,
    Reply,
    TimedRun,
    Took,
)

WORKER = "medassist.engine.timing_worker"


@dataclass(frozen=True)
class TimedSettings:
    """Settings for loading the model to be timed; by default as the app does.

    Attributes:
        context: tokens that the cache holds.
        threads: that compute.
        kv: type of the cache; "q8_0" needs flash attention.
        flash_attention: whether it is used.
        gpu_layers: on the GPU; `None` for all, where the build has one.
    """

    context: int
    threads: int
    kv: KvType = "f16"
    flash_attention: bool = False
    gpu_layers: int | None = None


class TimedModel(GgufClient[Reply]):
    """A GGUF, perhaps with an adapter, in a timing process, fed random tokens.

    Close it after use.

    Args:
        model: a GGUF file, the first one of a split model.
        adapter: a GGUF adapter of it, which computes with every token.
        settings: how it is loaded.

    Attributes:
        opened: what was loaded, and how long that took.

    Raises:
        EngineError: a file is no model, is damaged, or does not fit.
        EngineDied: the child ended on it.
    """

    def __init__(
        self, model: Path, adapter: Path | None, settings: TimedSettings
    ) -> None:
        read_header(model)  # what is wrong with the file it says best
        super().__init__(WORKER, REPLIES, model, adapter, when="while it was measured")
        self.threads = settings.threads
        opened = self._open(
            OpenTimed(
                model=model.absolute(),
                adapter=adapter and adapter.absolute(),
                context=settings.context,
                threads=settings.threads,
                kv=settings.kv,
                flash_attention=settings.flash_attention,
                gpu_layers=settings.gpu_layers,
            )
        )
        if not isinstance(opened, OpenedTimed):
            raise self._out_of_turn(opened)
        self.opened = opened

    def run(
        self,
        *,
        prompt: int = 0,
        written: int = 0,
        depth: int = 0,
        threads: int | None = None,
    ) -> Took:
        """Read `prompt` tokens and write `written`, with `depth` before them.

        Raises:
            EngineError: they do not fit into the context.
            EngineDied: the child ended.
        """
        wanted = TimedRun(
            prompt=prompt,
            written=written,
            depth=depth,
            threads=threads or self.threads,
        )
        reply = self._ask(wanted)
        if not isinstance(reply, Took):
            raise self._out_of_turn(reply)
        return reply
