"""`finetune prepare`: data sets become train, validation and test, with an account."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from medassist.core.clean import clean
from medassist.core.run_folder import RunFolder
from medassist.core.terminal import room, say, show, watching
from medassist.core.words import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune.data.manifest import Manifest, SourceFacts
    from finetune.data.pipeline.prepare import PreparedData


def prepare(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECIPE|SOURCE...",
            help="A recipe (a YAML file, or the name of one that comes with the "
            "program); or data sets, each as NAME=PATH, or as a path alone where its "
            "files tell what they are.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="The run folder; the data goes into RUN/data."
        ),
    ] = None,
    sources: Annotated[
        bool, typer.Option("--list", help="Show the data sets that can be read.")
    ] = False,
    licence: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Allow this licence too: 'CC BY-NC', unknown, TDM, retracted ... By "
            "default public domain, CC0, CC BY, CC BY-SA, MIT and Apache are.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME.]KEY=VALUE",
            help='An option of a data set, as columns=\'{"question": "Patient", '
            '"answer": "Doctor"}\' or licence=\'CC BY 4.0\'; --list shows them.',
        ),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LANG",
            help="Keep this language alone, as en; several times for several. Articles "
            "say theirs; of what says none, English is told from the rest.",
        ),
    ] = None,
    exam: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE|DIR",
            help="Take out what shares 13 words in a row with the questions in here.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="A/B/C",
            help="Shares of train, validation and test (80/10/10), by document or "
            "patient.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Another seed, another split.")
    ] = None,
    keep_near_duplicates: Annotated[
        bool,
        typer.Option("--keep-near-duplicates", help="Take out exact duplicates only."),
    ] = False,
    identifiers: Annotated[
        Literal["warn", "drop"] | None,
        typer.Option(
            help="Records with what looks like a patient's identifier: warn (and list "
            "them), or drop."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; by default one for each core."),
    ] = None,
    tasks: Annotated[
        int,
        typer.Option(
            min=0,
            max=100_000,
            help="Parts that the work is done in, each done once even if it is broken "
            "off; by default as many as suit the data.",
        ),
    ] = 0,
    executor: Annotated[
        Literal["local", "slurm", "ray"],
        typer.Option(help="Where it runs: here, or on a cluster."),
    ] = "local",
    slurm_partition: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of --executor slurm.")
    ] = None,
    slurm_time: Annotated[
        str, typer.Option(metavar="HH:MM:SS", help="The longest that a task may take.")
    ] = "04:00:00",
    slurm_memory: Annotated[
        int, typer.Option(metavar="GB", min=1, help="Of each task.")
    ] = 4,
    force: Annotated[
        bool, typer.Option("--force", help="Replace data of other settings.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prepare data: read, check licences, clean, find duplicates, split, account.

    Each step is counted, and what it takes out is listed with its reason; the account
    is RUN/data/manifest.json. Broken off, the same command goes on where it stopped.
    """
    with room("finetune"):
        from finetune.data.pipeline.executors import Slurm, StageRunner
        from finetune.data.pipeline.prepare import PreparationWish
        from finetune.data.pipeline.prepare import prepare as run
        from finetune.data.wishes import Changes, asked_for
        from finetune.errors import FinetuneError
    if sources:
        say(_known(as_json=json), json=json)
        return
    if out is None:
        raise FinetuneError("--out RUN is missing: the folder that the data goes into")
    slurm = None
    if executor == "slurm":
        if slurm_partition is None:
            raise FinetuneError(
                "--executor slurm needs --slurm-partition NAME (sinfo shows them)"
            )
        slurm = Slurm(slurm_partition, slurm_time, slurm_memory)
    asked = asked_for(
        what or [],
        Changes(
            licence or (),
            option or (),
            split,
            exam or (),
            keep_near_duplicates,
            identifiers,
            seed,
            language or (),
        ),
    )
    machine = StageRunner(executor, workers or os.cpu_count() or 1, slurm)
    wish = PreparationWish(machine, tasks, force, asked.base)
    try:
        with watching(quiet=json) as watcher:
            prepared = run(asked.settings, out, wish, watcher)
        asked.keep_recipe(out)
    except KeyboardInterrupt:
        say(
            f"\nstopped; the same command goes on where it was ({out}/data keeps what "
            "is done)",
            err=True,
        )
        raise typer.Exit(130) from None
    if prepared.manifest is None:
        _sent(prepared, out, as_json=json)
    else:
        show(prepared.manifest, _told(prepared.manifest, out, prepared.anew), json=json)


def _sent(prepared: PreparedData, out: Path, *, as_json: bool) -> None:
    jobs = ", ".join(prepared.jobs)
    if as_json:
        from json import dumps

        say(dumps({"jobs": prepared.jobs}), json=True)
    else:
        say(
            f"sent to Slurm as jobs {jobs}; the last of them writes "
            f"{RunFolder(out).manifest_file}"
        )


def _told(manifest: Manifest, out: Path, anew: bool) -> str:
    lines: list[str] = []
    if not anew:
        lines.append(f"{out} holds this data already, prepared {manifest.when}")
    names = [source.name for source in manifest.sources]
    for source in manifest.sources:
        which = f" {source.path}" if names.count(source.name) > 1 else ""
        lines.append(
            f"{source.name}{which}: {source.read:,} records of "
            f"{source.documents:,} documents, {source.kept:,} kept ({source.licence})"
        )
        lines += _columns(source)
    for step in manifest.steps:
        if step.dropped:
            taken = ", ".join(f"{why} {n:,}" for why, n in step.dropped.items())
            lines.append(f"  {step.name}: {step.into:,} -> {step.out:,} ({taken})")
        if step.changed:
            changed = ", ".join(f"{what} {n:,}" for what, n in step.changed.items())
            lines.append(f"  {step.name}: {step.out:,} ({changed})")
    lines += [
        f"{split.name}: {split.records:,} records of {split.groups:,} groups, "
        f"{size(split.bytes)}"
        for split in manifest.splits
    ]
    lines += [f"note: {warning}" for warning in manifest.warnings]
    timing = manifest.timing
    if anew:
        lines.append(
            f"{timing.seconds:,.1f} s, {timing.records_per_second:,.0f} records/s, "
            f"{timing.workers} workers"
        )
    lines.append(f"account: {RunFolder(out).manifest_file}")
    # Names of columns and documents are whatever stands in the files.
    return "\n".join(clean(" ".join(line.splitlines())) for line in lines)


def _columns(source: SourceFacts) -> Iterator[str]:
    """Prints which columns of a table each field was read from, and the unused ones."""
    if source.columns:
        taken = "; ".join(
            f"{ours} from {', '.join(names)}" for ours, names in source.columns.items()
        )
        unused = ", ".join(source.unused_columns) or "none"
        yield f"  columns: {taken}; not used: {unused}"
    if source.missing_cells:
        cells = ", ".join(f"{name} {n:,}" for name, n in source.missing_cells.items())
        yield f"  taken for empty, as they say NaN, N/A, NULL or the like: {cells}"


def _known(*, as_json: bool) -> str:
    with room("finetune"):
        from finetune.data.sources.registry import SOURCES
    if as_json:
        from json import dumps

        fields = ("name", "title", "about", "licence", "terms", "kind", "options")
        rows = [
            {field: getattr(info, field) for field in fields}
            for info in SOURCES.values()
        ]
        return dumps(rows, indent=2)
    lines: list[str] = []
    for info in SOURCES.values():
        lines.append(f"{info.name}: {info.title} ({info.kind}; {info.licence})")
        lines.append(f"    {info.about}")
        if info.terms:
            lines.append(f"    {info.terms}")
        if info.options:
            lines.append(f"    options: {', '.join(info.options)}")
    return "\n".join(lines)
