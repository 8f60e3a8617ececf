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


def test_process_1_hears_sigterm_and_the_next_start_goes_on_to_the_same_losses(
    whole: tuple[Container, str], container: Make
) -> None:
    lines = random.Random().randrange(STEPS)
    _stopped_and_resumed(whole[0], container("first"), lines, first=_may_unshare())


@pytest.mark.parametrize(
    "number", [0, *(pytest.param(n, marks=pytest.mark.soak) for n in range(1, 20))]
)
def test_a_stop_at_any_moment_leaves_an_adapter_or_a_checkpoint_to_go_on_from(
    whole: tuple[Container, str], container: Make, number: int
) -> None:
    # After any of its lines: in loading, between steps, at a validation.
    lines = random.Random(f"stop {number}").randrange(STEPS + 8)
    _stopped_and_resumed(whole[0], container("stopped"), lines)


def _stopped_and_resumed(
    whole: Container, job: Container, lines: int, *, first: bool = False
) -> None:
    process = job.start(first=first)
    _stop_after(process, lines, first)
    assert process.stdout is not None
    said = process.stdout.read()
    code = process.wait(300)
    adapter = job.model / "adapter/adapter_model.safetensors"
    kept = list(job.kept.glob("step-*/whole.json"))
    if code:
        # Nothing was learned yet, and it says so.
        assert "before anything was learned" in job.failure or "stopped" in said
        assert not kept
    else:
        assert adapter.is_file()
    code, said = job.run()
    assert code == 0, said
    assert figures(job.model / "metrics.jsonl", "loss") == figures(
        whole.model / "metrics.jsonl", "loss"
    )
    assert (
        adapter.read_bytes()
        == (whole.model / "adapter/adapter_model.safetensors").read_bytes()
    )
    account = spent.load(job.account)
    assert account is not None and account.starts == 2


def _stop_after(process: subprocess.Popen[str], lines: int, first: bool) -> None:
    assert process.stdout is not None
    for number, line in enumerate(process.stdout):
        if number >= lines or line.startswith('{"step":19'):
            break
    target = process.pid
    if first:  # unshare's child is process 1 of its namespace
        children = Path(f"/proc/{target}/task/{target}/children").read_text("utf-8")
        target = int(children.split()[0])
    os.kill(target, signal.SIGTERM)


def _may_unshare() -> bool:
    try:
        done = subprocess.run(
            ["unshare", "-r", "--fork", "--pid", "--mount-proc", "true"],
            capture_output=True,
        )
    except OSError:
        return False
    return done.returncode == 0


def test_half_a_checkpoint_that_came_back_is_not_gone_on_from(
    whole: tuple[Container, str], container: Make
) -> None:
    job = container("half")
    shutil.copytree(whole[0].kept, job.kept)
    newest = sorted(job.kept.glob("step-*"))[-1]
    (newest / "state.safetensors").unlink()
    code, said = job.run()
    assert code == 0, said
    assert f"goes on from step {int(newest.name[5:])}" not in said
    assert figures(job.model / "metrics.jsonl", "loss") == figures(
        whole[0].model / "metrics.jsonl", "loss"
    )


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
    data = job.ml / "input/data/run/data/train.jsonl"
    data.write_text("no record\n", "utf-8")
    code, _ = job.run()
    assert code == 1
    assert job.failure.startswith("the training failed: ")
    assert "train.jsonl" in job.failure
    assert len(job.failure) <= 1024
    assert not (job.ml / "output/success").exists()


def test_two_processes_by_torchrun_train_one_adapter_and_stop_in_order(
    container: Make, prepared_run: Path
) -> None:
    job = container("two")
    recipe = job.ml / "input/data/run/recipe.yaml"
    text = recipe.read_text("utf-8").replace("rows_at_once: 2", "rows_at_once: 1")
    recipe.write_text(text, "utf-8")
    process = job.start(MEDASSIST_PROCESSES="2")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith('{"step":4'):
            os.kill(process.pid, signal.SIGTERM)
            break
    said = process.stdout.read()
    assert process.wait(300) == 0, said
    stopped = read_training(job.model)
    assert stopped.stopped_why == "asked"
    assert stopped.processes == 2
    code, said = job.run(MEDASSIST_PROCESSES="2")
    assert code == 0, said
    assert sorted(figures(job.model / "metrics.jsonl", "loss")) == [*range(1, 21)]
    assert read_training(job.model).stopped_why == "finished"
