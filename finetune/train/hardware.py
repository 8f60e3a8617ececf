"""Device and precision of a training."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass

import torch

from finetune.errors import FinetuneError
from finetune.recipe import TrainRecipe
from finetune.train.estimate import Precision

DTYPES: dict[Precision, torch.dtype] = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
}


@dataclass(frozen=True)
class Hardware:
    """Device of this process, and number of processes."""

    device: torch.device
    processes: int
    precision: Precision
    why: str
    """The choice of precision in words."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of the base's weights."""
        return DTYPES[self.precision]

    @property
    def words(self) -> str:
        """Description for a card."""
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
            return f"{self.processes} x {name}, {self.precision}"
        threads = torch.get_num_threads() * self.processes
        return f"{threads} CPU threads ({platform.machine()}), {self.precision}"


def pick_device(wish: str) -> torch.device:
    """The device for `cpu`, `cuda` or `auto`.

    Raises:
        FinetuneError: CUDA is wanted and not there.
    """
    there = torch.cuda.is_available()
    if wish == "cuda" and not there:
        raise FinetuneError(
            "this PyTorch sees no CUDA device; use --device cpu, or install a build of "
            "torch with CUDA"
        )
    return torch.device("cuda" if there and wish != "cpu" else "cpu")


def peak_memory(device: torch.device) -> int:
    """Bytes at the peak so far: of the GPU, else of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def choose(recipe: TrainRecipe, wish: str) -> Hardware:
    """The hardware for a recipe.

    Args:
        recipe: whose precision is wished for.
        wish: `auto`, `cpu` or `cuda`.

    Raises:
        FinetuneError: what is asked for is not there.
    """
    device = pick_device(wish)
    cuda = device.type == "cuda"
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if recipe.train.rows % (recipe.train.rows_at_once * processes):
        raise FinetuneError(
            f"train.rows ({recipe.train.rows}) is no multiple of rows_at_once "
            f"({recipe.train.rows_at_once}) times {processes} processes; change one"
        )
    if recipe.lora.method == "qlora" and not cuda:
        raise FinetuneError(
            "method: qlora keeps the base in 4 bits by bitsandbytes, which needs an "
            "NVIDIA GPU, and there is none here; set lora.method: lora, or train on a "
            "machine with one"
        )
    if cuda:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    precision, why = _precision(recipe.train.precision, cuda)
    return Hardware(device, processes, precision, why)


def _precision(wish: str, cuda: bool) -> tuple[Precision, str]:
    if not cuda:
        if wish in ("auto", "fp32"):
            return "fp32", "fp32, since a CPU trains"
        if wish == "bf16":
            return "bf16", "bf16, as asked for"
        return "fp32", f"fp32: {wish} was asked for, and a CPU does not train in it"
    good = torch.cuda.is_bf16_supported(including_emulation=False)
    match wish:
        case "auto" if good:
            return "bf16", "bf16, which this GPU computes in"
        case "auto":
            return "fp16", "fp16 with a loss scaler, since this GPU has no bf16"
        case "bf16" if not good:
            return "fp16", "fp16 with a loss scaler: this GPU has no bf16"
        case "fp16":
            return "fp16", "fp16 with a loss scaler, as asked for"
        case "bf16":
            return "bf16", "bf16, as asked for"
        case _:
            return "fp32", "fp32, as asked for"
