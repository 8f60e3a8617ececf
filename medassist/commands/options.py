"""Options shared by several verbs: which models, and how to load them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ModeName(StrEnum):
    """Way in which two panes share the processor."""

    TOGETHER = "together"
    IN_TURN = "in-turn"


class PaneChoice(StrEnum):
    """One of the two panes."""

    BASE = "base"
    TUNED = "tuned"


class KvName(StrEnum):
    """Type of the KV cache."""

    F16 = "f16"
    Q8_0 = "q8_0"


BaseFile = Annotated[
    Path | None, typer.Option("--base", metavar="FILE", help="Base model, a GGUF.")
]
TunedFile = Annotated[
    Path | None,
    typer.Option("--tuned", metavar="FILE", help="Tuned model, merged, a GGUF."),
]
AdapterFile = Annotated[
    Path | None,
    typer.Option("--adapter", metavar="FILE", help="Adapter on --base, a GGUF."),
]
PairName = Annotated[
    str | None,
    typer.Option("--pair", metavar="NAME", help="A pair of `medassist models list`."),
]
Context = Annotated[
    int | None, typer.Option(min=64, help="Tokens that each pane can hold.")
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads; default: the physical cores.")
]
GpuLayers = Annotated[
    int | None, typer.Option(min=0, help="Layers on the GPU; default: all it can.")
]
Kv = Annotated[
    KvName | None,
    typer.Option(help="KV cache: q8_0 takes half the memory and is slower on a CPU."),
]


def expect_one_way(pair: str | None, *files: Path | None) -> None:
    """Refuse a pair's name together with files.

    Raises:
        typer.BadParameter: both were given.
    """
    if pair and any(files):
        raise typer.BadParameter("give --pair or files, not both")
