"""Runs stages with datatrove: on this machine, on Slurm or on Ray.

Where they run, a rank is run by `_Rank`: without datatrove's log files, which would
hold document text when something fails, and with errors that are sentences.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections import deque
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

os.environ.setdefault("LOGURU_DIAGNOSE", "NO")  # tracebacks without document text
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import multiprocess.context
import multiprocess.process
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.executor.ray import RayPipelineExecutor
from datatrove.executor.slurm import SlurmPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.utils.stats import PipelineStats
from loguru import logger

from finetune.data.pipeline.preparation_lock import work_for
from finetune.data.pipeline.work_folder import WorkFolder
from finetune.errors import FinetuneError

if TYPE_CHECKING:
    from datatrove.executor.base import PipelineExecutor

    _Base = PipelineExecutor
else:
    _Base = object

Executor = Literal["local", "slurm", "ray"]
PRELOADED = ["__main__", "finetune.data.pipeline.stages"]
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Slurm:
    """Slurm settings: partition, time limit and memory."""

    partition: str
    time: str
    memory: int = 4
    """GB for each task."""


@dataclass(frozen=True)
class StageRunner:
    """Runs the stages, with a number of workers."""

    executor: Executor
    workers: int
    slurm: Slurm | None = None


@dataclass(frozen=True)
class Stage:
    """A list of steps, and how many ranks it has."""

    name: str
    steps: Sequence[PipelineStep]
    tasks: int


class _Rank(_Base):
    """Rank that can be run, whatever starts it."""

    data: Path

    def _run_for_rank(
        self, rank: int, local_rank: int = 0, node_rank: int = -1
    ) -> PipelineStats:
        if self.is_rank_completed(rank):
            return PipelineStats()
        logger.disable("datatrove")
        if multiprocess.process.parent_process() is not None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process decides
            work_for(self.data)
        # Steps count: each rank has steps of its own, also where one process runs many.
        steps: list[Any] = deepcopy(self.pipeline)
        try:
            data = None
            for step in steps:
                data = step(data, rank, self.world_size)
            if data:
                deque(data, maxlen=0)
        except OSError as error:
            raise as_sentence(error, self.data) from error
        stats = PipelineStats(steps)
        with self.logging_dir.open(f"stats/{rank:05d}.json", "w") as file:
            stats.save_to_disk(file)
        self.mark_rank_as_completed(rank)
        return stats

    def save_executor_as_json(self, indent: int = 4) -> None:
        """Nothing: the settings are in the manifest, and steps hold much else."""


class _Local(_Rank, LocalPipelineExecutor):
    pass


class _Slurm(_Rank, SlurmPipelineExecutor):
    pass


class _Ray(_Rank, RayPipelineExecutor):
    pass


def as_sentence(error: OSError, data: Path) -> FinetuneError:
    """The system's error, in a sentence for the user."""
    if error.errno in _FULL:
        return FinetuneError(
            f"the disk with {data} is full; free some space and give the same command "
            "again: what is done is kept"
        )
    where = error.filename or data
    return FinetuneError(f"{where}: {error.strerror or error}; nothing of it is lost")


def run_here(work: WorkFolder, stage: Stage, machine: StageRunner) -> None:
    """Run a stage on this machine or on Ray, to its end.

    Raises:
        FinetuneError: a rank failed; those that ended are not run again.
    """
    logger.disable("datatrove")
    workers = min(machine.workers, stage.tasks)
    folder = str(work.stage(stage.name))
    executor: _Local | _Ray
    if machine.executor == "ray":
        _need("ray")
        executor = _Ray(
            list(stage.steps), tasks=stage.tasks, workers=workers, logging_dir=folder
        )
    else:
        multiprocess.context.ForkServerContext().set_forkserver_preload(PRELOADED)
        executor = _Local(
            list(stage.steps), tasks=stage.tasks, workers=workers, logging_dir=folder
        )
    executor.data = work.data
    try:
        executor.run()
    except OSError as error:
        raise as_sentence(error, work.data) from error
    left = executor.get_incomplete_ranks(skip_completed=True)
    if left:
        raise FinetuneError(
            f"{len(left)} of {stage.tasks} parts of the stage {stage.name} came to no "
            f"end; give the same command again to go on"
        )


def submit(
    work: WorkFolder, stages: Sequence[Stage], machine: StageRunner
) -> list[str]:
    """Submit all stages to Slurm, each after the one before.

    Returns:
        The numbers of the jobs.

    Raises:
        FinetuneError: Slurm is not there, or refused.
    """
    assert machine.slurm is not None
    import subprocess

    logger.disable("datatrove")
    before: _Slurm | None = None
    jobs: list[str] = []
    for stage in stages:
        executor = _Slurm(
            list(stage.steps),
            tasks=stage.tasks,
            time=machine.slurm.time,
            partition=machine.slurm.partition,
            mem_per_cpu_gb=machine.slurm.memory,
            workers=machine.workers,
            job_name=f"medassist-{stage.name}",
            qos="",
            logging_dir=str(work.stage(stage.name)),
            depends=before,  # pyright: ignore[reportArgumentType]
            env_command=f'export PATH="{Path(sys.executable).parent}:$PATH"',
            mail_type="NONE",
        )
        executor.data = work.data
        try:
            executor.run()
        except FileNotFoundError:
            raise FinetuneError(
                "there is no sbatch on this computer; call this on a node of the "
                "cluster from which jobs are sent"
            ) from None
        except subprocess.CalledProcessError as error:
            raise FinetuneError(
                f"Slurm did not take the stage {stage.name} (sbatch ended with "
                f"{error.returncode}); look at {work.stage(stage.name)}"
            ) from error
        if str(executor.job_id) != "-1":
            jobs.append(str(executor.job_id))
        before = executor
    return jobs


def _need(module: str) -> None:
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise FinetuneError(
            f"--executor {module} needs {module}, which is not installed; install it "
            f"with: pip install {module}"
        )
