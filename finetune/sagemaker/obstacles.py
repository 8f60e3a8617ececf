"""Checks what is asked of a training, without a request to AWS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from finetune.data.manifest import read_manifest
from finetune.errors import FinetuneError
from finetune.recipe import TrainRecipe
from finetune.sagemaker import places
from finetune.train.base_model import find_base
from medassist.core.run_folder import RunFolder
from medassist.core.unpacked import is_gguf

DEFAULT_INSTANCE = "ml.g5.2xlarge"
DEFAULT_BUDGET = Decimal(25)
DEFAULT_HOURS = 2.0
SPOT_CHECKPOINT_MINUTES = 30
"""On spot, what was learned since the last checkpoint is paid for twice."""


@dataclass(frozen=True)
class PlanRequest:
    """Request for a plan."""

    recipe: TrainRecipe
    root: Path
    budget: Decimal = DEFAULT_BUDGET
    instance: str = DEFAULT_INSTANCE
    instances: int = 1
    spot: bool = False
    hours: float = DEFAULT_HOURS
    """So many of an endpoint are set aside."""
    tokens_per_epoch: int | None = None
    """Tokens of an epoch, where the data is not prepared yet."""
    base_from: str | None = None
    """s3://... or a folder: the base, where it is not where the recipe says."""
    bucket: str | None = None
    """None: the default one."""


def obstacles(wish: PlanRequest) -> Iterator[str]:
    """Each thing that stands in the way, as a sentence."""
    recipe = wish.recipe
    machine = places.instance(wish.instance)
    if recipe.lora.method == "qlora" and not machine.gpus:
        yield (
            f"lora.method: qlora needs an NVIDIA GPU, and {wish.instance} has none; "
            "take one with a GPU by --instance, or lora.method: lora"
        )
    processes = max(1, machine.gpus) * wish.instances
    if recipe.train.rows % (recipe.train.rows_at_once * processes):
        yield (
            f"train.rows ({recipe.train.rows}) is no multiple of rows_at_once "
            f"({recipe.train.rows_at_once}) times {processes} processes; change one"
        )
    minutes = recipe.train.checkpoint_minutes
    if wish.spot and minutes > SPOT_CHECKPOINT_MINUTES:
        yield (
            f"--spot without checkpoints: with train.checkpoint_minutes: {minutes:g} "
            "an instance that is taken away loses as much. Set it to "
            f"{SPOT_CHECKPOINT_MINUTES} or less, or leave out --spot"
        )
    yield from _base_refused(wish)
    yield from _data_refused(wish.root)


def _base_refused(wish: PlanRequest) -> Iterator[str]:
    base = wish.recipe.base
    if wish.base_from is not None:
        if not wish.base_from.startswith("s3://") and not Path(wish.base_from).is_dir():
            yield (
                f"--base-from {wish.base_from} is neither a folder here nor an address "
                "s3://BUCKET/PREFIX"
            )
        return
    if is_gguf(base) and Path(base).expanduser().is_file():
        return
    try:
        find_base(base, wish.recipe.revision)
    except FinetuneError:
        yield (
            f"the base {base} is not on this computer, from which it is uploaded: the "
            "job has no network and is given no token. Fetch it first (`hf download`, "
            "after accepting its terms where it has some), or name where it lies by "
            "--base-from s3://BUCKET/PREFIX or a folder"
        )


def _data_refused(root: Path) -> Iterator[str]:
    if not RunFolder(root).split("train").is_file():
        yield (
            f"{RunFolder(root).split('train')} is not there; prepare the data with: "
            f"medassist finetune prepare RECIPE --out {root}"
        )
        return
    yield from identified(root)


def identified(root: Path) -> Iterator[str]:
    """Sentence on identifiers of patients in a run's data."""
    try:
        manifest = read_manifest(root)
    except FinetuneError as error:
        yield f"{error}. Without it nobody knows whether patients are named in the data"
        return
    for step in manifest.steps:
        if step.name == "identifiers" and any(step.found.values()):
            kinds = ", ".join(f"{n:,} {kind}" for kind, n in step.found.items() if n)
            yield (
                "what looks like a patient's name or number stands in the data "
                f"({kinds}), and it would leave this computer. Prepare it again with "
                "--identifiers drop"
            )
