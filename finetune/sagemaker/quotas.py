"""How many instances of a type the account may have; asked before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass

from finetune.sagemaker.errors import SageMakerError, told
from finetune.sagemaker.session import Aws


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


def training_quota(aws: Aws, instance: str, *, spot: bool) -> Quota:
    """The quota for jobs on `instance`; those on spot have one of their own.

    Raises:
        SageMakerError: it cannot be asked, or there is none of that name.
    """
    kind = "spot training" if spot else "training"
    name = f"{instance} for {kind} job usage"
    with told("read the quotas of the account"):
        pages = aws.client("service-quotas").get_paginator("list_service_quotas")
        for page in pages.paginate(ServiceCode="sagemaker"):
            for quota in page["Quotas"]:
                if quota["QuotaName"] == name:
                    return Quota(name, quota["QuotaCode"], quota["Value"], aws.region)
    raise SageMakerError(
        f"Service Quotas has no quota {name!r} in {aws.region}: that region may not "
        "have this type of instance"
    )
