"""Writes the final files of a preparation: splits, lists and manifest.

All is written in the work folder first. Only then files get their final names, the
manifest the last of them: a run folder with a manifest has all that it speaks of.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from finetune.data.manifest import (
    LicenceCount,
    Lists,
    Manifest,
    SourceFacts,
    SplitFacts,
    StepCount,
    Timing,
)
from finetune.data.pipeline import duplicate_groups, source_reader, split_writer
from finetune.data.pipeline.counts import Counts, added_up
from finetune.data.pipeline.few_groups import (
    Rearranged,
    rearranged,
    split_lines,
    split_parts,
)
from finetune.data.pipeline.nothing_left import INSTEAD, first_of, refuse_nothing
from finetune.data.pipeline.preparation_plan import PreparationPlan
from finetune.data.pipeline.rank_files import DROPPED, dropped_lists, joined, written
from finetune.data.pipeline.work_folder import WorkFolder, settings_hash
from finetune.data.steps.split import SPLITS
from medassist.core.files import SHARED_FILE, write_whole
from medassist.core.run_folder import MANIFEST

STEPS = (
    source_reader.READ,
    "licence",
    "clean",
    "language",
    "missing",
    "length",
    "overlap",
    duplicate_groups.STEP,
    "identifiers",
    "split",
)
INPUTS, LICENCES, IDENTIFIERS = "inputs.jsonl", "licences.jsonl", "identifiers.jsonl"
PACKAGES = ("datatrove", "lxml", "numpy", "pydantic", "xxhash")
SMALLEST_SPLIT = 50  # records, below which figures on a split say little


def finish(plan: PreparationPlan) -> Manifest:
    """Join the ranks' files and give them their final names.

    Raises:
        FinetuneError: no record is left.
        OSError: the disk is full.
    """
    work = plan.work
    counts = added_up(work.counts(source_reader.STAGE))
    counts.add(added_up(work.counts(split_writer.STAGE)))
    refuse_nothing(work, counts, STEPS)
    made = work.folder / "made"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    warnings: list[str] = []
    few = rearranged(work, plan.settings, counts)
    warnings += few.said
    splits = [_split(work, made, name, counts, few) for name in SPLITS]
    lists = _lists(work, made)
    sources = _sources(plan, made / INPUTS, counts)
    steps = [_step(name, counts, lists) for name in STEPS if name in counts.steps]
    warnings += _warnings(plan, made, splits, steps, lists)
    seconds = time.time() - plan.started
    read = counts.step(source_reader.READ).into
    manifest = Manifest(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        settings=plan.settings,
        settings_sha256=settings_hash(plan.settings),
        inputs_sha256=plan.fingerprint,
        sources=tuple(sources),
        steps=tuple(steps),
        licences=tuple(_licences(counts)),
        splits=tuple(splits),
        divided=few.divided,
        warnings=tuple(warnings),
        lists=lists,
        timing=Timing(
            seconds=round(seconds, 3),
            records_per_second=round(read / seconds, 1),
            tasks=plan.tasks,
            workers=plan.workers,
            executor=plan.executor,
        ),
        versions={"python": platform.python_version()}
        | {name: version(name) for name in PACKAGES},
    )
    _name_finally(work, made, manifest)
    return manifest


def _split(
    work: WorkFolder, made: Path, name: str, counts: Counts, few: Rearranged
) -> SplitFacts:
    file = made / f"{name}.jsonl"
    if few.arrangement is not None:
        size, digest = written(file, split_lines(work, name, few.arrangement))
    else:
        size, digest = joined(file, split_parts(work, name))
    tally = counts.split(name)
    groups = few.groups.get(name)
    if groups is None:
        groups = _distinct((work.folder / "splits" / name).glob("*.groups"))
    return SplitFacts(
        name=name,
        file=file.name,
        records=tally.records,
        groups=groups,
        bytes=size,
        sha256=digest,
        texts=tally.texts,
        dialogues=tally.dialogues,
        sources={name: n for name, n in sorted(tally.sources.items()) if n},
    )


def _distinct(files: Iterable[Path]) -> int:
    """Counts the different numbers of eight bytes in the files."""
    found = [np.unique(np.fromfile(file, "<u8")) for file in sorted(files)]
    return len(np.unique(np.concatenate(found))) if found else 0


def _lists(work: WorkFolder, made: Path) -> Lists:
    for name, file in (("inputs", INPUTS), ("licences", LICENCES)):
        joined(made / file, (work.folder / "lists" / name).glob("*.jsonl"))
    identifiers = sorted((work.folder / "lists" / "identifiers").glob("*.jsonl"))
    if identifiers:
        joined(made / IDENTIFIERS, identifiers)
    return Lists(
        inputs=INPUTS,
        licences=LICENCES,
        dropped=dropped_lists(work, made / DROPPED, STEPS),
        identifiers=IDENTIFIERS if identifiers else None,
    )


def _sources(
    plan: PreparationPlan, inputs: Path, counts: Counts
) -> Iterator[SourceFacts]:
    lines: dict[int, list[str]] = {}
    sizes: dict[int, int] = {}
    with inputs.open("rb") as rows:
        for row in map(json.loads, rows):
            place = row["place"]
            root = plan.sources[place].root
            path = Path(row["file"])
            shown = path.relative_to(root) if path != root else Path(path.name)
            lines.setdefault(place, []).append(f"{row['sha256']}  {shown}\n")
            sizes[place] = sizes.get(place, 0) + row["bytes"]
    for place, opened in enumerate(plan.sources):
        tally = counts.source(place)
        groups = plan.work.folder / "lists" / f"groups-{place}"
        yield SourceFacts(
            name=opened.info.name,
            title=opened.info.title,
            path=opened.path,
            licence=opened.licence or opened.info.licence,
            terms=opened.info.terms,
            files=len(lines.get(place, [])),
            bytes=sizes.get(place, 0),
            sha256=hashlib.sha256(
                "".join(sorted(lines.get(place, []))).encode()
            ).hexdigest(),
            documents=_distinct(groups.glob("*")),
            read=tally.read,
            broken=tally.broken,
            kept=tally.kept,
            licences=dict(tally.licences.most_common()),
            columns={ours: tuple(names) for ours, names in tally.taken.items()},
            unused_columns=tuple(tally.unused),
            missing_cells=dict(tally.missing.most_common()),
        )


def _step(name: str, counts: Counts, lists: Lists) -> StepCount:
    tally = counts.steps[name]
    listed = lists.dropped.get(name)
    if listed is None and name == "identifiers" and tally.found:
        listed = lists.identifiers
    return StepCount(
        name=name,
        into=tally.into,
        out=tally.out,
        dropped=dict(tally.dropped.most_common()),
        changed=dict(tally.changed.most_common()),
        found=dict(tally.found.most_common()),
        list=listed,
    )


def _licences(counts: Counts) -> Iterator[LicenceCount]:
    for key, tally in sorted(
        counts.licences.items(), key=lambda each: -each[1].records
    ):
        name, used, why = json.loads(key)
        yield LicenceCount(
            licence=name,
            evidence=tally.evidence,
            used=used,
            why=why,
            records=tally.records,
        )


def _warnings(
    plan: PreparationPlan,
    made: Path,
    splits: list[SplitFacts],
    steps: list[StepCount],
    lists: Lists,
) -> Iterator[str]:
    for step in steps:
        if step.name == "identifiers" and step.found:
            kinds = ", ".join(f"{rule}: {n:,}" for rule, n in step.found.items())
            yield (
                f"what looks like an identifier of a person stands in records "
                f"({kinds}); data/{lists.identifiers} says where. Look at it before "
                "you train, or take these records out with --identifiers drop"
            )
        if step.name == source_reader.READ and step.list:
            count = sum(step.dropped.values())
            yield (
                f"{count:,} document{'s' * (count != 1)} could not be read, the first "
                f"of them so: {first_of([made / step.list])}; data/{step.list} says "
                "which and why"
            )
    for opened in plan.sources:
        # `as you say`: the terms say no more than how to say it.
        if opened.info.terms and not opened.info.licence.startswith("as you say"):
            yield f"{opened.info.name}: {opened.info.terms}"
    for split in splits:
        wished = getattr(plan.settings.split, split.name)
        if wished and split.records < SMALLEST_SPLIT:
            yield (
                f"{split.name} has {split.records:,} records of {split.groups:,} groups"
                " only; figures on it will say little"
            )


def _name_finally(work: WorkFolder, made: Path, manifest: Manifest) -> None:
    data = work.data
    (data / MANIFEST).unlink(missing_ok=True)
    for name in (DROPPED, INSTEAD):
        shutil.rmtree(data / name, ignore_errors=True)
    for old in (INPUTS, LICENCES, IDENTIFIERS):
        (data / old).unlink(missing_ok=True)
    for file in sorted(made.iterdir()):
        file.replace(data / file.name)
    text = manifest.model_dump_json(indent=2) + "\n"
    write_whole(data / MANIFEST, text, SHARED_FILE)
