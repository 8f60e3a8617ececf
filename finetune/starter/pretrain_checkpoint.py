"""Checkpoints of the pre-training, in safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from finetune.errors import FinetuneError
from medassist.core.files import give_name

KEPT = 2  # checkpoints; the one before the last, should the last be unreadable


@dataclass(frozen=True)
class PretrainState:
    """Progress of a training."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Computing time; pauses are not counted."""


def write_checkpoint(
    folder: Path,
    progress: PretrainState,
    parameters: Mapping[str, torch.Tensor],
    optimizers: Mapping[str, torch.optim.Optimizer],
) -> Path:
    """Write weights and optimizer states to `folder`; keep the newest `KEPT`."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"weight/{n}": p.detach().contiguous() for n, p in parameters.items()}
    for kind, optimizer in optimizers.items():
        for name, parameter in parameters.items():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"{kind}/{name}/{key}"] = torch.as_tensor(value).contiguous()
    file = folder / f"step-{progress.step:07}.safetensors"
    half = file.with_suffix(".tmp")
    save_file(tensors, half, metadata={"progress": json.dumps(asdict(progress))})
    give_name(half, file)
    for old in _checkpoints(folder)[:-KEPT]:
        old.unlink()
    return file


def read_checkpoint(
    folder: Path,
    parameters: Mapping[str, torch.Tensor],
    optimizers: Mapping[str, torch.optim.Optimizer],
) -> PretrainState | None:
    """Put the newest checkpoint in `folder` back; `None` where there is none.

    Raises:
        FinetuneError: the checkpoint cannot be read or is of another model.
    """
    found = _checkpoints(folder)
    if not found:
        return None
    file = found[-1]
    try:
        with safe_open(file, "pt") as kept:
            progress = PretrainState(**json.loads(kept.metadata()["progress"]))
            names = set(kept.keys())
            if {n for n in names if n.startswith("weight/")} != {
                f"weight/{n}" for n in parameters
            }:
                raise FinetuneError(
                    f"{file} is a checkpoint of another model; use another folder"
                )
            with torch.no_grad():
                for name, parameter in parameters.items():
                    parameter.copy_(kept.get_tensor(f"weight/{name}"))
            for name in names:
                kind, _, rest = name.partition("/")
                if kind != "weight":
                    owner, _, key = rest.rpartition("/")
                    value = kept.get_tensor(name)
                    state = optimizers[kind].state[parameters[owner]]
                    state[key] = value if key == "step" else value.to(parameters[owner])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise FinetuneError(
            f"{file} cannot be read ({error}); delete it to go on from the checkpoint "
            "before it, or begin anew in another folder"
        ) from error
    except Exception as error:  # safetensors raises a class of its own, unexported
        if isinstance(error, FinetuneError):
            raise
        raise FinetuneError(
            f"{file} is not a whole checkpoint ({error}); delete it to go on from the "
            "one before it"
        ) from error
    return progress


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.safetensors"))
