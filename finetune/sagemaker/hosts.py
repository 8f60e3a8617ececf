"""The hosts that these commands may reach, by the service and the region.

Each is a regional endpoint of a service that is used, or of AWS's own sign-in. The
offline guard is opened for them, one by one, and for nothing else.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from finetune.sagemaker.errors import SageMakerError
from medassist.core import guard

REGION = re.compile(r"^[a-z]{2,5}(-[a-z]{2,5})?-[a-z]+-\d{1,2}$")
METADATA = ("169.254.169.254", 80)
"""Address at which an EC2 instance gets the credentials of its role; without TLS."""
_SUFFIXES = (("cn-", "amazonaws.com.cn"), ("eusc-", "amazonaws.eu"))
SERVICES: dict[str, str] = {
    "sagemaker": "api.sagemaker.{region}.{suffix}",
    "sagemaker-runtime": "runtime.sagemaker.{region}.{suffix}",
    "s3": "s3.{region}.{suffix}",
    "sts": "sts.{region}.{suffix}",
    "logs": "logs.{region}.{suffix}",
    "cloudwatch": "monitoring.{region}.{suffix}",
    "service-quotas": "servicequotas.{region}.{suffix}",
    "scheduler": "scheduler.{region}.{suffix}",
    "iam": "iam.{suffix}",
    "budgets": "budgets.{suffix}",
    "pricing": "api.pricing.{region}.{suffix}",
    "sso": "portal.sso.{region}.{suffix}",
    "sso-oidc": "oidc.{region}.{suffix}",
    "signin": "{region}.signin.aws.amazon.com",
}
"""Services that are asked, by boto3's name."""
_OTHERWISE = {
    ("iam", "aws-cn"): "iam.cn-north-1.amazonaws.com.cn",
    ("iam", "aws-us-gov"): "iam.us-gov.amazonaws.com",
    ("iam", "aws-eusc"): "iam.eusc-de-east-1.amazonaws.eu",
    ("budgets", "aws-eusc"): "budgets.{region}.api.amazonwebservices.eu",
    ("signin", "aws-cn"): "{region}.signin.amazonaws.cn",
    ("signin", "aws-us-gov"): "{region}.signin.amazonaws-us-gov.com",
    ("signin", "aws-eusc"): "{region}.signin.amazonaws-eusc.eu",
}
"""Hosts that are formed otherwise in a partition."""
_SIGN_IN = ("sso", "sso-oidc", "signin", "sts")
PRICE_REGION = "us-east-1"
"""The list of prices is asked here for all regions: no data goes there."""


def suffix_of(region: str) -> str:
    """The end of the hosts' names in `region`'s partition."""
    return next(
        (end for start, end in _SUFFIXES if region.startswith(start)), "amazonaws.com"
    )


def partition_of(region: str) -> str:
    """The partition, as an ARN names it: aws, aws-cn, aws-us-gov."""
    for start, name in (
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("eusc-", "aws-eusc"),
    ):
        if region.startswith(start):
            return name
    return "aws"


def check_region(region: str) -> str:
    """`region`, if it looks like the name of one.

    Raises:
        SageMakerError: it cannot be one.
    """
    if not REGION.match(region):
        raise SageMakerError(
            f"{region!r} is no name of an AWS region; one looks like eu-central-1"
        )
    return region


def host_of(service: str, region: str) -> str:
    """The endpoint of `service` for `region`."""
    if service == "pricing":
        region = price_region(region)
    form = _OTHERWISE.get((service, partition_of(region)), SERVICES[service])
    return form.format(region=region, suffix=suffix_of(region))


def price_region(region: str) -> str:
    """Region that is asked for the prices of `region`."""
    return "cn-northwest-1" if region.startswith("cn-") else PRICE_REGION


def is_named(url: str, region: str, sign_in_region: str = "") -> bool:
    """Whether a request to `url` goes to one of our hosts.

    Args:
        url: of the request.
        region: where the work is done.
        sign_in_region: of the profile's SSO, where that is another one.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if guard.is_local(host):
        return True  # this computer, which a user's own configuration may name
    if parts.scheme != "https" or (parts.port or 443) != 443:
        return False
    known = {host_of(service, region) for service in SERVICES}
    if sign_in_region:
        known |= {host_of(each, sign_in_region) for each in _SIGN_IN}
    # A bucket is a name before the host of S3, which is ours to choose.
    return host in known or host.endswith("." + host_of("s3", region))
