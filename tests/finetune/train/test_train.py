from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import finetune.train.checkpoint as checkpoints
from finetune.errors import FinetuneError, Interrupted
from finetune.train.checkpoint import CheckpointFull, newest, read_state
from finetune.train.metrics import TrainingStep, read_metrics
from finetune.train.preparation import TrainingWishes
from finetune.train.result import read_training
from finetune.train.shortage import smaller
from finetune.train.train import train
from finetune.train.training_folder import open_run
from finetune.train.training_progress import TrainingProgress
from tests.finetune.train.conftest import (
    Trainings,
    console,
    dialogue,
    text,
    write_split,
)

RESUME = TrainingWishes(resume=True, device="cpu", threads=1)


def losses(run: Path) -> dict[int, float]:
    return {s.step: s.loss for s in read_metrics(run) if s.loss is not None}


def validations(run: Path) -> dict[int, float]:
    found = (s for s in read_metrics(run) if s.validation_loss is not None)
    return {s.step: s.validation_loss or 0.0 for s in found}


class After:
    """Says yes once it has been asked so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self) -> bool:
        self.times -= 1
        return self.times <= 0


def test_a_training_leaves_an_adapter_that_is_better_than_the_base(
    trainings: Trainings, llama: Path
) -> None:
    run = trainings.make("run", train={"packing": False, "epochs": 1})
    result = trainings.train(run)

    assert result == read_training(run)
    assert result.first_validation_loss is not None
    assert result.best.validation_loss is not None
    assert result.best.validation_loss < 0.9 * result.first_validation_loss
    assert result.steps == result.planned_steps == max(losses(run)) == 8
    # What PEFT reads back gives the loss that the training claims.
    adapted = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(llama), run / "adapter"
    ).eval()
    assert plain_loss(adapted, run) == pytest.approx(
        result.best.validation_loss, rel=1e-5
    )
    base = AutoModelForCausalLM.from_pretrained(llama).eval()
    assert plain_loss(base, run) == pytest.approx(
        result.first_validation_loss, rel=1e-5
    )
    assert not list(run.rglob("*.bin")) + list(run.rglob("*.pt*"))
    assert not list(run.rglob("README.md"))  # the card that PEFT would add


@torch.no_grad()
def plain_loss(model: Any, run: Path) -> float:
    """The loss over the answers of the validation set, dialogue by dialogue."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(run / "adapter")
    nats, count = 0.0, 0
    for line in (run / "data/validation.jsonl").read_text("utf-8").splitlines():
        messages = json.loads(line)["messages"]
        prompt = tokenizer.apply_chat_template(
            messages[:-1], tokenize=False, add_generation_prompt=True
        )
        whole = tokenizer.apply_chat_template(messages, tokenize=False)
        first = len(tokenizer(prompt, add_special_tokens=False).input_ids)
        ids = torch.tensor([tokenizer(whole, add_special_tokens=False).input_ids])
        logs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        own = logs.gather(1, ids[0, 1:, None])[first - 1 :]
        nats -= float(own.sum())
        count += len(own)
    return nats / count


def test_packed_rows_give_the_loss_of_rows_apart(trainings: Trainings) -> None:
    found = {}
    for packing in (True, False):
        run = trainings.make(str(packing), train={"packing": packing, "steps": 1})
        result = trainings.train(run)
        found[packing] = result.first_validation_loss
        if packing:
            assert result.train.rows < result.train.used
    assert found[True] == pytest.approx(found[False], rel=1e-5)


def test_a_killed_training_goes_on_with_the_same_losses(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trainings.make("whole")
    trainings.train(whole)
    broken = trainings.make("broken")
    prepared = trainings.prepare(broken)
    each = prepared.tuner.validate_every  # a checkpoint stands there

    def die(step: TrainingStep) -> None:
        if step.loss is not None and step.step == each + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        real = TrainingProgress.show
        monkeypatch.setattr(
            TrainingProgress, "show", lambda self, step: (real(self, step), die(step))
        )
        train(prepared, console())
    monkeypatch.undo()
    assert read_state(newest(broken / "checkpoints") or broken).step == each
    again = trainings.train(broken, RESUME)

    assert losses(broken) == losses(whole)
    assert validations(broken) == validations(whole)
    assert again.tokens == read_training(whole).tokens
    one, two = (
        load_file(run / "adapter/adapter_model.safetensors") for run in (whole, broken)
    )
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_stop_keeps_a_checkpoint_and_an_adapter_and_says_how_to_go_on(
    trainings: Trainings,
) -> None:
    run = trainings.make("run")
    with pytest.raises(Interrupted, match=r"stopped after step \d+ of .*--resume"):
        trainings.train(run, asked=After(20))
    stopped = read_training(run)
    assert stopped.stopped_why == "asked"
    assert stopped.steps < stopped.planned_steps
    assert (run / "adapter/adapter_model.safetensors").is_file()
    with pytest.raises(FinetuneError, match=r"stopped after step \d+; .*--resume"):
        open_run(str(run), None, resume=False)
    assert trainings.train(run, RESUME).stopped_why == "finished"


@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.soak)])
def test_a_stop_at_any_moment_goes_on_to_the_same_losses_and_adapter(
    trainings: Trainings, stride: int
) -> None:
    part = {"packing": False, "epochs": 2, "validations": 2}
    rows = [dialogue(i) for i in range(8)]
    whole = trainings.make("whole", rows, train=part)
    moments = After(10**6)
    trainings.train(whole, asked=moments)
    asked = 10**6 - moments.times
    steps: set[int] = set()
    # Each question is a moment: in validations, between micro-batches, after steps.
    for moment in range(1, asked + 1, stride):
        run = trainings.make(f"stopped-{moment}", rows, train=part)
        with pytest.raises(Interrupted) as stop:
            trainings.train(run, asked=After(moment))
        if "nothing was learned" in str(stop.value):
            assert newest(run / "checkpoints") is None
            assert not (run / "adapter").exists()
        else:
            steps.add(read_training(run).steps)
            assert (run / "adapter/adapter_model.safetensors").is_file()
        trainings.train(run, RESUME)
        assert losses(run) == losses(whole), moment
        assert validations(run) == validations(whole), moment
        assert adapter_of(run) == adapter_of(whole), moment
    assert len(steps) > 2


def test_a_training_killed_after_its_last_step_only_makes_its_adapter(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = {"steps": 3, "epochs": 1, "packing": False, "validations": 0}
    whole, broken = (trainings.make(name, train=part) for name in ("whole", "broken"))
    trainings.train(whole)
    with monkeypatch.context() as patch:
        patch.setattr("finetune.train.train._finish", _killed)
        with pytest.raises(KeyboardInterrupt):
            trainings.train(broken)
    assert trainings.train(broken, RESUME).steps == 3
    assert losses(broken) == losses(whole)
    assert adapter_of(broken) == adapter_of(whole)


def _killed(prepared: object) -> None:
    raise KeyboardInterrupt


def adapter_of(run: Path) -> bytes:
    return (run / "adapter/adapter_model.safetensors").read_bytes()


def test_a_budget_stops_the_training_before_it_is_exceeded(
    trainings: Trainings,
) -> None:
    run = trainings.make("run", train={"validations": 0, "epochs": 20})
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0  # each look at the clock costs a second
        return now

    wishes = TrainingWishes(device="cpu", threads=1, price=3600.0, budget=90.0)
    result = trainings.train(run, wishes, clock=clock)
    assert result.stopped_why == "budget"
    assert 0 < result.steps < result.planned_steps
    assert result.cost is not None
    assert 30 < result.cost.spent <= 90
    assert newest(run / "checkpoints") is not None
    # More money, and it goes on where it was.
    more = TrainingWishes(True, "cpu", 3600.0, 1e6, threads=1)
    assert trainings.train(run, more).steps == result.planned_steps


def test_it_stops_when_it_no_longer_gets_better_and_keeps_the_best(
    trainings: Trainings,
) -> None:
    part = {"rate": 0.9, "schedule": "constant", "epochs": 20, "patience": 2}
    run = trainings.make("run", train={**part, "warm_up": 0.0})
    result = trainings.train(run)
    seen = validations(run)
    assert result.stopped_why == "early"
    assert result.steps < result.planned_steps
    del seen[0]
    assert result.best.step == min(seen, key=lambda step: seen[step])
    assert (run / result.best.checkpoint).is_dir()


@pytest.mark.parametrize("method", ["rslora", "dora", "alora"])
def test_each_kind_of_adapter_learns(trainings: Trainings, method: str) -> None:
    packing = method != "alora"
    run = trainings.make("run", train={"packing": packing}, lora={"method": method})
    result = trainings.train(run)
    assert result.best.validation_loss is not None
    assert result.first_validation_loss is not None
    assert result.best.validation_loss < result.first_validation_loss
    config = json.loads((run / "adapter/adapter_config.json").read_text("utf-8"))
    assert config["use_rslora"] == (method == "rslora")
    assert config["use_dora"] == (method == "dora")
    assert bool(config["alora_invocation_tokens"]) == (method == "alora")


def test_a_base_without_pad_token_or_template_is_trained(
    tmp_path: Path, gpt2: Path
) -> None:
    trainings = Trainings(tmp_path, gpt2)
    run = trainings.make("run")
    result = trainings.train(run)
    assert result.method.chat_format == "plain"
    assert set(result.method.targets) == {"c_attn", "c_proj", "c_fc"}
    assert "Question: " in (run / "adapter/chat_template.jinja").read_text("utf-8")
    assert any("no chat template" in note for note in result.notes)
    assert result.best.validation_loss is not None


def test_a_full_disk_leaves_the_last_checkpoint_whole(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainings.make("run", train={"validations": 3})
    real, calls = checkpoints.save_file, 0

    def full(*args: Any, **more: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            Path(args[1]).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*args, **more)

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(CheckpointFull, match=r"No space.*last whole.*--resume"):
        trainings.train(run)
    kept = list((run / "checkpoints").glob("*step-*"))
    assert kept == [newest(run / "checkpoints")]
    assert trainings.train(run, RESUME).stopped_why == "finished"


def test_a_lack_of_memory_names_the_next_smaller_setting(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = trainings.prepare(trainings.make("run"))

    def too_much(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(prepared.tuner, "compute_loss", too_much)
    with pytest.raises(FinetuneError, match="rows_at_once: 1"):
        train(prepared, console())
    alone = trainings.recipe(train={"rows_at_once": 1})
    assert "checkpointing: true" in smaller(alone)


def test_a_finished_training_is_not_done_twice(trainings: Trainings) -> None:
    run = trainings.make("run", train={"steps": 2})
    trainings.train(run)
    assert open_run(str(run), None, resume=False).finished() == read_training(run)


def test_a_run_folder_of_another_recipe_is_refused_and_stays_whole(
    trainings: Trainings, write_recipe: Callable[[dict[str, Any]], Path]
) -> None:
    run = trainings.make("run", train={"steps": 2})
    trainings.train(run)
    before = (run / "recipe.yaml").read_bytes()
    other = write_recipe(trainings.recipe(lora={"r": 8}).model_dump(mode="json"))
    with pytest.raises(FinetuneError, match=r"another recipe .*differ in train, lora"):
        open_run(str(other), run, resume=True)
    assert (run / "recipe.yaml").read_bytes() == before


def test_rows_over_the_context_of_the_model_are_refused(trainings: Trainings) -> None:
    run = trainings.make("run", train={"max_length": 512})
    with pytest.raises(FinetuneError, match=r"512 tokens, .* made for 256"):
        trainings.prepare(run)


def test_text_is_divided_and_no_token_of_it_is_lost(trainings: Trainings) -> None:
    rows = [text(i, 200) for i in range(6)]
    run = trainings.make("run", rows, train={"max_length": 64, "steps": 1})
    prepared = trainings.prepare(run)
    dataset: Any = prepared.tuner.train_dataset
    whole = sum(len(row["input_ids"]) for row in dataset)
    assert whole == prepared.train.tokens
    single = len(prepared.tokenizer(rows[0]["text"]).input_ids) + 1
    assert whole == 6 * single
    assert single > 64


def test_what_is_left_out_is_counted_with_its_reason(trainings: Trainings) -> None:
    long, marked = dialogue(1, turns=9), dialogue(2)
    marked["messages"][0]["content"] += "<|assistant|>"
    run = trainings.make("run", [*map(dialogue, range(9)), long, marked])
    prepared = trainings.prepare(run)
    assert prepared.train.used == 9
    assert prepared.train.left_out == {
        "longer than max_length": 1,
        "a message holds one of the model's own marks": 1,
    }


def test_data_without_a_usable_record_is_a_sentence(trainings: Trainings) -> None:
    run = trainings.make("run", [dialogue(1, turns=9)])
    with pytest.raises(FinetuneError, match="1 records, of which 1 longer"):
        trainings.prepare(run)
    write_split(run, "train", [])
    with pytest.raises(FinetuneError, match=r"train\.jsonl is empty"):
        trainings.prepare(run)


def test_4_bits_without_a_gpu_is_a_sentence(trainings: Trainings) -> None:
    run = trainings.make("run", lora={"method": "qlora"})
    with pytest.raises(FinetuneError, match=r"NVIDIA GPU.*lora\.method: lora"):
        trainings.prepare(run)
