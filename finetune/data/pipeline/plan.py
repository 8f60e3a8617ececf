"""What a preparation is: a value that every process and node of it has."""

from __future__ import annotations

from dataclasses import dataclass

from finetune.data.pipeline.counts import Counts
from finetune.data.pipeline.work import Opened, Work
from finetune.data.recipe import DataPart
from finetune.errors import FinetuneError


@dataclass(frozen=True)
class Plan:
    """What is prepared, where, and by how many."""

    work: Work
    settings: DataPart
    sources: tuple[Opened, ...]
    fingerprint: str
    """Of the inputs: `inputs_hash`."""
    tasks: int
    workers: int
    executor: str
    started: float
    """Seconds since 1970."""


def refuse_nothing(counts: Counts, order: tuple[str, ...]) -> None:
    """See to it that something is left.

    Raises:
        FinetuneError: nothing is; the steps that took it are named with their reasons.
    """
    steps = [(name, counts.steps[name]) for name in order if name in counts.steps]
    if not steps or steps[-1][1].out:
        return
    read = steps[0][1]
    if not read.into:
        raise FinetuneError(
            "the files hold no record at all; look whether they are those of the data "
            "set that is named"
        )
    took = [
        f"{name} took {sum(step.dropped.values()):,} ("
        + ", ".join(f"{why}: {n:,}" for why, n in step.dropped.most_common(4))
        + ")"
        for name, step in steps
        if step.dropped
    ]
    hint = ""
    most = max(steps, key=lambda each: sum(each[1].dropped.values()))
    if most[0] == "licence":
        why = most[1].dropped.most_common(1)[0][0]
        hint = f'; if you may use them, ask for it with --licence "{why}"'
        if why == "unknown":
            hint += ", or state the licence of the data set in the recipe"
    elif most[0] == "length":
        hint = "; the bounds are the recipe's data.lengths"
    raise FinetuneError(
        f"nothing is left of {read.into:,} records: {'; '.join(took)}{hint}"
    )
