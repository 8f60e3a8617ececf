from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from finetune.sagemaker.aws_session import Aws, SessionRequest, opened
from tests.finetune.sagemaker.fake import Fake
from tests.finetune.sagemaker.fake_words import REGION

OURS = (
    "SAGEMAKER", "SAGEMAKER_RUNTIME", "PRICING", "SERVICE_QUOTAS", "SCHEDULER",
    "BUDGETS",
)  # fmt: skip


@dataclass(frozen=True)
class Cloud:
    """The two servers that stand for AWS on the loopback."""

    moto_url: str
    fake: Fake
    home: Path
    """Where the user's ~/.aws would be: config, credentials."""


@pytest.fixture(scope="session", autouse=True)
def descriptions_are_read_once() -> Iterator[None]:
    """botocore reads its descriptions of the services, many MB, anew a session."""
    import botocore.loaders

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            botocore.loaders, "create_loader", cache(botocore.loaders.create_loader)
        )
        yield


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield f"http://{server.get_host_and_port()[0]}:{server.get_host_and_port()[1]}"
    server.stop()


@pytest.fixture
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any configuration of AWS; the folder that it would stand in."""
    import os

    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "aws"
    home.mkdir()
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
    return home


@pytest.fixture
def cloud(
    moto_url: str, no_account: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cloud]:
    """AWS on the loopback, empty, and keys that are taken there."""
    import urllib.request

    reset = urllib.request.Request(f"{moto_url}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    with Fake() as fake:
        for service in OURS:
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", fake.url)
        yield Cloud(moto_url, fake, no_account)


@pytest.fixture
def aws(cloud: Cloud) -> Iterator[Aws]:
    with opened(SessionRequest()) as account:
        yield account


@pytest.fixture
def s3(aws: Aws) -> Any:
    return aws.client("s3")
