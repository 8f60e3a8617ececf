"""The error when no record is left: which step removed them, and why.

The lists of what was taken out are kept then as well: they say of each document what is
wrong with it, and what to do.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from finetune.data.pipeline.counts import Counts, StepTally
from finetune.data.pipeline.rank_files import DROPPED, dropped_lists
from finetune.data.pipeline.source_reader import READ
from finetune.data.pipeline.work_folder import WorkFolder
from finetune.errors import FinetuneError
from medassist.core.run_folder import MANIFEST

INSTEAD = "dropped-of-the-last-try"
"""The lists' folder where RUN/data/dropped belongs to data that stays."""
MOST_REASONS = 4


def refuse_nothing(work: WorkFolder, counts: Counts, order: tuple[str, ...]) -> None:
    """Raise an error if no record is left.

    Raises:
        FinetuneError: nothing is; the steps that took it are named with their reasons,
            and where the lists of it lie.
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
    took = [_took(name, step, work) for name, step in steps if step.dropped]
    raise FinetuneError(
        f"nothing is left of {read.into:,} record{'s' * (read.into != 1)}: "
        f"{'; '.join(took)}{_hint(steps)}{_kept_lists(work, order)}"
    )


def first_of(parts: list[Path]) -> str:
    """The first document of the lists of a step, and the whole reason."""
    for part in parts:
        with part.open("rb") as lines:
            for line in lines:
                row = json.loads(line)
                reason = row["reason"]
                return reason if row["file"] in reason else f"{row['id']}: {reason}"
    return ""


def _took(name: str, step: StepTally, work: WorkFolder) -> str:
    count = sum(step.dropped.values())
    if name == READ:
        # Its reasons are sentences of the sources' own, which say what to do.
        first = first_of(sorted((work.folder / "dropped" / READ).glob("*.jsonl")))
        return f"{count:,} could not be read, the first of them so: {first}"
    reasons = step.dropped.most_common(MOST_REASONS)
    return f"{name} took {count:,} ({', '.join(f'{why}: {n:,}' for why, n in reasons)})"


def _hint(steps: list[tuple[str, StepTally]]) -> str:
    name, step = max(steps, key=lambda each: sum(each[1].dropped.values()))
    if name == "length":
        return "; the bounds are the recipe's data.lengths, as {text_shortest: 50}"
    if name != "licence":
        return ""
    why = step.dropped.most_common(1)[0][0]
    hint = f'; if you may use them, ask for it with --licence "{why}"'
    if why == "unknown":
        hint += (
            ", or state the licence of the data set in the recipe or by --option "
            "licence=NAME"
        )
    return hint


def _kept_lists(work: WorkFolder, order: tuple[str, ...]) -> str:
    """Give the lists a place that stays; where that is, for the end of a sentence."""
    made = work.folder / "lists-that-stay"
    shutil.rmtree(made, ignore_errors=True)
    if not dropped_lists(work, made, order):
        return ""
    of_others = (work.data / MANIFEST).exists()
    folder = work.data / (INSTEAD if of_others else DROPPED)
    shutil.rmtree(folder, ignore_errors=True)
    made.replace(folder)
    return f". {folder} lists each with its reason"
