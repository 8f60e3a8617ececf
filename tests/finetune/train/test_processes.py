"""What needs processes of its own: signals, several GPUs (here: gloo), a sweep."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from finetune.commands import app
from finetune.train.checkpoint import newest
from finetune.train.metrics import read_metrics
from finetune.train.result import read_training
from tests.finetune.train.conftest import Trainings, dialogue

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
FINETUNE = [sys.executable, "-m", "finetune"]


def sweep(*words: object) -> Result:
    """The verb in this process; each of its trials is a process of its own."""
    return CliRunner().invoke(app, ["sweep", *map(str, words)])


def test_two_processes_give_the_losses_of_one_with_the_same_global_batch(
    trainings: Trainings,
) -> None:
    part = {"packing": False, "rows": 4, "rows_at_once": 1, "epochs": 1, "steps": 4}
    rows = [dialogue(i) for i in range(16)]
    runs = {
        name: trainings.make(name, rows, train=part, lora={"dropout": 0.0})
        for name in ("one", "two")
    }
    trainings.train(runs["one"])
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"),
            *("-m", "finetune", "train", str(runs["two"]), "--device", "cpu"),
        ],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = (read_metrics(runs[name]) for name in ("one", "two"))
    assert [s.step for s in one] == [s.step for s in two]
    for ours, theirs in zip(one, two, strict=True):
        assert ours.tokens == theirs.tokens
        for figure in ("loss", "validation_loss"):
            if getattr(ours, figure) is not None:
                assert getattr(theirs, figure) == pytest.approx(
                    getattr(ours, figure), rel=1e-5
                )
    assert read_training(runs["two"]).processes == 2


def test_sigterm_ends_with_130_and_a_checkpoint(trainings: Trainings) -> None:
    run = trainings.make("run", train={"epochs": 1000})
    child = subprocess.Popen(
        [*FINETUNE, "train", str(run), "--device", "cpu", "--threads", "1"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    said = ""
    for line in child.stderr:
        said += line
        if line.startswith("training"):
            child.send_signal(signal.SIGTERM)
            break
    said += child.stderr.read()
    assert child.wait(300) == 130, said
    assert "--resume" in said
    assert newest(run / "checkpoints") is not None


def test_a_sweep_names_the_setting_with_the_lowest_validation_loss(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, ENVIRONMENT[name])
    run = trainings.make("run", train={"steps": 3})
    options = ["--device", "cpu", "--threads", "1", "--json"]
    done = sweep(run, *options, "--grid", "lr=1e-6,2e-2", "r=2")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    losses = {t["setting"]["train.rate"]: t["validation_loss"] for t in found["trials"]}
    assert losses[2e-2] < losses[1e-6]
    for trial in found["trials"]:
        assert read_training(run / trial["folder"]).method.rank == 2

    # Done twice it says so; with --resume there is nothing left to do.
    assert "--resume" in str(sweep(run, *options, "lr=1e-6").exception)
    again = sweep(run, "--resume", "--grid", "lr=1e-6,2e-2", "r=2")
    assert again.exit_code == 0
    assert again.stdout.splitlines()[-1].endswith("trials/01")
