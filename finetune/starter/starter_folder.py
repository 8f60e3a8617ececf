"""Paths in the run folder of a starter pair."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medassist.core.files import give_name
from medassist.core.run_folder import (
    ADAPTER,
    ARTICLES,
    BASE,
    CARD,
    CHECKPOINTS,
    DATA,
    MANIFEST,
    METRICS,
    RECIPE,
)


@dataclass(frozen=True)
class StarterFolder:
    """Paths in one run folder. A file under its final name is whole."""

    root: Path

    @property
    def recipe(self) -> Path:
        return self.root / RECIPE

    @property
    def data(self) -> Path:
        return self.root / DATA

    @property
    def manifest(self) -> Path:
        return self.data / MANIFEST

    @property
    def tokenizer(self) -> Path:
        return self.root / "tokenizer"

    @property
    def base(self) -> Path:
        return self.root / BASE

    def adapter(self, kind: str) -> Path:
        """The PEFT adapter: `activated` or `plain`."""
        return self.root / f"{ADAPTER}-{kind}"

    def checkpoints(self, stage: str) -> Path:
        return self.root / CHECKPOINTS / stage

    @property
    def metrics(self) -> Path:
        return self.root / METRICS

    @property
    def card(self) -> Path:
        return self.root / CARD

    @property
    def articles(self) -> Path:
        """Credits of the articles, one by one."""
        return self.root / ARTICLES

    def done(self, stage: str) -> Path:
        """The file that says how a finished stage went; there is none before."""
        return self.root / CHECKPOINTS / f"{stage}.json"


def save_whole(folder: Path, save: Callable[[Path], object]) -> None:
    """Let `save` fill a folder that appears under its name when it is whole."""
    half = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(half, ignore_errors=True)
    save(half)
    shutil.rmtree(folder, ignore_errors=True)
    give_name(half, folder)
