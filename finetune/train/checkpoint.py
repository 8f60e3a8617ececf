"""Checkpoints of a training, in safetensors and JSON.

Trainer's own are pickles in part (optimizer, random numbers, arguments), which can run
code when they are read, and are written in place, so that a kill leaves half of one
under its final name. Here a folder is filled under another name and then renamed.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from peft import PeftModel
from peft.utils.save_and_load import set_peft_model_state_dict
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from finetune.errors import FinetuneError
from medassist.core.files import give_name, sync
from medassist.core.run_folder import ADAPTER_WEIGHTS

KEPT = 2  # the newest ones, beside the best
STATE, TENSORS = "state.json", "state.safetensors"
_HALF = ".half"


class CheckpointFull(FinetuneError):
    """A checkpoint could not be written; earlier ones are still there."""


class RandomState(BaseModel):
    """The state of Python's and numpy's random numbers; torch's is a tensor."""

    model_config = ConfigDict(extra="forbid")

    python: tuple[int, tuple[int, ...], float | None]
    numpy: tuple[str, tuple[int, ...], int, int, float]


class State(BaseModel):
    """State of a training, without tensors."""

    model_config = ConfigDict(extra="forbid")

    version: int = 1
    step: int
    recipe_sha256: str
    tokens: int
    seconds: float
    step_seconds: float
    first_validation_loss: float | None = None
    best_step: int | None = None
    best_loss: float | None = None
    last_loss: float | None = None
    """Loss of the validation at this very step."""
    worse: int = 0
    """Validations since the best one."""
    validation_owed: bool = False
    """The validation at this very step was broken off."""
    recent: list[float] = []
    """The losses of the last steps."""
    peak_memory: int = 0
    groups: list[dict[str, float]]
    """Learning rates of the optimizer's groups."""
    scheduler: dict[str, Any]
    scaler: dict[str, float] | None = None
    random: list[RandomState] = []
    """One for each process."""


def folder_of(checkpoints: Path, step: int) -> Path:
    """Folder of the checkpoint of `step`."""
    return checkpoints / f"step-{step:07}"


def newest(checkpoints: Path) -> Path | None:
    """The newest whole checkpoint."""
    found = _all(checkpoints)
    return found[-1] if found else None


def write_checkpoint(
    checkpoints: Path,
    state: State,
    model: PeftModel,
    tensors: Mapping[str, torch.Tensor],
    more: Mapping[str, str],
) -> Path:
    """Write the checkpoint of `state.step`; keep the newest `KEPT` and the best.

    Args:
        checkpoints: the folder that holds them.
        state: how far the training is.
        model: whose adapter is written in PEFT's format.
        tensors: optimizer and random states, by name.
        more: further small files, by name.

    Raises:
        CheckpointFull: it could not be written.
    """
    folder = folder_of(checkpoints, state.step)
    half = checkpoints / f".{folder.name}{_HALF}"
    try:
        checkpoints.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        save_adapter(model, half)
        save_file(
            {
                name: value.detach().cpu().contiguous()
                for name, value in tensors.items()
            },
            half / TENSORS,
        )
        for name, text in more.items():
            (half / name).write_text(text, "utf-8")
        (half / STATE).write_text(state.model_dump_json(), "utf-8")
        for file in half.iterdir():
            sync(file)
        if folder.exists():
            shutil.rmtree(folder)
        give_name(half, folder)
    except Exception as error:  # safetensors has an error of its own for a full disk
        shutil.rmtree(half, ignore_errors=True)
        if not isinstance(error, OSError) and "SafetensorError" not in repr(
            type(error)
        ):
            raise
        last = newest(checkpoints)
        kept = (
            f"the last whole checkpoint is {last}"
            if last
            else "there is none before it"
        )
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CheckpointFull(
            f"the checkpoint {folder} could not be written ({reason}); {kept}. Make "
            "room on the disk, and go on with --resume"
        ) from error
    keep = {folder.name, folder_of(checkpoints, state.best_step or 0).name}
    for old in _all(checkpoints)[:-KEPT]:
        if old.name not in keep:
            shutil.rmtree(old)
    return folder


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write the adapter in PEFT's format, without the card that PEFT would add."""
    saved: Any = model
    # The template of the card is compiled each time, as long as a small model takes for
    # several steps.
    saved.create_or_update_model_card = lambda output_dir: None
    # Embeddings are never trained here, and "auto" would ask the hub about the base.
    model.save_pretrained(str(folder), save_embedding_layers=False)


def load_adapter_weights(model: PeftModel, folder: Path) -> None:
    """Put the adapter in `folder` back into `model`.

    Raises:
        FinetuneError: it is broken, or of another shape.
    """
    file = folder / ADAPTER_WEIGHTS
    try:
        result = set_peft_model_state_dict(model, load_file(file))
    except Exception as error:
        raise FinetuneError(
            f"{file} cannot be put into the model ({str(error).splitlines()[0]}); "
            "delete its folder to go on from the checkpoint before it"
        ) from error
    if result.unexpected_keys:
        raise FinetuneError(
            f"{file} holds {result.unexpected_keys[0]}, which the model has not; it is "
            "of another training"
        )


def read_state(folder: Path) -> State:
    """Reads from `folder` how far its training is.

    Raises:
        FinetuneError: it is broken.
    """
    try:
        return State.model_validate_json((folder / STATE).read_bytes())
    except (OSError, ValidationError) as error:
        raise FinetuneError(
            f"{folder / STATE} is not of a checkpoint of this version; delete {folder} "
            "to go on from the one before it, or begin anew in another folder"
        ) from error


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The optimizer's and random numbers' tensors of the checkpoint in `folder`.

    Raises:
        FinetuneError: the file is broken.
    """
    file = folder / TENSORS
    try:
        with safe_open(file, "pt") as kept:
            return {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors' own class is not exported
        raise FinetuneError(
            f"{file} is not whole ({error}); delete {folder} to go on from the "
            "checkpoint before it"
        ) from error


def optimizer_tensors(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> Iterator[tuple[str, torch.Tensor]]:
    """State of the optimizer, by `optimizer/PARAMETER/KEY`."""
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            yield f"optimizer/{name}/{key}", torch.as_tensor(value)


def restore_optimizer(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    tensors: Mapping[str, torch.Tensor],
    groups: list[dict[str, float]],
) -> None:
    """Put `optimizer_tensors` and the learning rates back."""
    parameters = dict(model.named_parameters())
    fused = any(group.get("fused") for group in optimizer.param_groups)
    for path, value in tensors.items():
        kind, _, rest = path.partition("/")
        if kind != "optimizer":
            continue
        name, _, key = rest.rpartition("/")
        parameter = parameters[name]
        # A fused step counter lies where its parameter lies, any other on the CPU.
        if key != "step":
            value = value.to(parameter.device, parameter.dtype)
        elif fused:
            value = value.to(parameter.device)
        optimizer.state[parameter][key] = value
    for group, rates in zip(optimizer.param_groups, groups, strict=True):
        group.update(rates)


def random_state() -> tuple[RandomState, dict[str, torch.Tensor]]:
    """The random numbers' state of this process."""
    version, numbers, gauss = random.getstate()
    kind, keys, place, has, cached = cast("Any", np.random.get_state())
    tensors = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["cuda"] = torch.cuda.get_rng_state()
    plain = RandomState(
        python=(version, numbers, gauss),
        numpy=(kind, tuple(int(k) for k in keys), place, has, cached),
    )
    return plain, tensors


def restore_random(plain: RandomState, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put `random_state` back."""
    version, numbers, gauss = plain.python
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, place, has, cached = plain.numpy
    np.random.set_state((kind, np.array(keys, np.uint32), place, has, cached))
    torch.set_rng_state(tensors["cpu"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])


def as_json(value: object) -> dict[str, Any]:
    """A scheduler's or scaler's state; floats survive JSON exactly."""
    return json.loads(json.dumps(value))


def _all(checkpoints: Path) -> list[Path]:
    return sorted(f for f in checkpoints.glob("step-*") if (f / STATE).is_file())
