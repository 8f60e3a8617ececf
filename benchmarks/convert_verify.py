"""How long the gate takes for a model of 25 M, and what memory.

Its time is that of the whole command, with the start of Python, torch and llama.cpp.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.figures import Comparison
from benchmarks.process import Measured, measure
from convert.gguf.model import convert_model
from convert.quantize import quantize
from convert.verify.texts import prose
from finetune.starter.tokenizer import train_tokenizer
from medassist.core.run_folder import VERIFY

SECONDS = 60.0  # that it may take on two cores
MIB = 2**20
CONFIG = LlamaConfig(
    vocab_size=8192,
    hidden_size=384,
    intermediate_size=1024,
    num_hidden_layers=12,
    num_attention_heads=6,
    num_key_value_heads=6,
    max_position_embeddings=2048,
    tie_word_embeddings=True,
    bos_token_id=0,
    eos_token_id=1,
)


def compare(folder: Path, runs: int) -> list[Comparison]:
    """Seconds of `convert verify`, beside those that it may take.

    Of the Q4_K_M against its F16, which was verified before.
    """
    model = random_model(folder / "random-llama-25m")
    whole, small = model / "model-f16.gguf", model / "model-Q4_K_M.gguf"
    command = [sys.executable, "-m", "convert", "verify", str(model)]
    calls = {
        "F16": [*command, str(whole)],
        "Q4_K_M": [
            *(*command, str(small)),
            *("--against", str(whole)),
        ],
    }
    rows: list[Comparison] = []
    for what, call in calls.items():
        found: list[Measured] = []
        for _ in range(runs):
            if what == "F16":
                (model / VERIFY).unlink(missing_ok=True)
            found.append(measure(call))
        rows += [
            Comparison(
                f"{what}: time, beside what it may take",
                [run.seconds for run in found],
                [SECONDS] * runs,
                unit="s",
                aim=("<=", 1.0),
            ),
            Comparison(
                f"{what}: of all processors",
                [run.processor for run in found],
                [2 * SECONDS] * runs,
                unit="s",
            ),
            Comparison(
                f"{what}: peak anonymous memory, beside weights",
                [run.anonymous / MIB for run in found],
                [weights(model) / MIB] * runs,
                unit="MiB",
            ),
        ]
    return rows


def random_model(folder: Path) -> Path:
    """A llama of 25 M random weights with its GGUFs; made once and kept."""
    if folder.is_dir():
        return folder
    half = folder.with_name(folder.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    torch.manual_seed(0)
    LlamaForCausalLM(CONFIG).save_pretrained(half)
    train_tokenizer(prose().splitlines(), 2400, 2048).save_pretrained(half)
    whole = convert_model(half, half / "model-f16.gguf", None, "f16")
    quantize(whole, half / "model-Q4_K_M.gguf", ["Q4_K_M"])
    half.rename(folder)
    return folder


def weights(folder: Path) -> int:
    """The bytes of the weights, which are stored in float32."""
    return (folder / "model.safetensors").stat().st_size
