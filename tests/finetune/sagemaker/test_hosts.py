from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.config import Config

from finetune.sagemaker import hosts, places

TRIED = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1")


ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "sagemaker": ("list_training_jobs", {}),
    "sagemaker-runtime": ("invoke_endpoint", {"EndpointName": "e", "Body": b""}),
    "s3": ("list_buckets", {}),
    "sts": ("get_caller_identity", {}),
    "logs": ("describe_log_groups", {}),
    "cloudwatch": ("list_metrics", {}),
    "service-quotas": ("list_services", {}),
    "scheduler": ("list_schedules", {}),
    "iam": ("list_roles", {}),
    "budgets": ("describe_budgets", {"AccountId": "123456789012"}),
    "pricing": ("describe_services", {}),
    "sso": ("list_accounts", {"accessToken": "t"}),
    "sso-oidc": (
        "start_device_authorization",
        {"clientId": "i", "clientSecret": "s", "startUrl": "u"},
    ),
    "signin": (
        "create_oauth2_token",
        {"tokenInput": {"clientId": "i", "grantType": "refresh_token"}},
    ),
}


class Asked(BaseException):
    """Ends a call of boto3 where it would go out."""


def asked_host(service: str, region: str, **more: Any) -> str:
    """The host that boto3 asks for a service."""
    session = botocore.session.Session()
    seen: list[str] = []

    def stop(request: Any, **_: object) -> None:
        seen.append(str(urlsplit(request.url).hostname))
        raise Asked

    session.register("before-send", stop)
    client: Any = session.create_client(
        service,  # pyright: ignore[reportArgumentType, reportCallIssue]
        region_name=hosts.price_region(region) if service == "pricing" else region,
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(s3={"us_east_1_regional_endpoint": "regional"}),
    )
    operation, arguments = ASKED[service]
    with pytest.raises(Asked):
        getattr(client, more.pop("operation", operation))(**(more or arguments))
    return seen[0]


@pytest.mark.parametrize("service", sorted(hosts.SERVICES))
def test_each_host_is_the_one_that_boto3_goes_to(
    service: str, no_account: object
) -> None:
    assert {r: asked_host(service, r) for r in TRIED} == {
        r: hosts.host_of(service, r) for r in TRIED
    }


@pytest.mark.parametrize("region", TRIED)
def test_a_bucket_has_a_host_of_ours(region: str, no_account: object) -> None:
    host = asked_host("s3", region, operation="head_bucket", Bucket="my-bucket")
    assert host == f"my-bucket.{hosts.host_of('s3', region)}"
    assert hosts.is_named(f"https://{host}/key", region)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.sagemaker.eu-central-1.amazonaws.com/",
        "https://s3.eu-central-1.amazonaws.com/bucket/key",
        "https://my-bucket.s3.eu-central-1.amazonaws.com/key",
        "https://sts.eu-central-1.amazonaws.com:443/",
        "https://iam.amazonaws.com/",
        "https://oidc.us-east-1.amazonaws.com/token",
        "http://127.0.0.1:5000/",
    ],
)
def test_our_own_hosts_are_named(url: str) -> None:
    assert hosts.is_named(url, "eu-central-1", "us-east-1")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.sagemaker.eu-central-1.amazonaws.com/",
        "https://api.sagemaker.us-east-1.amazonaws.com/",
        "https://my-bucket.s3.us-east-1.amazonaws.com/key",
        "https://s3.amazonaws.com/my-bucket",
        "https://s3.eu-central-1.amazonaws.com.evil.example/",
        "https://evils3.eu-central-1.amazonaws.com/",
        "https://api.sagemaker.eu-central-1.amazonaws.com:8443/",
        "https://ec2.eu-central-1.amazonaws.com/",
        "https://evil.example/?s3.eu-central-1.amazonaws.com",
        "https://s3.eu-central-1.amazonaws.com@evil.example/",
        "http://169.254.169.254/latest/meta-data/",
        "https://",
    ],
)
def test_no_other_host_is(url: str) -> None:
    assert not hosts.is_named(url, "eu-central-1", "us-east-1")


def test_every_region_has_images_and_a_country() -> None:
    known = places.table()
    with_images = {*known.usual_regions, *known.accounts}
    assert with_images == set(known.countries)
    assert all(hosts.check_region(region) for region in with_images)


def test_every_instance_with_a_price_for_training_is_known() -> None:
    known = places.table()
    priced = {n for p in known.prices if p.use == "training" for n in p.dollars}
    assert priced <= set(known.instances)
