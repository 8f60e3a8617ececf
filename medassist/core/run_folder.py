"""File names and paths in a run folder.

A file under its final name is whole. Whatever a part makes has its name here, so that
no two parts can look for the same thing under different names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medassist.core.card import AdapterKind

RECIPE = "recipe.yaml"
DATA = "data"
MANIFEST = "manifest.json"
CHECKPOINTS = "checkpoints"
METRICS = "metrics.jsonl"
TRAINING = "training.json"
BASE = "base"
ADAPTER = "adapter"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
EVALUATION = "evaluation.json"
EVALUATING = "evaluation.unfinished"
COMPARING = "comparison.unfinished"
CARD = "card.json"
README = "README.md"
PAGE = "report.html"
SLIDES = "slides.pptx"
MERGED = "merged"
GGUF = "gguf"
VERIFY = "verify.json"
STEPS = "steps.json"
MODELFILE = "Modelfile"
ARTICLES = "ARTICLES"
SWEEP = "sweep.json"
STARTER_BASE = "base-q8_0.gguf"
STARTER_ADAPTERS: dict[AdapterKind, str] = {
    "activated": "adapter-activated.gguf",
    "plain": "adapter-plain.gguf",
}
"""The GGUFs of a starter pair's run, in the run and in the program."""
STARTER_TUNED = "tuned-f16.gguf"
"""Base and plain adapter of such a run in one, for Ollama."""
OWN_CARD = ".card.json"
"""Ending of one GGUF's card, where its folder holds the cards of several models."""
LARGEST_PAPER = 16 * 1024 * 1024
"""Bytes of a card or of a verify.json; what is larger was not written here."""


@dataclass(frozen=True)
class RunFolder:
    """The paths in the run folder `root`, whether the files exist or not."""

    root: Path

    @property
    def recipe_file(self) -> Path:
        """The recipe as it is used, every default written out."""
        return self.root / RECIPE

    @property
    def data(self) -> Path:
        """The prepared data: a file a split, and their manifest."""
        return self.root / DATA

    @property
    def manifest_file(self) -> Path:
        """Sources, licences and counts of the data."""
        return self.data / MANIFEST

    def split(self, name: str) -> Path:
        """The records of a split: `train`, `validation`, `test`."""
        return self.data / f"{name}.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints, from which an interrupted training resumes."""
        return self.root / CHECKPOINTS

    @property
    def base(self) -> Path:
        """The base model, where it lies in the run itself."""
        return self.root / BASE

    @property
    def adapter(self) -> Path:
        """The adapter in PEFT's format."""
        return self.root / ADAPTER

    @property
    def adapters(self) -> tuple[Path, ...]:
        """The folders of all adapters that are there, by name."""
        found = self.root.glob(f"{ADAPTER}*")
        return tuple(sorted(f for f in found if (f / ADAPTER_CONFIG).is_file()))

    @property
    def evaluation_file(self) -> Path:
        """Comparison of base and tuned model."""
        return self.root / EVALUATION

    @property
    def card_file(self) -> Path:
        """The run's card; see `medassist.core.card`."""
        return self.root / CARD

    @property
    def readme(self) -> Path:
        """The model card for the Hub."""
        return self.root / README

    @property
    def articles(self) -> Path:
        """Credits for the articles, one by one."""
        return self.root / ARTICLES

    @property
    def merged(self) -> Path:
        """The merged model, in Hugging Face's format."""
        return self.root / MERGED

    @property
    def gguf(self) -> Path:
        """The GGUFs, with verify.json."""
        return self.root / GGUF

    @property
    def ledger(self) -> Path:
        """Conversion steps that are done, with the hashes of their files."""
        return self.gguf / STEPS

    @property
    def modelfile(self) -> Path:
        """The Modelfile for Ollama."""
        return self.root / MODELFILE


def card_of(gguf: Path) -> Path | None:
    """The card of `gguf`: its own, its folder's, or that of the run it belongs to."""
    own = gguf.absolute().with_suffix(OWN_CARD)
    beside = own.with_name(CARD)
    found = next((card for card in (own, beside) if _is_paper(card)), None)
    return found or card_of_run(gguf)


def card_of_run(gguf: Path) -> Path | None:
    """The card of the run whose folder `gguf/` holds `gguf`."""
    folder = gguf.absolute().parent
    card = folder.parent / CARD
    return card if folder.name == GGUF and _is_paper(card) else None


def _is_paper(file: Path) -> bool:
    try:
        return file.is_file() and file.stat().st_size <= LARGEST_PAPER
    except OSError:
        return False
