"""The learning rate: every step learns, and the rest is what its name promises."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from transformers import get_scheduler

from finetune.train.metrics import read_metrics
from finetune.train.schedule import FALLING, Schedule
from tests.finetune.train.conftest import Trainings

NAMES = {
    "cosine": "cosine",
    "linear": "linear",
    "constant": "constant_with_warmup",
    "plateau": "warmup_stable_decay",
}


def library(kind: str, warm_up: int, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    falling = {"num_decay_steps": round(FALLING * steps), "decay_type": "linear"}
    scheduler = get_scheduler(
        NAMES[kind],
        optimizer,
        warm_up,
        steps,
        falling if kind == "plateau" else None,
    )
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(("warm_up", "steps"), [(0.03, 30), (0.1, 101), (0.0, 7)])
def test_after_the_warm_up_it_is_the_library_s_schedule(kind, warm_up, steps):
    ours = [Schedule(kind, warm_up).share(i, steps=steps) for i in range(steps)]
    rising = math.ceil(warm_up * steps)
    expected = library(kind, rising, steps)
    assert ours[rising:] == pytest.approx(expected[rising:], abs=1e-12)
    assert all(a < b for a, b in pairwise(ours[: rising + 1]))


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("warm_up", [0.0, 0.03, 0.5, 0.99])
@pytest.mark.parametrize("steps", [1, 2, 30, 1000])
def test_every_step_learns(kind, warm_up, steps):
    shares = [Schedule(kind, warm_up).share(i, steps=steps) for i in range(steps)]
    assert all(0 < share <= 1 for share in shares)


def test_a_training_s_first_step_changes_the_adapter(trainings: Trainings):
    run = trainings.make("run", train={"steps": 4, "warm_up": 0.5})
    trainings.train(run)
    rates = [s.rate for s in read_metrics(run) if s.rate is not None]
    third = 0.01 / 3
    assert rates == pytest.approx([third, 2 * third, 0.01, 0.005])
