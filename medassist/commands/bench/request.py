"""The parsed command line of `medassist bench`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medassist.bench.work import Wishes


@dataclass(frozen=True)
class BenchRequest:
    """The parsed command line."""

    wishes: Wishes
    models: tuple[str, ...] = ()
    adapters: tuple[Path, ...] = ()
    ollama: tuple[str, ...] = ()
    ollama_host: str | None = None
    reference: Path | None = None
    target_speed: float | None = None
    against: Path | None = None
    wait_s: float = 30.0
    out: Path | None = None
    resume: bool = False
    form: str = "table"
    html: Path | None = None
    plain: bool = False
    yes: bool = False
