"""Lineage: hashes and versions, and whether they fit together."""

from __future__ import annotations

from finetune.report.run_facts import EVALUATION, MANIFEST, RECIPE, TRAINING, RunFacts
from medassist.core.run_folder import ADAPTER_WEIGHTS
from medassist.report.elements import Column, Part, Section, Table, Text


def lineage(facts: RunFacts) -> Section:
    """The section."""
    parts: list[Part] = [
        Text(
            "Each file by its sha256, so that anybody who has it can see that it is "
            "the "
            "one.",
            on_slides=False,
        )
    ]
    parts += [
        Text(problem, tone="warning", on_slides=True) for problem in mismatches(facts)
    ]
    parts.append(
        Table(
            "sha256",
            (Column("What"), Column("sha256", wide=True)),
            tuple(_rows(facts)),
            codes=True,
        )
    )
    versions = _versions(facts)
    if versions is not None:
        parts.append(versions)
    return Section(
        "lineage",
        "Lineage",
        tuple(parts),
        notes="Compare these with sha256sum before you rely on a copy of a file.",
    )


def mismatches(facts: RunFacts) -> list[str]:
    """Files of the run made from other files than are there now."""
    found: list[str] = []
    training, evaluation = facts.training, facts.evaluation
    splits = (
        {split.file: split.sha256 for split in facts.manifest.splits}
        if facts.manifest
        else {}
    )
    if training is not None:
        if RECIPE in facts.hashes and training.recipe_sha256 != facts.hashes[RECIPE]:
            found.append(
                f"{RECIPE} has changed since the training: {TRAINING} names another "
                "sha256. Train again, or put the old recipe back."
            )
        for name, sha256 in training.data_sha256.items():
            if splits.get(name, sha256) != sha256:
                found.append(
                    f"The training read another {name} than {MANIFEST} describes. "
                    "Train again on the prepared data."
                )
    if evaluation is not None:
        split = next(
            (
                split
                for split in (facts.manifest.splits if facts.manifest else ())
                if split.name == evaluation.data.split
            ),
            None,
        )
        if split is not None and split.sha256 != evaluation.data.sha256:
            found.append(
                f"{EVALUATION} was made on another {split.file} than {MANIFEST} "
                "describes. Evaluate again."
            )
        evaluated = evaluation.models.tuned.sha256.get(ADAPTER_WEIGHTS)
        if training and evaluated and evaluated != training.adapter_sha256:
            found.append(
                f"{EVALUATION} is of another adapter than the one that {TRAINING} "
                "describes. Evaluate again."
            )
    return found


def _rows(facts: RunFacts) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if facts.manifest is not None:
        rows += [
            (f"Data set {source.name}, as read", source.sha256)
            for source in facts.manifest.sources
        ]
        rows += [
            (f"data/{split.file}", split.sha256) for split in facts.manifest.splits
        ]
    rows += list(facts.hashes.items())
    training, evaluation = facts.training, facts.evaluation
    if training is not None:
        rows += [(f"Base: {name}", sha) for name, sha in training.base.files.items()]
        rows.append((f"adapter/{ADAPTER_WEIGHTS}", training.adapter_sha256))
    elif evaluation is not None:
        models = evaluation.models
        rows += [(f"Base: {name}", sha) for name, sha in models.base.sha256.items()]
        rows += [(f"Adapter: {name}", sha) for name, sha in models.tuned.sha256.items()]
    if evaluation is not None:
        rows += [
            (f"Exam {exam.task}: {name}", sha)
            for exam in evaluation.exams
            for name, sha in exam.files.items()
        ]
    if facts.card is not None:
        rows += [(f"gguf/{name}", sha) for name, sha in facts.card.lineage.gguf.items()]
    return rows


def _versions(facts: RunFacts) -> Table | None:
    steps = (
        ("Prepared", facts.manifest.versions if facts.manifest else {}),
        ("Trained", facts.training.versions if facts.training else {}),
        ("Evaluated", facts.evaluation.versions if facts.evaluation else {}),
    )
    rows = [
        (name, ", ".join(f"{what} {version}" for what, version in versions.items()))
        for name, versions in steps
        if versions
    ]
    if not rows:
        return None
    return Table(
        "Programs and their versions",
        (Column("Step"), Column("With", wide=True)),
        tuple(rows),
        on_slides=False,
    )
