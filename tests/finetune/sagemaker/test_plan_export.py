"""A plan in other forms: that they are whole, and that others can read them."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from finetune.commands import app
from finetune.recipe import find_recipe
from finetune.sagemaker import strict
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.obstacles import PlanRequest
from finetune.sagemaker.plan_export import as_request, as_skypilot
from finetune.sagemaker.training_plan import make_plan
from tests.finetune.sagemaker.test_commands import LLAMA as NAME
from tests.finetune.sagemaker.test_commands import plan
from tests.finetune.sagemaker.test_training_plan import EPOCH, LLAMA, prepared

FILE = find_recipe(NAME)


@pytest.fixture
def wish(tmp_path: Path) -> PlanRequest:
    return PlanRequest(
        recipe=LLAMA,
        root=prepared(tmp_path / "run"),
        tokens_per_epoch=EPOCH,
        base_from="s3://ours/bases/llama2",
    )


def test_the_request_is_the_one_that_aws_would_be_sent(
    aws: Aws, wish: PlanRequest
) -> None:
    made = as_request(aws, make_plan(aws, aws.region, wish), wish, 1_800_000_000)
    assert strict.complaints(aws.client("sagemaker"), "CreateTrainingJob", made) == []
    inputs = {
        each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"]
        for each in made["InputDataConfig"]
    }
    assert inputs["base"] == "s3://ours/bases/llama2/"
    ours = "s3://medassist-123456789012-us-east-1/medassist/"
    assert inputs["code"] == f"{ours}code/"
    assert made["TrainingJobName"] in inputs["run"]


def test_a_plan_that_is_refused_is_not_exported(aws: Aws, wish: PlanRequest) -> None:
    made = make_plan(aws, aws.region, replace(wish, budget=Decimal(1)))
    with pytest.raises(SageMakerError, match="refused:"):
        as_request(aws, made, wish, 0)
    with pytest.raises(SageMakerError, match="refused:"):
        as_skypilot(made, wish, FILE)


def test_a_task_of_skypilot_has_all_that_the_training_needs(wish: PlanRequest) -> None:
    made = make_plan(None, "us-east-1", wish)
    task = yaml.safe_load(as_skypilot(made, wish, FILE))
    assert task["resources"] == {
        "infra": "aws/us-east-1",
        "accelerators": "A10G:1",
        "use_spot": False,
        "disk_size": 100,
        "autostop": {"idle_minutes": 10, "down": True},
    }
    mounts = task["file_mounts"]
    assert mounts.pop("~/base") == "s3://ours/bases/llama2"
    assert all(Path(here).exists() for here in mounts.values())
    assert not any("test.jsonl" in there for there in mounts)
    assert "bitsandbytes==" in task["setup"]
    assert task["setup"].startswith("pip install torch==")
    *_, line = task["run"].splitlines()
    words = shlex.split(line)
    budget = float(words[words.index("--budget") + 1])
    assert made.limits is not None
    assert 0 < budget <= float(made.limits.worst)
    # The program takes the very command of the task.
    ours = words[words.index("train") :]
    told = CliRunner().invoke(app, [*ours, "--help"])
    assert told.exit_code == 0


def test_several_gpus_are_one_task_and_several_computers_none(
    wish: PlanRequest,
) -> None:
    recipe = LLAMA.model_copy(
        update={"train": LLAMA.train.model_copy(update={"rows": 16})}
    )
    four = replace(wish, instance="ml.g5.12xlarge", recipe=recipe, budget=Decimal(90))
    task = yaml.safe_load(as_skypilot(make_plan(None, "us-east-1", four), four, FILE))
    assert "--nproc-per-node 4" in task["run"]
    assert task["resources"]["accelerators"] == "A10G:4"
    two = replace(wish, instances=2, budget=Decimal(90))
    with pytest.raises(SageMakerError, match="one computer"):
        as_skypilot(make_plan(None, "us-east-1", two), two, FILE)


def test_the_command_prints_either(aws: Aws, no_account: Path, tmp_path: Path) -> None:
    run = prepared(tmp_path / "run")
    asked = plan(run, "--export", "request")
    assert json.loads(asked.stdout)["EnableNetworkIsolation"] is True
    offline = ["--offline", "--region", "us-east-1"]
    task = plan(run, "--export", "skypilot", *offline)
    assert yaml.safe_load(task.stdout)["resources"]["accelerators"] == "A10G:1"
    refused = plan(run, "--export", "request", *offline)
    assert "leave out --offline" in str(refused.exception)
