"""Channels into a bucket: once, whole, going on where it broke off."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from finetune.sagemaker import wheelhouse
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.bucket import make_bucket
from finetune.sagemaker.channel import InputChannel, channel_of
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.own_wheel import write_own_wheel
from finetune.sagemaker.resource_ledger import open_books
from finetune.sagemaker.upload import files_under, upload

PART = 5 * 2**20  # the least that S3 takes


@pytest.fixture
def bucket(aws: Aws, s3: Any) -> str:
    s3.create_bucket(Bucket="ours")
    return "ours"


def keys(s3: Any) -> dict[str, int]:
    found = s3.list_objects_v2(Bucket="ours").get("Contents", ())
    return {each["Key"]: each["Size"] for each in found}


def channel(folder: Path) -> InputChannel:
    return channel_of("base", "a base", files_under(folder))


def test_what_is_there_is_not_sent_again_and_a_change_has_a_key_of_its_own(
    aws: Aws, s3: Any, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "one.json").write_text("{}", "utf-8")
    (tmp_path / "sub/two.txt").write_text("two", "utf-8")
    first = channel(tmp_path)
    assert upload(aws, bucket, "p", first) == 5
    assert upload(aws, bucket, "p", channel(tmp_path)) == 0
    assert set(keys(s3)) == {
        first.prefix("p") + "one.json",
        first.prefix("p") + "sub/two.txt",
    }
    (tmp_path / "one.json").write_text("[]", "utf-8")
    assert channel(tmp_path).prefix("p") != first.prefix("p")


def test_a_key_of_ones_own_encrypts_what_is_sent(
    aws: Aws, s3: Any, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "small").write_bytes(b"x")
    (tmp_path / "large").write_bytes(bytes(PART + 1))
    sent = channel(tmp_path)
    key = "arn:aws:kms:us-east-1:123456789012:key/1234"
    upload(aws, bucket, "p", sent, kms_key=key, part=PART)
    for name in ("small", "large"):
        found = s3.head_object(Bucket=bucket, Key=sent.prefix("p") + name)
        assert found["ServerSideEncryption"] == "aws:kms"
        assert found["SSEKMSKeyId"] == key


def test_an_upload_that_broke_off_goes_on_with_the_parts_that_are_missing(
    aws: Aws, s3: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytes(range(256)) * (4 * PART // 256) + b"the last part"
    (tmp_path / "model.safetensors").write_bytes(data)
    sent: list[int] = []
    real = type(s3)._make_api_call

    def lose(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "UploadPart":
            if arguments["PartNumber"] == 4 and len(sent) < 100:
                from botocore.exceptions import ConnectionClosedError

                raise ConnectionClosedError(endpoint_url="s3")
            sent.append(arguments["PartNumber"])
        return real(self, operation, arguments)

    with monkeypatch.context() as patch:
        patch.setattr("botocore.client.BaseClient._make_api_call", lose)
        with pytest.raises(SageMakerError, match=r"model\.safetensors"):
            upload(aws, bucket, "p", channel(tmp_path), part=PART)
    assert keys(s3) == {}
    assert 4 not in sent
    rest = upload(aws, bucket, "p", channel(tmp_path), part=PART)
    assert rest == len(data) - PART * len([n for n in sent if n != 5]) - (
        13 if 5 in sent else 0
    )
    (key,) = keys(s3)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == data
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_bucket_that_is_made_is_closed_encrypted_and_takes_https_alone(
    aws: Aws, s3: Any, tmp_path: Path
) -> None:
    books = open_books(tmp_path, aws.account, aws.region)
    assert make_bucket(aws, books, "made-here")
    closed = s3.get_public_access_block(Bucket="made-here")
    assert all(closed["PublicAccessBlockConfiguration"].values())
    (rule,) = s3.get_bucket_encryption(Bucket="made-here")[
        "ServerSideEncryptionConfiguration"
    ]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (said,) = json.loads(s3.get_bucket_policy(Bucket="made-here")["Policy"])[
        "Statement"
    ]
    assert said["Effect"] == "Deny"
    assert said["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket="made-here")["Rules"]
    assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
    made = books.ledger.find("bucket", "made-here")
    assert made is not None and made.state == "there" and made.shared


def test_our_own_wheel_is_one_that_pip_installs_and_equal_files_are_an_equal_wheel(
    tmp_path: Path,
) -> None:
    first = write_own_wheel(tmp_path)
    before = first.read_bytes()
    assert write_own_wheel(tmp_path).read_bytes() == before
    names = zipfile.ZipFile(first).namelist()
    assert "finetune/sagemaker/container/entry.py" in names
    assert not any(name.endswith(".gguf") for name in names)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--no-index", "--no-deps"),
            *("--quiet", "--no-compile", "--target", str(tmp_path / "to"), str(first)),
        ],
        check=True,
    )
    assert (tmp_path / "to/finetune/train/tuner.py").is_file()
    assert list((tmp_path / "to").glob("medassist-*.dist-info"))


def test_every_package_of_a_job_is_installed_here_in_one_version() -> None:
    wanted = wheelhouse.requirements(qlora=True)
    assert all(re_pin(each) for each in wanted)
    assert not any(each.startswith(("torch==", "llama-cpp")) for each in wanted)
    plain = wheelhouse.requirements(qlora=False)
    assert {e.split("==")[0] for e in wanted} - {e.split("==")[0] for e in plain} == {
        "bitsandbytes"
    }


def re_pin(text: str) -> bool:
    name, sign, number = text.partition("==")
    return bool(name and sign and number)


def test_wheels_that_are_there_are_not_fetched_and_those_that_lack_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "markdown_it_py-4.0.0-py3-none-any.whl").touch()
    there, lacking = "markdown-it-py==4.0.0", "tqdm==4.9"
    assert wheelhouse.missing(tmp_path, [there, lacking]) == [lacking]

    def nothing(*_: object, **__: object) -> Any:
        raise AssertionError("pip was called")

    monkeypatch.setattr(wheelhouse.subprocess, "run", nothing)
    (wheel,) = wheelhouse.fill([there], tmp_path)
    assert wheel.name.startswith("markdown_it_py-4.0.0")
