from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from rich.console import Console
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from finetune.recipe import TrainRecipe, parse_recipe
from finetune.train.preparation import PreparedTraining, TrainingWishes, prepare
from finetune.train.result import TrainingResult
from finetune.train.train import train
from finetune.train.training_folder import open_run
from tests.convert.tiny_hf import tiny_tokenizer

LICENCE = {"name": "CC0 1.0", "evidence": "written for this test"}
ORGANS = ("heart", "liver", "skin", "lung", "knee", "ear")


def dialogue(number: int, turns: int = 1) -> dict[str, Any]:
    messages: list[dict[str, str]] = []
    for turn in range(turns):
        organ = ORGANS[(number + turn) % len(ORGANS)]
        question = f"What helps a sore {organ}, case {number}?"
        answer = f"Rest the {organ}, " + "drink water, " * (number % 4) + "and wait."
        messages += [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    return record(number, kind="dialogue", messages=messages)


def text(number: int, words: int = 40) -> dict[str, Any]:
    return record(number, kind="text", text="The heart pumps blood. " * (words // 4))


def record(number: int, **fields: Any) -> dict[str, Any]:
    where = {"id": str(number), "source": "own", "group": f"g{number}"}
    return {"version": 1, **where, "licence": LICENCE, **fields}


def write_split(run: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    (run / "data").mkdir(parents=True, exist_ok=True)
    file = run / "data" / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of a few thousand random weights, with a chat template."""
    folder = tmp_path_factory.mktemp("base") / "llama"
    torch.manual_seed(11)
    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=True,
        initializer_range=0.1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """distilgpt2's architecture, tiny: no pad token, no chat template."""
    folder = tmp_path_factory.mktemp("base") / "gpt2"
    torch.manual_seed(12)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = None
    tokenizer.pad_token = None
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=128,
        bos_token_id=0,
        eos_token_id=1,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class Trainings:
    """Trains in run folders of a test's own."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder = folder
        self.base = base

    def recipe(self, **parts: dict[str, Any]) -> TrainRecipe:
        content: dict[str, Any] = {
            "name": "tiny",
            "seed": 3,
            "base": str(self.base),
            "train": {
                "epochs": 2,
                "rate": 0.01,
                "rows": 4,
                "rows_at_once": 2,
                "max_length": 96,
                "checkpointing": False,
                "validations": 1,
                "warm_up": 0.1,
                **parts.get("train", {}),
            },
            "lora": {"r": 4, "dropout": 0.1, **parts.get("lora", {})},
        }
        return parse_recipe(content, "the test's recipe")

    def make(
        self, name: str, rows: list[dict[str, Any]] | None = None, **parts: Any
    ) -> Path:
        """A run folder with data and a recipe, ready to train."""
        run = self.folder / name
        write_split(run, "train", rows or [dialogue(i) for i in range(32)])
        write_split(run, "validation", [dialogue(i) for i in range(100, 110)])
        self.recipe(**parts).write(run / "recipe.yaml")
        return run

    def prepare(
        self, run: Path, wishes: TrainingWishes | None = None, **more: Any
    ) -> PreparedTraining:
        wishes = wishes or TrainingWishes(device="cpu", threads=1)
        return prepare(open_run(str(run), None, resume=wishes.resume), wishes, **more)

    def train(
        self, run: Path, wishes: TrainingWishes | None = None, **more: Any
    ) -> TrainingResult:
        result = train(self.prepare(run, wishes, **more), console())
        assert result is not None  # the process that writes
        return result


def console() -> Console:
    return Console(file=StringIO(), width=100)


@pytest.fixture
def trainings(tmp_path: Path, llama: Path) -> Trainings:
    return Trainings(tmp_path, llama)


@pytest.fixture
def write_recipe(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    def write(content: dict[str, Any]) -> Path:
        file = tmp_path / "recipe.yaml"
        file.write_text(yaml.safe_dump(content), "utf-8")
        return file

    return write


@pytest.fixture(autouse=True)
def _a_short_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step is enough where nobody reads the estimate."""
    monkeypatch.setattr("finetune.train.trial.ENOUGH", 1e-4)
