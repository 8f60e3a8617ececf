from __future__ import annotations

from pathlib import Path

import pytest

from finetune.train import preparation, trial
from finetune.train.base_model import load_base
from finetune.train.estimate import (
    GIB,
    REACHED,
    Shape,
    TrainingLoad,
    memory,
    operations,
    shape_of,
)
from finetune.train.metrics import read_metrics
from finetune.train.trial import tokens_per_second
from tests.finetune.train.conftest import Trainings

LLAMA2 = Shape(6_738_415_616, 6_476_005_376, 4096, 11008, 32, 32000)
LLAMA31 = Shape(8_030_261_248, 6_979_321_856, 4096, 14336, 32, 128256)
R8, R16 = 20_971_520, 39_976_960


@pytest.mark.parametrize(
    ("nf4", "published"),
    [(False, 16.2), (True, 7.4)],
)
def test_memory_is_near_what_torchtune_published_for_llama_3_1_on_a_4090(
    nf4: bool, published: float
) -> None:
    load = TrainingLoad(R8, 2 * 2048, "bf16", nf4)
    expected = memory(LLAMA31, load).total / GIB
    assert published <= expected <= 1.3 * published


def test_four_bits_fit_where_litgpt_published_that_they_do() -> None:
    # It keeps activations and all logits: 19.8 GB in bf16 and 13.7 in nf4 on an A10G.
    plain = memory(LLAMA2, TrainingLoad(R16, 512, "bf16")).total
    four = memory(LLAMA2, TrainingLoad(R16, 512, "bf16", nf4=True)).total
    assert plain < 19.8e9
    assert four < 13.7e9
    assert 5e9 < plain - four < 11e9


def test_speed_is_in_the_range_seen_on_an_a10g() -> None:
    per_token = operations(LLAMA2, TrainingLoad(R16, 2048, "bf16", nf4=True))
    assert 700 <= 70e12 * REACHED / per_token <= 1000


def test_the_shape_of_a_loaded_model_is_its_own(llama: Path, gpt2: Path) -> None:
    model = load_base(llama)
    shape = shape_of(model)
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    attention = 32 * (32 + 16 + 16 + 32)
    assert shape.linear == 2 * (attention + 3 * 32 * 48)
    assert (shape.hidden, shape.feed_forward, shape.layers) == (32, 48, 2)
    assert shape_of(load_base(gpt2)).linear == 2 * 12 * 32 * 32


class Clock:
    """Shows another eighth of a second each time it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.125
        return self.now


def test_a_trial_counts_the_tokens_of_its_seconds(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainings.make("run", train={"packing": False, "rows_at_once": 2})
    tuner = trainings.prepare(run).tuner
    monkeypatch.setattr(trial, "ENOUGH", 1.0)
    speed = tokens_per_second(tuner, Clock())
    first = list(tuner.train_dataset)[:2]  # pyright: ignore[reportArgumentType]
    lengths = [len(row["input_ids"]) for row in first]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert speed == sum(lengths) / 0.125


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_trial_leaves_the_training_as_it_was(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch, checkpointing: bool
) -> None:
    train = {"steps": 3, "checkpointing": checkpointing}
    found: list[list[float | None]] = []
    for name in ("with", "without"):
        run = trainings.make(name, train=train)
        trainings.train(run)
        found.append([step.loss for step in read_metrics(run)])
        monkeypatch.setattr(preparation, "tokens_per_second", lambda _: 1000.0)
    assert found[0] == found[1]


def test_the_time_is_that_of_all_steps_and_validations(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "tokens_per_second", lambda _: 50.0)
    part = {"packing": False, "rows": 4, "epochs": 2, "validations": 2}
    prepared = trainings.prepare(trainings.make("run", train=part))
    validation = prepared.validation
    assert validation is not None
    # 16 steps, validated before them and after each fourth, forward alone: half a step.
    tokens = 2 * prepared.train.tokens + validation.tokens * 5 / 2
    assert prepared.estimate.seconds == pytest.approx(tokens / 50)


def test_what_does_not_fit_is_not_tried(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation.estimates, "available_memory", lambda _: 1)
    monkeypatch.setattr(preparation, "tokens_per_second", lambda _: pytest.fail("no"))
    prepared = trainings.prepare(trainings.make("run"))
    assert prepared.estimate.seconds > 0
    assert not prepared.estimate.fits
