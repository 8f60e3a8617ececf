"""Training on short dialogues: our recipe's packing beside TRL's defaults.

The same model, the same tokens and labels, the same number of rows a step in tokens of
real text; tokens a second count no padding on either side. TRL's defaults pad each
batch to its longest row. Both validate alike, and must end near the same loss: the
steps hold about the same tokens, so that they learn the same in as many steps.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import torch
import yaml
from rich.console import Console
from transformers import LlamaConfig, LlamaForCausalLM, TrainerCallback
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from benchmarks.figures import Comparison
from finetune.train.labels import IGNORED

WORDS = ("heart", "liver", "skin", "lung", "knee", "rest", "water", "pain", "fever")
MODEL: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 688,
    "num_hidden_layers": 4,
}
RECORDS, STEPS, ROWS, LENGTH = 600, 12, 2, 512
RATE = 0.005
TOLERANCE = 0.05  # of the losses, relative


class _Timed(TrainerCallback):
    """Seconds of the steps alone."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._began = time.monotonic()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds += time.monotonic() - self._began


class _Counted(DataCollatorForLanguageModeling):
    """TRL's collator, which counts what is not padding."""

    tokens = 0

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch = super().torch_call(examples)
        self.tokens += int(batch["attention_mask"].sum())
        return batch


def compare(folder: Path, runs: int, threads: int) -> list[Comparison]:
    """Tokens a second of both, and their validation losses after the same tokens."""
    torch.set_num_threads(threads)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        root = Path(place)
        _base(root / "base")
        _data(root)
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        for number in range(runs):
            ours.append(_ours(root, number))
            theirs.append(_theirs(root, number))
    speed = Comparison(
        "real tokens a second",
        [s for s, _ in ours],
        [s for s, _ in theirs],
        unit="tok/s",
        aim=(">=", 2.0),
    )
    loss = Comparison(
        "validation loss after the same tokens",
        [v for _, v in ours],
        [v for _, v in theirs],
        unit="nats",
        aim=("<=", 1 + TOLERANCE),
    )
    return [speed, loss]


def _ours(root: Path, number: int) -> tuple[float, float]:
    from finetune.train.preparation import TrainingWishes, prepare
    from finetune.train.train import train
    from finetune.train.training_folder import open_run

    run = root / f"ours-{number}"
    shutil.copytree(root / "data", run / "data")
    recipe = _recipe(root)
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    prepared = prepare(
        open_run(str(run), None, resume=False), TrainingWishes(device="cpu")
    )
    result = train(prepared, Console(quiet=True))
    assert result is not None  # there is one process alone
    return result.tokens_per_second, result.best.validation_loss or 0.0


def _theirs(root: Path, number: int) -> tuple[float, float]:
    """TRL's SFTTrainer as it comes, but in float32 as ours, on the same LoRA."""
    from peft import LoraConfig
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from finetune.train.base_model import load_base, load_tokenizer
    from finetune.train.training_rows import RowOptions, write_rows

    run = root / f"theirs-{number}"
    tokenizer = load_tokenizer(root / "base")
    options = RowOptions(LENGTH, cut=False)
    rows = {
        name: write_rows(
            root / "data" / f"{name}.jsonl", run / f"{name}.arrow", tokenizer, options
        ).dataset()
        for name in ("train", "validation")
    }
    counted = _Counted(pad_token_id=cast("int", tokenizer.pad_token_id))
    timed = _Timed()
    trainer = SFTTrainer(
        model=load_base(root / "base"),
        args=SFTConfig(
            output_dir=str(run),
            max_steps=STEPS,
            gradient_accumulation_steps=_rows_in_a_step(root) // 8,
            learning_rate=RATE,
            warmup_steps=0.03,
            lr_scheduler_type="cosine",
            bf16=False,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=rows["train"],
        processing_class=tokenizer,
        peft_config=LoraConfig(
            task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"
        ),
        data_collator=cast("Any", counted),
        callbacks=[timed],
    )
    trainer.train()
    tokens = counted.tokens
    model = cast("Any", trainer.model).eval()
    nats, learned = 0.0, 0
    with torch.no_grad():
        for row in cast("Any", rows["validation"]):
            ids, labels = (torch.tensor([row[k]]) for k in ("input_ids", "labels"))
            logs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
            own = labels[0, 1:] != IGNORED
            nats -= float(logs.gather(1, ids[0, 1:, None])[own].sum())
            learned += int(own.sum())
    return tokens / timed.seconds, nats / learned


def _rows_in_a_step(root: Path) -> int:
    """Dialogues that hold the tokens of our packed rows, in eights."""
    lines = (root / "data/train.jsonl").read_text("utf-8").splitlines()
    from finetune.data.prepared_records import RECORD
    from finetune.train.base_model import load_tokenizer
    from finetune.train.chat_format import encode_rows

    tokenizer = load_tokenizer(root / "base")
    rows = (encode_rows(tokenizer, RECORD.validate_json(line)) for line in lines)
    sizes = [sum(len(row.ids) for row in each) for each in rows]
    return 8 * max(1, round(ROWS * LENGTH / (sum(sizes) / len(sizes)) / 8))


def _recipe(root: Path) -> dict[str, Any]:
    return {
        "name": "packing",
        "base": str(root / "base"),
        "train": {
            "steps": STEPS,
            "rate": RATE,
            "rows": ROWS,
            "rows_at_once": 1,
            "max_length": LENGTH,
            "validations": 0,
            "checkpoint_minutes": 1000,
        },
        "lora": {"r": 16, "dropout": 0.0},
    }


def _base(folder: Path) -> None:
    from finetune.starter.tokenizer import train_tokenizer

    torch.manual_seed(1)
    chance = random.Random(1)
    texts = [" ".join(chance.choices(WORDS, k=20)) for _ in range(200)]
    tokenizer = train_tokenizer(texts, 280, 2048)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=True,
        **MODEL,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _data(root: Path) -> None:
    """Dialogues of very different lengths, as real ones are: most are short."""
    chance = random.Random(2)
    (root / "data").mkdir()
    for name, count in (("train", RECORDS), ("validation", 40)):
        rows: list[str] = []
        for i in range(count):
            words = min(300, int(chance.lognormvariate(2.7, 0.9)) + 2)
            answer = " ".join(chance.choices(WORDS, k=words))
            asked = " ".join(chance.choices(WORDS, k=4))
            row = {
                "version": 1,
                "kind": "dialogue",
                "id": f"{name}{i}",
                "source": "own",
                "group": f"{name}{i}",
                "licence": {"name": "CC0 1.0", "evidence": "made by this benchmark"},
                "messages": [
                    {"role": "user", "content": asked},
                    {"role": "assistant", "content": answer},
                ],
            }
            rows.append(json.dumps(row) + "\n")
        (root / "data" / f"{name}.jsonl").write_text("".join(rows), "utf-8")


if __name__ == "__main__":
    from benchmarks.figures import show

    began = time.perf_counter()
    show("Training", compare(Path(tempfile.gettempdir()), 1, 1))
    print(f"{time.perf_counter() - began:.0f} s")
