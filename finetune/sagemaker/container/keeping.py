"""Keeps what outlasts the container: whole checkpoints, and the best adapter.

SageMaker copies /opt/ml/checkpoints to S3 file by file while the job runs, and back at
the start of the next try. It knows of no renames and of no folders, so what comes back
may be half a checkpoint. So each is copied there when it is whole, and a marker with
the sizes of its files is written last; what has no marker that holds is not there.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medassist.core.files import SHARED_FILE, give_name, sync, write_whole
from medassist.core.run_folder import ADAPTER, ADAPTER_CONFIG, ADAPTER_WEIGHTS, METRICS

MARKER = "whole.json"
STATE = "state.json"
"""File that finetune/train/checkpoint.py writes."""
TOKENIZER = ".tokenizer"
"""Under the run's checkpoints: the tokenizer that belongs to the adapter."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's folder, and how far it is."""

    folder: Path
    step: int
    best_step: int | None
    seconds: float

    @classmethod
    def read(cls, folder: Path) -> Checkpoint | None:
        """The checkpoint in `folder`; None where there is none, or no whole one."""
        try:
            state: dict[str, Any] = json.loads((folder / STATE).read_text("utf-8"))
            best = state.get("best_step")
            return cls(
                folder,
                int(state["step"]),
                None if best is None else int(best),
                float(state["seconds"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def in_folder(checkpoints: Path) -> list[Checkpoint]:
    """The checkpoints of a run folder, the newest last."""
    found = (Checkpoint.read(folder) for folder in checkpoints.glob("step-*"))
    return sorted((each for each in found if each), key=lambda each: each.step)


def holds(folder: Path) -> bool:
    """Whether the marker of a kept checkpoint is there and says what is there."""
    try:
        sizes: dict[str, int] = json.loads((folder / MARKER).read_text("utf-8"))
        there = {file.name: file.stat().st_size for file in folder.iterdir()}
        return bool(sizes) and all(there.get(n) == size for n, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def keep(checkpoint: Path, kept: Path) -> bool:
    """Copy a checkpoint into `kept`, its marker last.

    Returns:
        False where the training deleted it meanwhile; then nothing is left of it.

    Raises:
        OSError: it cannot be written.
    """
    to = kept / checkpoint.name
    if holds(to):
        return True
    forget(to)
    to.mkdir(parents=True)
    sizes: dict[str, int] = {}
    try:
        for file in sorted(checkpoint.iterdir()):
            shutil.copyfile(file, to / file.name)
            sync(to / file.name)
            sizes[file.name] = (to / file.name).stat().st_size
    except FileNotFoundError:
        forget(to)
        return False
    write_whole(to / MARKER, json.dumps(sizes), SHARED_FILE)
    return True


def forget(folder: Path) -> None:
    """Delete a kept checkpoint, its marker first."""
    (folder / MARKER).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def keep_all(run_checkpoints: Path, kept: Path) -> list[Checkpoint]:
    """Keep what the run folder holds, and no longer what it has deleted.

    Returns:
        The checkpoints of the run folder that are kept, the newest last.
    """
    found = [c for c in in_folder(run_checkpoints) if keep(c.folder, kept)]
    names = {each.folder.name for each in found}
    if found:
        for folder in kept.glob("step-*"):
            if folder.name not in names:
                forget(folder)
    return found


def usable(kept: Path) -> list[Checkpoint]:
    """The whole checkpoints in `kept` up to the newest one whose best is there too."""
    whole = [each for each in in_folder(kept) if holds(each.folder)]
    steps = {each.step for each in whole}
    while whole and whole[-1].best_step not in (*steps, None):
        whole.pop()
    return whole


def restore(kept: Path, run: Path) -> Checkpoint | None:
    """Put kept checkpoints and figures back into a run folder.

    Returns:
        The checkpoint that the training goes on with; None: it begins anew.
    """
    whole = usable(kept)
    for each in whole:
        to = run / "checkpoints" / each.folder.name
        half = to.with_name(f".{to.name}.half")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(each.folder, half, ignore=shutil.ignore_patterns(MARKER))
        give_name(half, to)
    if whole and (kept / METRICS).is_file():
        shutil.copyfile(kept / METRICS, run / METRICS)
    if (kept / TOKENIZER).is_dir():
        shutil.copytree(
            kept / TOKENIZER, run / "checkpoints" / TOKENIZER, dirs_exist_ok=True
        )
    return whole[-1] if whole else None


def best_of(found: list[Checkpoint]) -> Checkpoint | None:
    """The checkpoint to make the adapter of: the best by validation, else the last."""
    if not found:
        return None
    best = found[-1].best_step
    return next((each for each in found if each.step == best), found[-1])


def put_adapter(checkpoint: Path, tokenizer: Path, model: Path) -> bool:
    """Make the adapter of a checkpoint the result, whole or not at all.

    Args:
        checkpoint: holds the adapter's weights and settings.
        tokenizer: the tokenizer's files, which belong to an adapter.
        model: the folder of results.

    Returns:
        False where the checkpoint was deleted meanwhile.
    """
    half = _half(model)
    try:
        for name in (ADAPTER_WEIGHTS, ADAPTER_CONFIG):
            shutil.copyfile(checkpoint / name, half / name)
    except FileNotFoundError:
        shutil.rmtree(half)
        return False
    if tokenizer.is_dir():
        shutil.copytree(tokenizer, half, dirs_exist_ok=True)
    _give(half, model)
    return True


def put_finished(adapter: Path, model: Path) -> None:
    """Make the run folder's own adapter the result."""
    half = _half(model)
    shutil.copytree(adapter, half, dirs_exist_ok=True)
    _give(half, model)


def _half(model: Path) -> Path:
    half = model / f".{ADAPTER}.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    return half


def _give(half: Path, model: Path) -> None:
    for file in half.iterdir():
        sync(file)
    old = model / f".{ADAPTER}.old"
    shutil.rmtree(old, ignore_errors=True)
    if (model / ADAPTER).exists():
        (model / ADAPTER).rename(old)
    give_name(half, model / ADAPTER)
    shutil.rmtree(old, ignore_errors=True)
