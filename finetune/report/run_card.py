"""Makes card.json of a run from its files."""

from __future__ import annotations

import hashlib

from finetune.data.manifest import SourceFacts
from finetune.data.sources.source_notices import notices
from finetune.report.public_names import base_name
from finetune.report.run_facts import RunFacts
from finetune.report.sections.loss_curves import METHODS
from finetune.report.tuned_licence import data_licences, licence_in_words
from finetune.train.result import TrainingResult
from medassist.core.card import (
    AdapterKind,
    Card,
    CardComparison,
    Lineage,
    SourceUse,
    TunedFrom,
    Tuning,
)
from medassist.text.licences.named_licences import UNKNOWN

CANNOT = (
    "It is not for clinical use: no diagnosis, no treatment, no dose may rest on it.",
    "It makes things up, and can be wrong in every sentence, however fluent it reads.",
    "It knows nothing of a patient who is asked about but what stands in the question, "
    "and nothing that is newer than its data.",
)
TRAIN, HELD_OUT = "train", ("validation", "test")


def card_of(facts: RunFacts, base_licence: str | None = None) -> Card | None:
    """The card of a run, or None where nothing was trained in it.

    What a converter wrote on an earlier card (GGUFs and their verification) is kept as
    long as it is of the same adapter.

    Args:
        facts: of the run.
        base_licence: of the base model; by default what an earlier card says.
    """
    training = facts.training
    if training is None:
        return None
    old = facts.card
    kind: AdapterKind = "activated" if training.method.kind == "alora" else "plain"
    adapters: dict[AdapterKind, str] = {kind: training.adapter_sha256}
    same = old is not None and old.lineage.adapters.get(kind) == adapters[kind]
    licence = base_licence or (
        old.tuned_from.licence if old and old.tuned_from else UNKNOWN
    )
    return Card(
        name=facts.name,
        what=_what(facts, training),
        cannot=CANNOT,
        licence=licence_in_words(licence, data_licences(facts.manifest)),
        architecture=training.base.architecture,
        parameters=training.base.parameters,
        context=training.base.context,
        lineage=Lineage(
            recipe=training.recipe_sha256,
            data=_data(facts, training),
            base=_together(training.base.files),
            adapters=adapters,
            gguf=old.lineage.gguf if old and same else {},
            run=facts.hashes,
        ),
        sources=_sources(facts),
        tuned_from=TunedFrom(
            name=base_name(training.base.name),
            licence=licence,
            architecture=training.base.architecture,
            parameters=training.base.parameters,
            context=training.base.context,
            files=training.base.files,
        ),
        tuning={kind: _tuning(training)},
        comparisons=_comparisons(facts),
        readings=old.readings if old and same else (),
        notices=old.notices if old and same else (),
        verified=old.verified if old and same else {},
    )


def _what(facts: RunFacts, training: TrainingResult) -> str:
    about = facts.recipe.about.strip() if facts.recipe else ""
    made = (
        f"An adapter ({METHODS[training.method.kind]}) on "
        f"{base_name(training.base.name)}, trained on medical text."
    )
    return f"{about} {made}".strip()


def _data(facts: RunFacts, training: TrainingResult) -> dict[str, str]:
    found = {f"data/{name}": sha for name, sha in training.data_sha256.items()}
    if facts.manifest is not None:
        found |= {f"data/{split.file}": split.sha256 for split in facts.manifest.splits}
        found |= {source.name: source.sha256 for source in facts.manifest.sources}
    return found


def _together(files: dict[str, str]) -> str:
    weights = {
        name: sha for name, sha in files.items() if name.endswith(".safetensors")
    } or files
    if len(weights) == 1:
        return next(iter(weights.values()))
    lines = "".join(f"{sha}  {name}\n" for name, sha in sorted(weights.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _sources(facts: RunFacts) -> tuple[SourceUse, ...]:
    if facts.manifest is None:
        return ()
    splits = facts.manifest.splits

    def use(source: SourceFacts) -> SourceUse:
        known = notices().get(source.name)
        counts = {split.name: split.sources.get(source.name, 0) for split in splits}
        used = set(data_licences(facts.manifest))
        carried = ", ".join(sorted(used & set(source.licences))) or source.licence
        title = source.title or source.name
        return SourceUse(
            name=source.name,
            title=title,
            licence=known.licence if known else carried,
            attribution=known.attribution if known else title,
            url=known.url if known else "",
            passages=counts.get(TRAIN, 0),
            held_out=sum(counts.get(name, 0) for name in HELD_OUT),
            bytes=source.bytes,
        )

    return tuple(use(source) for source in facts.manifest.sources if source.kept)


def _tuning(training: TrainingResult) -> Tuning:
    return Tuning(
        method=training.method.kind,
        rank=training.method.rank,
        parameters=training.method.trainable,
        steps=training.steps,
        epochs=training.epochs,
        tokens=training.tokens,
        minutes=training.seconds / 60,
        hardware=training.hardware,
        precision=training.precision,
        training_loss=training.training_loss,
        validation_loss=training.best.validation_loss,
        spent=training.cost.spent if training.cost else None,
    )


def _comparisons(facts: RunFacts) -> tuple[CardComparison, ...]:
    if facts.evaluation is None:
        return ()
    return tuple(
        CardComparison(
            what=found.subject,
            metric=found.metric,
            higher_is_better=found.higher_is_better,
            n=found.n,
            base=found.base,
            tuned=found.tuned,
            difference=found.difference,
            low=found.interval.low,
            high=found.interval.high,
            level=found.interval.level,
            verdict=found.said,
        )
        for found in facts.evaluation.comparisons
    )
