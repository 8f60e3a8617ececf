"""The double itself: that it refuses what AWS refuses, and takes the time it takes."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from finetune.sagemaker import strict
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import QuotaReached, ResourceMissing, told
from tests.finetune.sagemaker.conftest import Cloud


def request(name: str = "job-1", **changes: Any) -> dict[str, Any]:
    asked = {
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/medassist",
        "AlgorithmSpecification": {
            "TrainingImage": "1.dkr.ecr.us-east-1.amazonaws.com/pytorch:2.13",
            "TrainingInputMode": "File",
        },
        "OutputDataConfig": {"S3OutputPath": "s3://ours/medassist/run/output"},
        "ResourceConfig": {
            "InstanceType": "ml.g5.2xlarge",
            "InstanceCount": 1,
            "VolumeSizeInGB": 100,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    return {**asked, **changes}


def test_a_job_takes_time_and_is_billed_from_its_start(aws: Aws, cloud: Cloud) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_training_job(**request())
    seen, job = [], {}
    for _ in range(5):
        job = sagemaker.describe_training_job(TrainingJobName="job-1")
        seen.append(job["SecondaryStatus"])
        cloud.fake.turn(200)
    assert seen == ["Starting", "Training", "Training", "Training", "Completed"]
    assert job["BillableTimeInSeconds"] == 720


def test_a_stopped_job_ends_after_its_grace(aws: Aws, cloud: Cloud) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_training_job(**request())
    cloud.fake.turn(200)
    sagemaker.stop_training_job(TrainingJobName="job-1")
    job = sagemaker.describe_training_job(TrainingJobName="job-1")
    assert job["TrainingJobStatus"] == "Stopping"
    cloud.fake.turn(30)
    job = sagemaker.describe_training_job(TrainingJobName="job-1")
    assert (job["TrainingJobStatus"], job["BillableTimeInSeconds"]) == ("Stopped", 170)


def test_it_refuses_a_second_job_of_a_name_and_one_over_the_quota(aws: Aws) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_training_job(**request())
    with pytest.raises(ClientError, match="ResourceInUse"):
        sagemaker.create_training_job(**request())
    with pytest.raises(QuotaReached, match="is 1 Instances"), told("start job-2"):
        sagemaker.create_training_job(**request("job-2"))
    with pytest.raises(ResourceMissing), told("look at job-3"):
        sagemaker.describe_training_job(TrainingJobName="job-3")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"TrainingJobName": "x" * 64}, "at most 63"),
        ({"TrainingJobName": "two words"}, "not of the form"),
        ({"StoppingCondition": {"MaxPendingTimeInSeconds": 60}}, "min value"),
        ({"HyperParameters": {"k": "v" * 2501}}, "at most 2500"),
        ({"HyperParameters": {str(n): "v" for n in range(101)}}, "at most 100"),
        ({"Environment": {"1x": "v"}}, "not of the form"),
    ],
)
def test_what_aws_would_refuse_after_the_upload_is_found_before(
    aws: Aws, changes: dict[str, Any], complaint: str
) -> None:
    found = strict.complaints(
        aws.client("sagemaker"), "CreateTrainingJob", request(**changes)
    )
    assert any(complaint in each for each in found)


def test_an_instance_that_is_none_is_found(aws: Aws) -> None:
    asked = request()
    asked["ResourceConfig"] = {**asked["ResourceConfig"], "InstanceType": "ml.g9.large"}
    (found,) = strict.complaints(aws.client("sagemaker"), "CreateTrainingJob", asked)
    assert "ml.g9.large" in found
    assert not strict.complaints(
        aws.client("sagemaker"), "CreateTrainingJob", request()
    )
