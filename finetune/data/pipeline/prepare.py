"""Prepares data sets: train, validation and test, with a manifest."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune.data.manifest import Manifest, read_manifest
from finetune.data.pipeline import (
    candidates,
    duplicate_groups,
    source_reader,
    split_writer,
)
from finetune.data.pipeline.counts import added_up
from finetune.data.pipeline.executors import StageRunner, as_sentence, run_here, submit
from finetune.data.pipeline.final_files import STEPS
from finetune.data.pipeline.nothing_left import refuse_nothing
from finetune.data.pipeline.preparation_lock import locked
from finetune.data.pipeline.preparation_plan import PreparationPlan
from finetune.data.pipeline.rank_progress import reported
from finetune.data.pipeline.stages import FINISH, stages
from finetune.data.pipeline.work_folder import (
    PREFIX,
    Input,
    OpenedSource,
    WorkFolder,
    deal,
    find_inputs,
    inputs_hash,
    settings_hash,
)
from finetune.data.recipe import DataPart, absolute
from finetune.data.sources.registry import open_source, source_info
from finetune.data.steps.exam_text import exam_files, exam_texts
from finetune.data.steps.overlap import write_index
from finetune.errors import FinetuneError
from medassist.core.files import write_whole
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import ADAPTER, CHECKPOINTS, DATA, MANIFEST

SMALL = 16 * 2**20  # bytes, below which more processes cost more than they bring
TASK = 32 * 2**20  # bytes that a task reads, about
MOST_TASKS = 1000
SUBMITTED = "submitted.json"
_SAYS: Mapping[str, str] = {
    source_reader.STAGE: "Reading and cleaning",
    candidates.STAGE: "Looking for duplicates",
    duplicate_groups.STAGE: "Comparing",
    split_writer.STAGE: "Splitting",
    FINISH: "Writing",
}
_BY_AMOUNT = (
    source_reader.STAGE,
    split_writer.STAGE,
)  # of bytes, of records; others by ranks


@dataclass(frozen=True)
class PreparedData:
    """Result of a preparation.

    Attributes:
        manifest: none where the work was sent to Slurm.
        anew: whether anything was done; else the data was there already.
        jobs: the numbers of Slurm's jobs.
    """

    manifest: Manifest | None
    anew: bool
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparationWish:
    """Request for a preparation; nothing of it changes the result.

    Attributes:
        machine: where it runs.
        tasks: parts in which it is done and can be taken up again; 0 chooses.
        force: replace data of other settings.
        base: where relative paths of the settings begin.
    """

    machine: StageRunner
    tasks: int = 0
    force: bool = False
    base: Path = Path()


def prepare(
    settings: DataPart, run: Path, wish: PreparationWish, watcher: Watcher = unwatched
) -> PreparedData:
    """Prepare data in `run`, or resume an interrupted preparation.

    Raises:
        FinetuneError: an input is missing, nothing is left after filtering, the folder
            holds data of other settings, the disk is full.
    """
    started = time.time()
    sources = _opened(settings, wish.base)
    exams = exam_files([absolute(wish.base, path) for path in settings.overlap.exams])
    watcher("Looking at the inputs", 0, 0)
    inputs = find_inputs(sources)
    data = run / DATA
    try:
        data.mkdir(parents=True, exist_ok=True)
        with locked(data):
            total = sum(one.bytes for one in inputs)
            fingerprint = inputs_hash(inputs, exams)
            there = _already(run, settings, fingerprint, force=wish.force)
            if there is not None:
                return PreparedData(there, anew=False)
            tasks = wish.tasks or _tasks(len(inputs), total, wish.machine.workers)
            plan = PreparationPlan(
                _work(data, settings, fingerprint, tasks),
                settings,
                sources,
                fingerprint,
                tasks,
                _workers(total, wish.machine),
                wish.machine.executor,
                started,
            )
            _lay_out(plan, inputs, exams, watcher)
            if wish.machine.executor == "slurm":
                jobs = _sent(plan, wish.machine, again=wish.force)
                return PreparedData(None, anew=True, jobs=jobs)
            return PreparedData(_done(plan, inputs, wish.machine, watcher), anew=True)
    except OSError as error:
        raise as_sentence(error, data) from error


def _opened(settings: DataPart, base: Path) -> tuple[OpenedSource, ...]:
    return tuple(
        OpenedSource(
            source_info(part.name),
            open_source(part.name, **part.options),
            absolute(base, part.path),
            part.path,
            part.licence,
        )
        for part in settings.sources
    )


def _tasks(files: int, total: int, workers: int) -> int:
    wanted = max(total // TASK + 1, workers * 4 if total > SMALL else 1)
    return max(1, min(files, wanted, MOST_TASKS))


def _workers(total: int, machine: StageRunner) -> int:
    small = machine.executor == "local" and total <= SMALL
    return 1 if small else machine.workers


def _work(data: Path, settings: DataPart, fingerprint: str, tasks: int) -> WorkFolder:
    known = f"{settings_hash(settings)} {fingerprint} {tasks}".encode()
    name = PREFIX + hashlib.sha256(known).hexdigest()[:16]
    return WorkFolder(data.absolute(), data.absolute() / name)


def _already(
    run: Path, settings: DataPart, fingerprint: str, *, force: bool
) -> Manifest | None:
    """The manifest, if just this data is there already.

    Raises:
        FinetuneError: other data is there, or a model that was trained on it.
    """
    if not (run / DATA / MANIFEST).is_file():
        return None
    manifest = read_manifest(run)
    same_settings = manifest.settings_sha256 == settings_hash(settings)
    same_inputs = manifest.inputs_sha256 == fingerprint
    whole = all((run / DATA / split.file).is_file() for split in manifest.splits)
    if same_settings and same_inputs and whole:
        return manifest
    trained = [name for name in (ADAPTER, CHECKPOINTS) if (run / name).exists()]
    if trained and whole:
        raise FinetuneError(
            f"{run} holds a training ({', '.join(trained)}) on other data than this "
            "would be; give another --out"
        )
    if whole and not force:
        what = "from other inputs" if same_settings else "with other settings"
        raise FinetuneError(
            f"{run} holds data that was prepared {what} ({manifest.when}); give "
            "another --out, or --force to replace it"
        )
    return None


def _lay_out(
    plan: PreparationPlan,
    inputs: Sequence[Input],
    exams: Sequence[Path],
    watcher: Watcher,
) -> None:
    """Write what the ranks must know, and take away what others left."""
    work = plan.work
    work.remove_others()
    for rank, shard in enumerate(deal(inputs, plan.tasks)):
        file = work.shard(rank)
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(one.model_dump_json() + "\n" for one in shard)
        write_whole(file, lines)
    done = work.exams / "items.txt"
    if exams and not done.is_file():
        work.exams.mkdir(parents=True, exist_ok=True)
        watcher("Reading the exams", 0, len(exams))
        texts = (text for file in exams for text in exam_texts(file))
        if not write_index(work.exams, texts, plan.settings.overlap.words):
            raise FinetuneError(
                f"{', '.join(map(str, exams))}: no text of six words and more is in "
                "them; are these the exams?"
            )


def _done(
    plan: PreparationPlan,
    inputs: Sequence[Input],
    machine: StageRunner,
    watcher: Watcher,
) -> Manifest:
    work = plan.work
    machine = replace(machine, workers=plan.workers)
    total = sum(one.bytes for one in inputs)
    for stage in stages(plan):
        if stage.name == split_writer.STAGE:
            # Each step passes on what it does not take out: the last one the least.
            read = added_up(work.counts(source_reader.STAGE)).steps.values()
            total = min(step.out for step in read)
        amount = total if stage.name in _BY_AMOUNT else stage.tasks
        with reported(watcher, _SAYS[stage.name], work.progress(stage.name), amount):
            run_here(work, stage, machine)
        if stage.name in (source_reader.STAGE, split_writer.STAGE):
            counts = added_up(work.counts(source_reader.STAGE))
            counts.add(added_up(work.counts(split_writer.STAGE)))
            try:
                refuse_nothing(work, counts, STEPS)
            except FinetuneError:
                work.remove()
                raise
    manifest = read_manifest(work.data.parent)
    work.remove()
    return manifest


def _sent(
    plan: PreparationPlan, machine: StageRunner, *, again: bool
) -> tuple[str, ...]:
    """Send the stages to Slurm.

    Raises:
        FinetuneError: they are there already.
    """
    note = plan.work.folder / SUBMITTED
    if note.is_file() and not again:
        jobs = ", ".join(json.loads(note.read_text("utf-8")))
        raise FinetuneError(
            f"this was sent to Slurm before, as jobs {jobs}, and has not ended; look "
            "at squeue. If they are gone, --force sends what is left of it again"
        )
    jobs = submit(plan.work, stages(plan), machine)
    write_whole(note, json.dumps(jobs))
    return tuple(jobs)
