from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest

from finetune.sagemaker.aws_session import Aws, SessionRequest, UnnamedAwsHost, opened
from finetune.sagemaker.errors import SageMakerError, told
from finetune.sagemaker.strict import complaints
from medassist.core import guard
from tests.finetune.sagemaker.conftest import Cloud

EXPIRED = ("ExpiredTokenException", "The security token included is expired")


@pytest.fixture
def no_packet(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every connection that was tried; none succeeds."""
    tried: list[object] = []

    def refuse(self: socket.socket, address: object) -> None:
        tried.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tried


def test_without_credentials_there_is_a_sentence_at_once_and_no_packet(
    no_account: Path, no_packet: list[object]
) -> None:
    began = time.monotonic()
    with (
        pytest.raises(SageMakerError, match="no AWS credentials were found"),
        opened(SessionRequest(region="eu-central-1")),
    ):
        raise AssertionError
    assert time.monotonic() - began < 2
    assert no_packet == []


def test_the_metadata_address_is_asked_only_where_that_is_said(
    no_account: Path, no_packet: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1")
    with (
        pytest.raises(SageMakerError, match="no AWS credentials"),
        opened(SessionRequest(region="eu-central-1", instance_role=True)),
    ):
        raise AssertionError
    assert set(no_packet) == {("169.254.169.254", 80)}


def test_no_region_is_taken_by_itself(
    no_account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with (
        pytest.raises(SageMakerError, match=r"in which country the data lies"),
        opened(SessionRequest()),
    ):
        raise AssertionError


@pytest.mark.parametrize(
    ("region", "said"),
    [("eu-centrl-1", "did you mean eu-central-1"), ("Frankfurt", "looks like")],
)
def test_a_region_that_is_not_there_is_said(
    cloud: Cloud, region: str, said: str
) -> None:
    with (
        pytest.raises(SageMakerError, match=said),
        opened(SessionRequest(region=region)),
    ):
        raise AssertionError


def test_a_profile_that_is_not_there_is_said(cloud: Cloud) -> None:
    with (
        pytest.raises(SageMakerError, match=r"nobody.*list-profiles"),
        opened(SessionRequest(profile="nobody")),
    ):
        raise AssertionError


def test_the_region_of_the_profile_is_taken(cloud: Cloud) -> None:
    (cloud.home / "config").write_text(
        "[profile swiss]\nregion = eu-central-2\n"
        "aws_access_key_id = k\naws_secret_access_key = s\n",
        "utf-8",
    )
    with opened(SessionRequest(profile="swiss", region=None)) as aws:
        # The variable of the environment comes first, as everywhere in AWS.
        assert aws.region == "us-east-1"
    with opened(SessionRequest(profile="swiss", region="eu-central-2")) as aws:
        assert aws.region == "eu-central-2"


def test_who_signs_in_is_asked_once(aws: Aws) -> None:
    assert aws.account == "123456789012"
    assert aws.caller.startswith("arn:aws:")


def test_a_program_that_gives_credentials_is_named_before_it_runs(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ran = cloud.home / "ran"
    program = cloud.home / "give.py"
    program.write_text(
        f"import json, pathlib\npathlib.Path({str(ran)!r}).touch()\n"
        'print(json.dumps({"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s"}))'
    )
    (cloud.home / "config").write_text(
        f'[profile p]\ncredential_process = "{sys.executable}" "{program}"\n'
    )
    heard: list[tuple[str, bool]] = []
    with opened(
        SessionRequest(profile="p"), lambda text: heard.append((text, ran.exists()))
    ):
        assert ran.exists()
    ((text, had_run),) = heard
    assert str(program) in text
    assert not had_run


def test_an_endpoint_of_somebody_else_is_sent_nothing(
    cloud: Cloud, no_packet: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", "https://collector.example")
    with (
        opened(SessionRequest()) as aws,
        pytest.raises(SageMakerError, match="collector"),
        told("list jobs"),
    ):
        aws.client("sagemaker").list_training_jobs()
    assert no_packet == []


def test_the_guard_is_opened_for_the_host_and_closed_afterwards(
    cloud: Cloud, no_packet: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_SAGEMAKER")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    looked_up: list[str] = []

    def look_up(host: str, port: int, *_: object, **__: object) -> list[object]:
        sys.audit("socket.getaddrinfo", host, port, 0, 0, 0)
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.113.7", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with (
        opened(SessionRequest()) as aws,
        pytest.raises(SageMakerError, match="online"),
        told("list jobs"),
    ):
        aws.client("sagemaker").list_training_jobs()
    assert set(looked_up) == {"api.sagemaker.us-east-1.amazonaws.com"}
    assert ("203.0.113.7", 443) in no_packet
    with pytest.raises(guard.NetworkRefused):
        socket.getaddrinfo("api.sagemaker.us-east-1.amazonaws.com", 443)


def test_expired_credentials_are_told_as_such(aws: Aws, cloud: Cloud) -> None:
    cloud.fake.fail["sagemaker", "ListTrainingJobs"] = EXPIRED
    with (
        pytest.raises(SageMakerError, match=r"have expired\. Sign in again"),
        told("list jobs"),
    ):
        aws.client("sagemaker").list_training_jobs()


def test_other_services_are_not_used(aws: Aws) -> None:
    with pytest.raises(ValueError, match="ec2"):
        aws.client("ec2")


def test_no_secret_is_shown_where_an_account_is_printed(aws: Aws) -> None:
    assert "testing" not in repr(aws)
    assert complaints(aws.client("sts"), "GetCallerIdentity", {}) == []
    assert issubclass(UnnamedAwsHost, SageMakerError)
