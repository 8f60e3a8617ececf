"""The card of a starter pair: figures, sources and hashes of a finished run."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from finetune.data.sources.source_notices import notices
from finetune.starter.pretrain_checkpoint import PretrainState
from finetune.starter.starter_folder import StarterFolder
from finetune.starter.starter_recipe import Recipe
from finetune.starter.text_loss import TextLoss
from medassist.core.card import (
    AdapterKind,
    Card,
    Lineage,
    SourceUse,
    StageFigures,
    write_card,
)
from medassist.core.files import sha256_of_file
from medassist.core.run_folder import ADAPTER_WEIGHTS
from medassist.core.validated import from_json

LAST_STEPS = 20  # that the training loss is the mean of
WHAT = (
    "A demonstration: a very small language model, made from open biomedical text, "
    "and two adapters on it that answer questions. It shows how a base and a tuned "
    "model differ."
)
CANNOT = (
    "It is not for clinical use: no diagnosis, no treatment, no dose may rest on it.",
    "It makes things up: names, genes, figures and treatments can be wrong in every "
    "sentence, however fluent it reads.",
    "It knows nothing of the user's patient, of guidelines, or of anything after its "
    "sources were written.",
    "It reads and writes English only, and does no arithmetic.",
)
LICENCE = "CC BY 4.0"


class SourceCount(BaseModel):
    """Counts of one source in a manifest."""

    passages: int
    held_out: int
    bytes: int


class TextManifest(BaseModel):
    """The part of data/manifest.json that the card needs."""

    model_config = ConfigDict(extra="ignore")

    files: dict[str, str]
    sources: dict[str, SourceCount]


def base_figures(
    progress: PretrainState,
    hardware: str,
    parameters: int,
    metrics: Path,
    held_out: TextLoss,
) -> StageFigures:
    """The figures of a trained base; the training loss comes from `metrics`."""
    last: deque[float] = deque(maxlen=LAST_STEPS)
    with metrics.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["stage"] == "base":
                last.append(row["loss"])
    return StageFigures(
        steps=progress.step,
        tokens=progress.tokens,
        minutes=round(progress.seconds / 60, 1),
        hardware=hardware,
        parameters=parameters,
        training_loss=round(sum(last) / len(last), 4),
        validation_loss=round(held_out.per_token, 4),
        bits_per_byte=round(held_out.bits_per_byte, 4),
    )


def write_pair_card(folder: StarterFolder, recipe: Recipe) -> Card:
    """Write the card of the finished run in `folder`."""
    manifest = TextManifest.model_validate_json(folder.manifest.read_bytes())
    base = from_json(StageFigures, folder.done("base").read_bytes())
    kinds: tuple[AdapterKind, ...] = ("activated", "plain")
    card = Card(
        name=recipe.name,
        what=WHAT,
        cannot=CANNOT,
        licence=LICENCE,
        architecture="llama",
        parameters=base.parameters,
        context=recipe.model.context,
        lineage=Lineage(
            recipe=sha256_of_file(folder.recipe),
            data=manifest.files,
            base=sha256_of_file(folder.base / "model.safetensors"),
            adapters={
                kind: sha256_of_file(folder.adapter(kind) / ADAPTER_WEIGHTS)
                for kind in kinds
            },
        ),
        sources=tuple(
            SourceUse(
                name=name,
                **notices()[name].model_dump(exclude={"articles"}),
                passages=count.passages,
                held_out=count.held_out,
                bytes=count.bytes,
            )
            for name, count in manifest.sources.items()
        ),
        base=base,
        adapters={
            kind: from_json(StageFigures, folder.done(kind).read_bytes())
            for kind in kinds
        },
        base_answer_loss=json.loads(folder.done("base-answers").read_text("utf-8")),
    )
    write_card(card, folder.card)
    return card
