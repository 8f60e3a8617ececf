"""What is named for a job beside the plan: looked at before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from finetune.sagemaker.alarm import alarms, delete_alarm, make_alarm
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.job_request import JobOptions
from finetune.sagemaker.option_checks import wrong
from finetune.sagemaker.resource_ledger import open_books
from finetune.sagemaker.tracking import delete_trial, make_trial
from tests.finetune.sagemaker.conftest import Cloud

HERE = "arn:aws:sagemaker:us-east-1:123456789012"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234"


def test_each_thing_that_is_not_right_is_said(aws: Aws, cloud: Cloud) -> None:
    cloud.fake.tracking_servers = {"asleep": "Inactive"}
    cases = {
        "is no ARN of a key": {"kms_key": "1234"},
        "lies in eu-central-1": {"kms_key": KEY.replace("us-east-1", "eu-central-1")},
        "go together": {"subnets": ("subnet-1",)},
        "is taken": {"tags": {"medassist:run": "x"}},
        "looks like a key or a token": {"tags": {"owner": "hf_" + "a" * 30}},
        "no name of an experiment": {"experiment": "two words"},
        "no address of a mailbox": {"alarm": "nobody"},
        "is no ARN of an MLflow": {"mlflow": "http://mlflow"},
        "would leave for there": {
            "mlflow": f"{HERE.replace('us-east-1', 'eu-west-1')}:mlflow-app/a"
        },
        "does not exist": {"mlflow": f"{HERE}:mlflow-app/a"},
        "it is Inactive": {"mlflow": f"{HERE}:mlflow-tracking-server/asleep"},
    }
    for said, options in cases.items():
        (found,) = wrong(aws, JobOptions(**options))
        assert said in found


def test_what_is_right_is_let_through(aws: Aws, cloud: Cloud) -> None:
    fake = cloud.fake
    fake.tracking_servers, fake.mlflow_apps = (
        {"awake": "Active"},
        {f"{HERE}:mlflow-app/a"},
    )
    right = JobOptions(
        kms_key=KEY,
        subnets=("subnet-1",),
        security_groups=("sg-1",),
        tags={"owner": "us"},
        experiment="trials",
        mlflow=f"{HERE}:mlflow-app/a",
        alarm="lab@hospital.example",
    )
    assert list(wrong(aws, right)) == []
    server = f"{HERE}:mlflow-tracking-server/awake"
    assert list(wrong(aws, replace(right, mlflow=server))) == []


def test_an_experiment_is_made_once_and_outlives_its_trials(
    aws: Aws, cloud: Cloud, tmp_path: Path
) -> None:
    fake, books = cloud.fake, open_books(tmp_path, aws.account, aws.region)
    make_trial(aws, books, "trials", "medassist-one")
    make_trial(aws, books, "trials", "medassist-one")
    assert fake.trials == {"medassist-one": "trials"}
    kinds = [(made.kind, made.shared) for made in books.ledger.made]
    assert kinds == [("experiment", True), ("trial", False)]
    fake.components["medassist-one"] = {"job-1", "job-2"}
    assert delete_trial(aws, "medassist-one")
    assert not delete_trial(aws, "medassist-one")
    assert (fake.trials, fake.experiments) == ({}, {"trials"})


def test_an_alarm_is_made_once_written_down_and_deleted(
    aws: Aws, cloud: Cloud, tmp_path: Path
) -> None:
    books = open_books(tmp_path, aws.account, aws.region)
    for _ in range(2):
        make_alarm(aws, books, "medassist-one", Decimal(25), "lab@hospital.example")
    (alarm,) = alarms(aws)
    assert alarm.told == "medassist-one (25.00 USD monthly)"
    people = cloud.fake.subscribers["medassist-one"]
    assert {person["Address"] for person in people} == {"lab@hospital.example"}
    (made,) = books.ledger.made
    assert (made.kind, made.state) == ("budget", "there")
    assert delete_alarm(aws, "medassist-one")
    assert not delete_alarm(aws, "medassist-one")


def test_a_lost_answer_of_the_alarm_leaves_it_in_the_ledger(
    aws: Aws, cloud: Cloud, tmp_path: Path
) -> None:
    books = open_books(tmp_path, aws.account, aws.region)
    cloud.fake.fail["budgets", "CreateBudget"] = ("AccessDeniedException", "no")
    with pytest.raises(Exception, match="may not"):
        make_alarm(aws, books, "medassist-one", Decimal(25), "lab@hospital.example")
    assert [made.state for made in books.ledger.made] == ["asked"]
