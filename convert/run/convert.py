"""`convert run`: the steps of a run folder, one after the other."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from convert.run.folder import RunFolder
from convert.run.ledger import Ledger
from convert.run.plan import Planner, RunWishes
from convert.verify.result import Verified, read_verified
from medassist.card import CardError, read_card, sha256_of_file, write_card
from medassist.progress import Watcher, unwatched


class StepTaken(BaseModel):
    """What became of a step."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: Literal["done", "unchanged"]
    seconds: float


class RunConverted(BaseModel):
    """What a call left in a run folder."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    steps: tuple[StepTaken, ...]
    verified: tuple[Verified, ...]
    modelfile: Path | None


def convert_run_folder(
    root: Path,
    *,
    base: Path | None = None,
    wishes: RunWishes | None = None,
    watcher: Watcher = unwatched,
) -> RunConverted:
    """Convert, merge, quantize and verify what the fine-tune in `root` left.

    It can be broken off at any moment and called again: a step whose inputs and
    outputs have the hashes that they had is not done again.

    Args:
        root: a run folder.
        base: the model that was tuned, where the folder holds none.
        wishes: quantizations, and how they are made and measured.
        watcher: is told how far it is.

    Raises:
        ConvertError: a step failed, or a GGUF is not what it was made from; what was
            done before is kept.
    """
    folder = RunFolder.open(root, base)
    folder.gguf.mkdir(exist_ok=True)
    planner = Planner(folder, wishes or RunWishes(), watcher)
    ledger = Ledger(folder.ledger)
    taken: list[StepTaken] = []
    for step in planner.steps():
        begun = time.monotonic()
        state = "unchanged"
        if not ledger.is_done(step):
            watcher(step.name, 0, 0)
            step.do()
            ledger.write(step)
            state = "done"
        taken.append(
            StepTaken(
                name=step.name,
                state=state,
                seconds=round(time.monotonic() - begun, 2),
            )
        )
    files = sorted(folder.gguf.glob("*.gguf"))
    found = (read_verified(file) for file in files)
    _into_card(root, files, watcher)
    modelfile = root / "Modelfile"
    return RunConverted(
        folder=root,
        steps=tuple(taken),
        verified=tuple(entry for entry in found if entry is not None),
        modelfile=modelfile if modelfile.is_file() else None,
    )


def _into_card(root: Path, files: list[Path], watcher: Watcher) -> None:
    """The hashes of the GGUFs, on the run's card where it has one."""
    file = root / "card.json"
    if not file.is_file():
        return
    try:
        card = read_card(file)
    except CardError as error:
        watcher(f"nothing was written on the card: {error}", 0, 0)
        return
    gguf = card.lineage.gguf | {found.name: sha256_of_file(found) for found in files}
    if gguf != card.lineage.gguf:
        lineage = card.lineage.model_copy(update={"gguf": gguf})
        write_card(card.model_copy(update={"lineage": lineage}), file)
