"""What a job is asked for, and what of a run leaves this computer for it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from finetune.sagemaker import places, strict
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.job_limits import limits
from finetune.sagemaker.job_request import (
    METRICS,
    JobOptions,
    JobOrder,
    job_name,
    request,
)
from finetune.train.metrics import TrainingStep

ARN = "arn:aws:iam::123456789012:role/medassist-sagemaker"


def order(**changes: Any) -> JobOrder:
    made = JobOrder(
        name="medassist-small-20261130-000000",
        recipe="small",
        run="medassist/runs/medassist-small-20261130-000000",
        role=ARN,
        image=places.training_image("eu-central-1", "ml.g5.2xlarge"),
        instance="ml.g5.2xlarge",
        instances=1,
        price=Decimal("1.515"),
        limits=limits(Decimal(25), Decimal("1.515")),
        inputs={"code": "s3://b/code/", "run": "s3://b/run/", "base": "s3://b/base/"},
        output="s3://b/out",
        checkpoints="s3://b/kept",
    )
    return replace(made, **changes)


ALL = JobOptions(
    kms_key="arn:aws:kms:eu-central-1:123456789012:key/1234",
    subnets=("subnet-0123",),
    security_groups=("sg-0123",),
    tags={"owner": "us"},
    experiment="trials",
    mlflow="arn:aws:sagemaker:eu-central-1:123456789012:mlflow-app/app-ABC",
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"options": ALL},
        {"instance": "ml.m5.large"},
        {
            "instances": 2,
            "limits": limits(Decimal(25), Decimal("1.515"), instances=2, spot=True),
        },
    ],
    ids=["plain", "all options", "cpu", "spot on two"],
)
def test_aws_would_take_the_request(aws: Aws, changes: dict[str, Any]) -> None:
    asked = request(order(**changes))
    client = aws.client("sagemaker")
    assert strict.complaints(client, "CreateTrainingJob", asked) == []


def test_python_becomes_process_1_without_a_network_or_a_secret() -> None:
    asked = request(order(options=ALL))
    algorithm = asked["AlgorithmSpecification"]
    assert algorithm["ContainerEntrypoint"] == ["/bin/bash", "-c"]
    assert algorithm["ContainerArguments"][0].startswith("exec python ")
    assert asked["EnableNetworkIsolation"] is True
    assert set(asked["Environment"]) == {
        "MEDASSIST_BUDGET_SECONDS", "MEDASSIST_PRICE", "MEDASSIST_DEVICE",
        "MEDASSIST_PROCESSES", "MEDASSIST_JOB", "OPT_OUT_TRACKING",
    }  # fmt: skip
    assert "HyperParameters" not in asked


def test_the_limits_lie_one_inside_the_other() -> None:
    spot = limits(Decimal(25), Decimal("1.515"), spot=True)
    asked = request(order(limits=spot))
    stopping = asked["StoppingCondition"]
    inside = int(asked["Environment"]["MEDASSIST_BUDGET_SECONDS"])
    runtime, wait = stopping["MaxRuntimeInSeconds"], stopping["MaxWaitTimeInSeconds"]
    assert inside < runtime < wait
    assert wait * Decimal("1.515") / 3600 < 25
    assert "MaxPendingTimeInSeconds" not in stopping
    assert "KeepAlivePeriodInSeconds" not in asked["ResourceConfig"]


def test_the_gpu_of_the_instance_is_trained_on_by_a_process_each() -> None:
    many = request(order(instance="ml.g5.12xlarge"))["Environment"]
    assert many["MEDASSIST_DEVICE"] == "cuda"
    assert many["MEDASSIST_PROCESSES"] == "4"
    none = request(order(instance="ml.m5.large"))["Environment"]
    assert none["MEDASSIST_DEVICE"] == "cpu"
    assert none["MEDASSIST_PROCESSES"] == "1"


def test_cloudwatch_reads_each_figure_of_a_line_and_no_other() -> None:
    step = TrainingStep(
        step=7, epoch=0.5, tokens=900, seconds=3.5, loss=1.25, tokens_per_second=8e2
    )
    check = TrainingStep(
        step=8, epoch=0.6, tokens=990, seconds=4.0, validation_loss=2.5e-05
    )
    lines = [each.model_dump_json(exclude_none=True) for each in (step, check)]
    found = {
        name: [float(hit) for line in lines for hit in re.findall(regex, line)]
        for name, regex in METRICS
    }
    assert found == {
        "loss": [1.25],
        "validation_loss": [2.5e-05],
        "tokens_per_second": [800.0],
        "step": [7.0, 8.0],
    }
    assert json.loads(lines[0])["loss"] == 1.25


@pytest.mark.parametrize("recipe", ["small", "a.b_c", "x" * 80, "-", "Llama-2.7b"])
def test_a_name_is_one_that_sagemaker_takes(recipe: str) -> None:
    name = job_name(recipe, 1_800_000_000)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)
