"""The request that starts a training job; pure, and held against AWS's own limits."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from finetune.sagemaker import places
from finetune.sagemaker.container import contract
from finetune.sagemaker.job_limits import JobLimits

CONTAINER = "/opt/ml"
RUN_TAG, RECIPE_TAG = "medassist:run", "medassist:recipe"
NAMED = "medassist-"
"""Prefix of the names of everything that is made here."""
VOLUME_GB = 100
PENDING_S = 6 * 3600
"""A job that gets no instance for so long is given up; waiting is not billed."""
PENDING_KINDS = ("ml.p", "ml.g", "ml.trn")
"""Instances that SageMaker queues for at all."""
_NUMBER = r"([-+0-9.eE]+)"
METRICS = (
    ("loss", f'"loss":{_NUMBER}'),
    ("validation_loss", f'"validation_loss":{_NUMBER}'),
    ("tokens_per_second", f'"tokens_per_second":{_NUMBER}'),
    ("step", '"step":([0-9]+)'),
)
"""Figures of CloudWatch, and how they stand in the lines of metrics.jsonl."""


@dataclass(frozen=True)
class JobOptions:
    """Options of a job beside the plan."""

    kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict[str, str])
    experiment: str | None = None
    mlflow: str | None = None
    image: str | None = None
    alarm: str | None = None
    """Whom AWS Budgets writes to."""


@dataclass(frozen=True)
class JobOrder:
    """All that makes a job."""

    name: str
    recipe: str
    run: str
    """The prefix of the run's own things, for its tag."""
    role: str
    image: str
    instance: str
    instances: int
    price: Decimal
    limits: JobLimits
    inputs: dict[str, str]
    """Channels by name: where in S3 they lie."""
    output: str
    checkpoints: str
    options: JobOptions = field(default_factory=JobOptions)


def job_name(recipe: str, now: float | None = None) -> str:
    """A name that no job of the account has: of the recipe and the second."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    plain = re.sub(r"[^A-Za-z0-9]+", "-", recipe).strip("-") or "run"
    return f"{NAMED}{plain[: 63 - 11 - len(stamp)].rstrip('-')}-{stamp}"


def request(order: JobOrder) -> dict[str, Any]:
    """The arguments of CreateTrainingJob."""
    options, limits = order.options, order.limits
    machine = places.instance(order.instance)
    key = {"KmsKeyId": options.kms_key} if options.kms_key else {}
    stopping: dict[str, int] = {"MaxRuntimeInSeconds": limits.runtime_s}
    if limits.wait_s is not None:
        stopping["MaxWaitTimeInSeconds"] = limits.wait_s
    elif order.instance.startswith(PENDING_KINDS):
        stopping["MaxPendingTimeInSeconds"] = PENDING_S
    resources: dict[str, Any] = {
        "InstanceType": order.instance,
        "InstanceCount": order.instances,
        "VolumeSizeInGB": VOLUME_GB,
    }
    if options.kms_key and not machine.own_disk:
        resources["VolumeKmsKeyId"] = options.kms_key
    made: dict[str, Any] = {
        "TrainingJobName": order.name,
        "RoleArn": order.role,
        "AlgorithmSpecification": {
            "TrainingImage": options.image or order.image,
            "TrainingInputMode": "File",
            # SIGTERM reaches process 1 alone, so that Python must become it.
            "ContainerEntrypoint": ["/bin/bash", "-c"],
            "ContainerArguments": [f"exec python {CONTAINER}/input/data/code/entry.py"],
            "MetricDefinitions": [
                {"Name": name, "Regex": regex} for name, regex in METRICS
            ],
        },
        "InputDataConfig": [
            {
                "ChannelName": name,
                "InputMode": "File",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": uri,
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
            for name, uri in order.inputs.items()
        ],
        "OutputDataConfig": {
            "S3OutputPath": order.output,
            "CompressionType": "NONE",
            **key,
        },
        "ResourceConfig": resources,
        "CheckpointConfig": {
            "S3Uri": order.checkpoints,
            "LocalPath": f"{CONTAINER}/checkpoints",
        },
        "StoppingCondition": stopping,
        "Environment": _environment(order, machine.gpus),
        "EnableNetworkIsolation": True,
        "EnableManagedSpotTraining": limits.spot,
        "EnableInterContainerTrafficEncryption": order.instances > 1,
        "ProfilerConfig": {"DisableProfiler": True},
        "Tags": [
            {"Key": RUN_TAG, "Value": order.run[:256]},
            {"Key": RECIPE_TAG, "Value": order.recipe},
            *({"Key": k, "Value": v} for k, v in options.tags.items()),
        ],
    }
    if options.subnets:
        made["VpcConfig"] = {
            "Subnets": list(options.subnets),
            "SecurityGroupIds": list(options.security_groups),
        }
    if options.experiment:
        made["ExperimentConfig"] = {
            "ExperimentName": options.experiment,
            "TrialName": order.run.rpartition("/")[2],
            "TrialComponentDisplayName": order.name,
        }
    if options.mlflow:
        made["MlflowConfig"] = {
            "MlflowResourceArn": options.mlflow,
            "MlflowExperimentName": order.recipe,
            "MlflowRunName": order.name,
        }
    return made


def _environment(order: JobOrder, gpus: int) -> dict[str, str]:
    return {
        contract.INSIDE: str(order.limits.inside_s),
        contract.PRICE: f"{order.price.normalize():f}",
        contract.DEVICE: "cuda" if gpus else "cpu",
        contract.PROCESSES: str(max(1, gpus)),
        contract.JOB: order.name,
        "OPT_OUT_TRACKING": "true",  # the images report their use to AWS without it
    }
