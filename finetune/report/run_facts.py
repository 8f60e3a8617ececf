"""Reads the files of a run folder that a report needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from finetune.data.manifest import Manifest, read_manifest
from finetune.errors import FinetuneError
from finetune.evaluate.result import Evaluation, read_evaluation
from finetune.recipe import TrainRecipe, read_recipe
from finetune.report.verdicts import ExportedVerdicts, read_verdicts
from finetune.train.metrics import TrainingStep, read_metrics
from finetune.train.result import TrainingResult, read_training
from medassist.core.card import Card, read_card
from medassist.core.files import sha256_of_file
from medassist.core.run_folder import CARD, DATA, EVALUATION, METRICS, RECIPE, TRAINING
from medassist.core.run_folder import MANIFEST as _MANIFEST

MANIFEST = f"{DATA}/{_MANIFEST}"
HASHED = (RECIPE, MANIFEST, METRICS, TRAINING, EVALUATION)
LEFT_OUT = {
    RECIPE: "the recipe",
    MANIFEST: "the data, its licences and counts",
    METRICS: "the loss curves",
    TRAINING: "the training's figures and cost",
    EVALUATION: "base against tuned, answers, what became worse",
}
T = TypeVar("T")


@dataclass(frozen=True)
class RunFacts:
    """Everything known of a run; missing files are None or empty.

    Attributes:
        name: of the recipe, else of the folder.
        hashes: the sha256 of the files that were read, by their path in the folder.
        missing: the files that are not there.
    """

    name: str
    recipe: TrainRecipe | None
    manifest: Manifest | None
    steps: tuple[TrainingStep, ...]
    training: TrainingResult | None
    evaluation: Evaluation | None
    card: Card | None
    verdicts: ExportedVerdicts | None
    hashes: dict[str, str]
    missing: tuple[str, ...]


def read_facts(run: Path, verdicts: Path | None = None) -> RunFacts:
    """Read the facts of the run folder `run`.

    Args:
        run: a run folder; any of its files may be missing, but not all.
        verdicts: an export of clinicians' verdicts.

    Raises:
        FinetuneError: it is no run folder, or a file of it is broken.
        CardError: card.json is broken.
    """
    if not run.is_dir():
        raise FinetuneError(
            f"{run} is not a folder; a run folder is expected, as `medassist finetune "
            "train` leaves one"
        )
    hashes = {
        name: sha256_of_file(run / name) for name in HASHED if (run / name).is_file()
    }
    if not hashes:
        raise FinetuneError(
            f"{run} is no run folder: it has none of {', '.join(HASHED)}. Make one "
            "with `medassist finetune prepare` and `medassist finetune train`"
        )

    def part(name: str, read: Callable[[Path], T]) -> T | None:
        return read(run) if name in hashes else None

    recipe = part(RECIPE, _read_recipe)
    card = read_card(run / CARD) if (run / CARD).is_file() else None
    name = recipe.name if recipe else run.resolve().name
    return RunFacts(
        name=name,
        recipe=recipe,
        manifest=part(MANIFEST, read_manifest),
        steps=tuple(part(METRICS, read_metrics) or ()),
        training=part(TRAINING, read_training),
        evaluation=part(EVALUATION, read_evaluation),
        card=card,
        verdicts=None if verdicts is None else read_verdicts(verdicts, name),
        hashes=hashes,
        missing=tuple(name for name in HASHED if name not in hashes),
    )


def _read_recipe(run: Path) -> TrainRecipe:
    return read_recipe(run / RECIPE)
