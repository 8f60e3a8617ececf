"""The data: sets, licences, what was taken out and why, splits."""

from __future__ import annotations

from finetune.data.manifest import Manifest, SourceFacts, StepCount
from finetune.report.wording import capital, counted
from medassist.core.words import size
from medassist.report.elements import Column, Items, Part, Section, Table, Text

MOST_REASONS = 6  # of a step, in its row; the rest are counted


def data(manifest: Manifest) -> Section:
    """The section."""
    read = sum(source.read for source in manifest.sources)
    kept = sum(split.records for split in manifest.splits)
    parts: list[Part] = [
        Text(
            f"{counted(len(manifest.sources), 'data set')}, "
            f"{counted(read, 'record')} read, {kept:,} kept. The licence of every "
            "document was decided by itself; what was not allowed was not used."
        ),
        _sources(manifest),
        _licences(manifest),
        _steps(manifest),
        _splits(manifest),
    ]
    found = _found(manifest)
    if found:
        parts.append(Items(found, on_slides=False))
    terms = tuple(
        f"{source.title or source.name}: {source.terms}"
        for source in manifest.sources
        if source.terms
    )
    if terms:
        parts.append(Text("What the owners of data sets ask:", on_slides=False))
        parts.append(Items(terms, on_slides=False))
    parts += [
        Text(warning, tone="warning", on_slides=False) for warning in manifest.warnings
    ]
    return Section(
        "data",
        "Data",
        tuple(parts),
        notes=_apart(manifest),
    )


def _apart(manifest: Manifest) -> str:
    """Sentence on what keeps the splits apart."""
    if not manifest.divided:
        return (
            "Splits keep a document or a patient together, so that nothing of one is "
            "both learned and asked for."
        )
    several = counted(
        len(manifest.divided), "document or patient", "documents or patients"
    )
    return (
        f"{several} in more than one split, as there were fewer than splits: stretches "
        "that follow each other, with a record left out between two. Figures on what "
        "was partly learned are better than on what the model has never seen."
    )


def _sources(manifest: Manifest) -> Table:
    names = [split.name for split in manifest.splits]
    rows = [
        (
            source.title or source.name,
            _licence(source),
            f"{source.documents:,}",
            f"{source.read:,}",
            f"{source.broken:,}",
            f"{source.kept:,}",
            *(f"{split.sources.get(source.name, 0):,}" for split in manifest.splits),
        )
        for source in manifest.sources
    ]
    return Table(
        "Data sets and their licences",
        (
            Column("Data set"),
            Column("Licence"),
            Column("Documents", figures=True),
            Column("Read", figures=True),
            Column("Broken", figures=True),
            Column("Kept", figures=True),
            *(Column(capital(name), figures=True) for name in names),
        ),
        tuple(rows),
        note="Records, but for the column of documents (or patients).",
    )


def _licence(source: SourceFacts) -> str:
    found = sorted(source.licences, key=lambda name: (-source.licences[name], name))
    if not found:
        return source.licence
    if len(found) == 1:
        return found[0]
    return f"{', '.join(found[:2])}{f' and {len(found) - 2} more' * (len(found) > 2)}"


def _licences(manifest: Manifest) -> Table:
    return Table(
        "Licences, and what was decided",
        (
            Column("Licence"),
            Column("Records", figures=True),
            Column("Used"),
            Column("Why"),
            Column("Evidence, an example", wide=True),
        ),
        tuple(
            (
                found.licence,
                f"{found.records:,}",
                "yes" if found.used else "no",
                found.why,
                found.evidence,
            )
            for found in manifest.licences
        ),
        on_slides=len(manifest.licences) > 1,
    )


def _steps(manifest: Manifest) -> Table:
    return Table(
        "What each step took out",
        (
            Column("Step"),
            Column("In", figures=True),
            Column("Out", figures=True),
            Column("Taken out because", wide=True),
        ),
        tuple(
            (capital(step.name), f"{step.into:,}", f"{step.out:,}", _reasons(step))
            for step in manifest.steps
        ),
    )


def _reasons(step: StepCount) -> str:
    order = sorted(step.dropped.items(), key=lambda entry: (-entry[1], entry[0]))
    said = [f"{reason} ({count:,})" for reason, count in order[:MOST_REASONS]]
    rest = order[MOST_REASONS:]
    if rest:
        said.append(f"{len(rest)} other reasons ({sum(n for _, n in rest):,})")
    return "; ".join(said) or "nothing"


def _splits(manifest: Manifest) -> Table:
    return Table(
        "Splits",
        (
            Column("Split"),
            Column("Records", figures=True),
            Column("Dialogues", figures=True),
            Column("Texts", figures=True),
            Column("Documents or patients", figures=True),
            Column("Size", figures=True),
        ),
        tuple(
            (
                capital(split.name),
                f"{split.records:,}",
                f"{split.dialogues:,}",
                f"{split.texts:,}",
                f"{split.groups:,}",
                size(split.bytes),
            )
            for split in manifest.splits
        ),
    )


def _found(manifest: Manifest) -> tuple[str, ...]:
    """Sentences on what the steps changed, and what they found and left."""
    said: list[str] = []
    for step in manifest.steps:
        said += [
            f"{capital(step.name)}: {what} in {counted(count, 'record')}."
            for what, count in sorted(step.changed.items())
        ]
        said += [
            f"{capital(step.name)}: {what} found in {counted(count, 'record')}, left."
            for what, count in sorted(step.found.items())
        ]
    return tuple(said)
