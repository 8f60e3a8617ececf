"""`convert merge` beside PEFT's merge_and_unload, each a process of its own.

Ours writes to the disk (fsync) and hashes what it read and wrote; PEFT does neither.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from benchmarks.convert_gguf import MIB, random_checkpoint
from benchmarks.figures import Comparison
from benchmarks.process import Measured, measure
from convert.hf_folder import read_weights
from medassist.core.run_folder import ADAPTER_WEIGHTS

RANK = 16
PEFT = Path(__file__).with_name("peft_merge.py")


def compare(folder: Path, runs: int) -> list[Comparison]:
    """Time and peak anonymous memory of both, on 1 GB in bfloat16 and a LoRA on it."""
    base = random_checkpoint(folder / "random-llama-1gb")
    rows: list[Comparison] = []
    for kind in ("LoRA", "DoRA"):
        adapter = random_adapter(base, folder / f"random-{kind.lower()}", kind)
        ours, theirs = folder / "merged-ours", folder / "merged-theirs"
        places = [str(base), str(adapter)]
        commands = (
            [sys.executable, "-m", "convert", "merge", *places, str(ours)],
            [sys.executable, str(PEFT), *places, str(theirs)],
        )
        found: tuple[list[Measured], list[Measured]] = ([], [])
        for _ in range(runs):
            for command, measured in zip(commands, found, strict=True):
                shutil.rmtree(command[-1], ignore_errors=True)
                measured.append(measure(command))
        _check_same(ours, theirs)
        aims = (("<=", 1.0), ("<=", 0.5)) if kind == "LoRA" else (None, None)
        rows += [
            Comparison(
                f"{kind}: time",
                *([run.seconds for run in side] for side in found),
                unit="s",
                aim=aims[0],
            ),
            Comparison(
                f"{kind}: peak anonymous memory",
                *([run.anonymous / MIB for run in side] for side in found),
                unit="MiB",
                aim=aims[1],
            ),
            Comparison(
                f"{kind}: peak of mapped files",
                *([run.mapped / MIB for run in side] for side in found),
                unit="MiB",
            ),
        ]
        for merged in (ours, theirs):
            shutil.rmtree(merged)
    return rows


def random_adapter(base: Path, folder: Path, kind: str) -> Path:
    """A LoRA or DoRA of rank 16 on every linear layer; made once and kept."""
    if folder.is_dir():
        return folder
    half = folder.with_name(folder.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    random = torch.Generator().manual_seed(1)
    tensors: dict[str, torch.Tensor] = {}
    modules: set[str] = set()
    for weight in read_weights(base):
        module = weight.name.removesuffix(".weight")
        if not module.endswith("_proj"):
            continue
        modules.add(module.rpartition(".")[2])
        rows, columns = weight.shape
        for side, shape in (("A", (RANK, columns)), ("B", (rows, RANK))):
            values = torch.randn(shape, generator=random) / 50
            tensors[f"base_model.model.{module}.lora_{side}.weight"] = values
        if kind == "DoRA":
            values = 0.5 + torch.rand(rows, generator=random)
            tensors[f"base_model.model.{module}.lora_magnitude_vector"] = values
    save_file(tensors, half / ADAPTER_WEIGHTS, {"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.name,
        "r": RANK,
        "lora_alpha": 2 * RANK,
        "target_modules": sorted(modules),
        "use_dora": kind == "DoRA",
    }
    (half / "adapter_config.json").write_text(json.dumps(config), "utf-8")
    half.rename(folder)
    return folder


def _check_same(ours: Path, theirs: Path) -> None:
    one, two = ({w.name: w for w in read_weights(f)} for f in (ours, theirs))
    if one.keys() != two.keys() or any(
        weight.source.raw(name) != two[name].source.raw(name)
        for name, weight in one.items()
    ):
        raise RuntimeError(f"the weights in {ours} and {theirs} differ")
