"""The container's side of a training job, run for real in a temporary folder."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from finetune.sagemaker import spent
from finetune.sagemaker.container import keeping
from finetune.train.result import read_training
from tests.finetune.sagemaker.container.conftest import STEPS
from tests.finetune.sagemaker.container.jobs import Container, figures

Make = Callable[[str], Container]


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
    prepared_run: Path,
    llama: Path,
    wheel: Path,
) -> tuple[Container, str]:
    """A job that nobody disturbed, and what it said."""
    folder = tmp_path_factory.mktemp("whole")
    job = Container(folder, prepared_run, llama, wheel)
    code, said = job.run(MEDASSIST_PRICE="1.515", MEDASSIST_BUDGET_SECONDS="3600")
    assert code == 0, said
    return job, said


def test_a_job_leaves_the_adapter_its_account_and_its_figures(
    whole: tuple[Container, str],
) -> None:
    job, said = whole
    result = read_training(job.model)
    assert result.stopped_why == "finished"
    assert result.steps == STEPS
    assert result.cost is not None and result.cost.price_per_hour == 1.515
    assert load_file(job.model / "adapter/adapter_model.safetensors")
    assert (job.model / "adapter/tokenizer.json").is_file()
    assert not list(job.model.glob("**/state.*"))
    # Each line of metrics.jsonl is in the log once, for CloudWatch's metrics.
    lines = (job.model / "metrics.jsonl").read_text("utf-8").splitlines()
    assert [line for line in said.splitlines() if line.startswith("{")] == lines
    assert (job.ml / "output/success").is_file()
    account = spent.load(job.account)
    assert account is not None and account.closed and account.seconds > 0


def test_what_was_kept_is_whole_and_as_few_as_the_run_keeps(
    whole: tuple[Container, str],
) -> None:
    job, _ = whole
    kept = sorted(job.kept.glob("step-*"))
    assert 1 <= len(kept) <= 3
    for folder in kept:
        sizes = json.loads((folder / "whole.json").read_text("utf-8"))
        assert {"state.json", "state.safetensors"} <= set(sizes)


def test_three_stops_and_half_a_checkpoint_lead_to_the_same_losses(
    whole: tuple[Container, str], container: Make
) -> None:
    job, chance = container("three"), random.Random()
    # As process 1, after any of its first lines; then at any step in the middle.
    _stopped(job, chance.randrange(STEPS // 3), first=_may_unshare())
    _stopped(job, step=STEPS // 3 + 1 + chance.randrange(STEPS // 3))
    broken = sorted(job.kept.glob("step-*"))[-1]
    (broken / "state.safetensors").unlink()
    said = _stopped(job, 0)
    assert f"goes on from step {int(broken.name[5:])}" not in said
    _finished(job, whole[0])
    account = spent.load(job.account)
    assert account is not None and account.starts == 4


@pytest.mark.soak
@pytest.mark.parametrize("number", range(20))
def test_a_stop_at_any_moment_leaves_an_adapter_or_a_checkpoint_to_go_on_from(
    whole: tuple[Container, str], container: Make, number: int
) -> None:
    # After any of its lines: in loading, between steps, at a validation.
    job, lines = container("stopped"), random.Random(number).randrange(STEPS + 8)
    _stopped(job, lines, first=number % 2 == 0 and _may_unshare())
    _finished(job, whole[0])


def _stopped(
    job: Container, lines: int = 10**6, *, step: int = STEPS - 1, first: bool = False
) -> str:
    """A start that is told to stop after so many lines, or at a step; what it said."""
    process = job.start(first=first)
    said = _stop_after(process, lines, step, first)
    assert process.stdout is not None
    said += process.stdout.read()
    if process.wait(300):
        # Nothing was learned yet, and it says so.
        assert "before anything was learned" in job.failure or "stopped" in said
        assert not keeping.usable(job.kept)
    else:
        assert (job.model / "adapter/adapter_model.safetensors").is_file()
    return said


def _finished(job: Container, undisturbed: Container) -> None:
    """The start after it goes on to the end, as if nothing had happened."""
    code, said = job.run()
    assert code == 0, said
    losses = figures(job.model / "metrics.jsonl", "loss")
    assert losses == figures(undisturbed.model / "metrics.jsonl", "loss")
    adapter = "adapter/adapter_model.safetensors"
    assert (job.model / adapter).read_bytes() == (
        undisturbed.model / adapter
    ).read_bytes()


def _stop_after(
    process: subprocess.Popen[str], lines: int, step: int, first: bool
) -> str:
    assert process.stdout is not None
    said = ""
    for number, line in enumerate(process.stdout):
        said += line
        if number >= lines or line.startswith(f'{{"step":{step},'):
            break
    target = process.pid
    if first:  # unshare's child is process 1 of its namespace
        children = Path(f"/proc/{target}/task/{target}/children").read_text("utf-8")
        target = int(children.split()[0])
    os.kill(target, signal.SIGTERM)
    return said


def _may_unshare() -> bool:
    try:
        done = subprocess.run(
            ["unshare", "-r", "--fork", "--pid", "--mount-proc", "true"],
            capture_output=True,
        )
    except OSError:
        return False
    return done.returncode == 0


def test_a_used_up_budget_gives_the_adapter_of_what_was_kept_and_trains_no_more(
    whole: tuple[Container, str], container: Make
) -> None:
    job = container("used-up")
    shutil.copytree(whole[0].kept, job.kept)
    code, said = job.run(MEDASSIST_PRICE="1", MEDASSIST_BUDGET_SECONDS="600")
    assert code == 0, said
    assert '{"step"' not in said
    assert (job.model / "adapter/adapter_model.safetensors").read_bytes() == (
        whole[0].model / "adapter/adapter_model.safetensors"
    ).read_bytes()
    assert (job.model / "adapter/tokenizer.json").is_file()


def test_an_account_that_is_broken_counts_as_all_spent(container: Make) -> None:
    job = container("lost")
    job.account.mkdir(parents=True)
    (job.account / "spent.json").write_text("{", "utf-8")
    code, _ = job.run(MEDASSIST_PRICE="1", MEDASSIST_BUDGET_SECONDS="600")
    assert code == 1
    assert "spent.json" in job.failure
    assert (job.account / "spent.json").read_text("utf-8") == "{"


def test_a_training_that_fails_says_why_in_a_sentence(container: Make) -> None:
    job = container("failing")
    # What is found before torch is loaded, which takes its time.
    (job.ml / "input/data/run/recipe.yaml").write_text("name: 7\n", "utf-8")
    code, _ = job.run()
    assert code == 1
    assert job.failure.startswith("the training failed: ")
    assert "recipe.yaml" in job.failure
    assert len(job.failure) <= 1024
    assert not (job.ml / "output/success").exists()


def test_two_processes_by_torchrun_train_one_adapter_and_stop_in_order(
    container: Make,
) -> None:
    _two_that_stop(container("two"))


@pytest.mark.soak
def test_two_processes_go_on_where_they_stopped(container: Make) -> None:
    job = container("two")
    _two_that_stop(job)
    code, said = job.run(MEDASSIST_PROCESSES="2")
    assert code == 0, said
    assert sorted(figures(job.model / "metrics.jsonl", "loss")) == [*range(1, 21)]
    assert read_training(job.model).stopped_why == "finished"


def _two_that_stop(job: Container) -> None:
    recipe = job.ml / "input/data/run/recipe.yaml"
    text = recipe.read_text("utf-8").replace("rows_at_once: 2", "rows_at_once: 1")
    recipe.write_text(text, "utf-8")
    process = job.start(MEDASSIST_PROCESSES="2")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith('{"step":2'):
            os.kill(process.pid, signal.SIGTERM)
            break
    said = process.stdout.read()
    assert process.wait(300) == 0, said
    stopped = read_training(job.model)
    assert stopped.stopped_why == "asked"
    assert stopped.processes == 2
    assert (job.model / "adapter/adapter_model.safetensors").is_file()
