"""Service quotas of the account; asked before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import SageMakerError, told


@dataclass(frozen=True)
class Quota:
    """A quota of the account."""

    name: str
    code: str
    value: float
    region: str

    def request(self, wanted: int) -> str:
        """The command that asks for more; it is shown, and never run."""
        return (
            "aws service-quotas request-service-quota-increase --service-code "
            f"sagemaker --quota-code {self.code} --desired-value {wanted} "
            f"--region {self.region}"
        )


def training_quota(instance: str, *, spot: bool) -> str:
    """The name of the quota for jobs on `instance`; spot has one of its own."""
    return f"{instance} for {'spot training' if spot else 'training'} job usage"


def endpoint_quota(instance: str) -> str:
    """The name of the quota for endpoints on `instance`."""
    return f"{instance} for endpoint usage"


def quotas(aws: Aws, *names: str) -> dict[str, Quota]:
    """The account's quotas of these names, as far as they exist.

    Raises:
        SageMakerError: they cannot be asked.
    """
    found: dict[str, Quota] = {}
    with told("read the quotas of the account"):
        pages = aws.client("service-quotas").get_paginator("list_service_quotas")
        for page in pages.paginate(ServiceCode="sagemaker"):
            for each in page["Quotas"]:
                name = each["QuotaName"]
                if name in names:
                    quota = Quota(name, each["QuotaCode"], each["Value"], aws.region)
                    found[name] = quota
    return found


def needed(found: dict[str, Quota], name: str, region: str) -> Quota:
    """The quota of a name.

    Raises:
        SageMakerError: there is none of that name.
    """
    if name not in found:
        raise SageMakerError(
            f"Service Quotas has no quota {name!r} in {region}: that region may not "
            "have this type of instance"
        )
    return found[name]
