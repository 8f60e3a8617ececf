"""The requests that make an endpoint and its end; pure, held against AWS's limits."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from finetune.sagemaker import places
from finetune.sagemaker.hosting.subject import ServedSubject
from finetune.sagemaker.hosts import partition_of
from finetune.sagemaker.job_request import RUN_TAG, JobOptions

DOWNLOAD_S = 1800
STARTUP_S = 1800
"""So long the model may take to be loaded; a 7B takes minutes."""
VARIANT = "only"
SPARE_GB = 20
RETRIES, RETRIES_S = 185, 86400
"""A deletion that is refused while the endpoint comes up is tried again for a day."""


@dataclass(frozen=True)
class EndpointOrder:
    """All that makes an endpoint."""

    name: str
    """Name of model, configuration, endpoint and schedule."""
    run: str
    """The prefix of the run's own things, for its tag."""
    region: str
    role: str
    schedule_role: str
    image: str
    instance: str
    subject: ServedSubject
    addresses: dict[str, str]
    """Addresses of the channels in S3."""
    sent: int
    """Bytes of them, for the size of the volume."""
    options: JobOptions

    @property
    def machine(self) -> places.Instance:
        """Type of instance."""
        return places.instance(self.instance)


def model(order: EndpointOrder) -> dict[str, Any]:
    """The arguments of CreateModel."""
    made: dict[str, Any] = {
        "ModelName": order.name,
        "ExecutionRoleArn": order.role,
        "PrimaryContainer": {
            "Image": order.image,
            "Environment": {
                **order.subject.environment(order.machine),
                "OPT_OUT_TRACKING": "true",
            },
            **order.subject.sources(order.addresses),
        },
        "EnableNetworkIsolation": True,
        "Tags": tags(order),
    }
    if order.options.subnets:
        made["VpcConfig"] = {
            "Subnets": list(order.options.subnets),
            "SecurityGroupIds": list(order.options.security_groups),
        }
    return made


def endpoint_config(order: EndpointOrder) -> dict[str, Any]:
    """The arguments of CreateEndpointConfig; nothing of what is asked is kept."""
    variant: dict[str, Any] = {
        "VariantName": VARIANT,
        "ModelName": order.name,
        "InitialInstanceCount": 1,
        "InstanceType": order.instance,
        "ModelDataDownloadTimeoutInSeconds": DOWNLOAD_S,
        "ContainerStartupHealthCheckTimeoutInSeconds": STARTUP_S,
    }
    made: dict[str, Any] = {
        "EndpointConfigName": order.name,
        "ProductionVariants": [variant],
        "Tags": tags(order),
    }
    if order.machine.gpus:
        variant["InferenceAmiVersion"] = places.table().serving_host
    if not order.machine.own_disk:
        # An instance with its own disk takes neither a volume nor a key for one.
        variant["VolumeSizeInGB"] = min(512, 2 * order.sent // 10**9 + SPARE_GB)
        if order.options.kms_key:
            made["KmsKeyId"] = order.options.kms_key
    return made


def schedule(order: EndpointOrder, until: float) -> dict[str, Any]:
    """The arguments of CreateSchedule: the endpoint's end, at `until`.

    Args:
        order: of the endpoint.
        until: seconds since 1970, whole.
    """
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(until))
    partition = partition_of(order.region)
    return {
        "Name": order.name,
        "Description": "Deletes an endpoint of medassist at the time that was asked",
        "ScheduleExpression": f"at({at})",
        "ScheduleExpressionTimezone": "UTC",
        "State": "ENABLED",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": f"arn:{partition}:scheduler:::aws-sdk:sagemaker:deleteEndpoint",
            "RoleArn": order.schedule_role,
            "Input": json.dumps({"EndpointName": order.name}),
            "RetryPolicy": {
                "MaximumEventAgeInSeconds": RETRIES_S,
                "MaximumRetryAttempts": RETRIES,
            },
        },
    }


def endpoint(order: EndpointOrder) -> dict[str, Any]:
    """The arguments of CreateEndpoint."""
    return {
        "EndpointName": order.name,
        "EndpointConfigName": order.name,
        "Tags": tags(order),
    }


def tags(order: EndpointOrder) -> list[dict[str, str]]:
    """Tags of all that is made for a run."""
    own = {RUN_TAG: order.run[:256], **order.options.tags}
    return [{"Key": key, "Value": value} for key, value in own.items()]
