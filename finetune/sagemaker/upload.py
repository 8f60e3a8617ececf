"""Uploads channels to the bucket; what is there already is not sent again.

A large file goes in parts. An upload that broke off is found again by its key, which
the contents decide, and goes on with the parts that are missing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.channel import ChannelFile, InputChannel
from finetune.sagemaker.errors import GONE, SageMakerError, code_of, in_words, told
from medassist.core.progress import Watcher, unwatched

PART = 64 * 2**20
"""Bytes of a part; S3 takes from 5 MB to 5 GB, and 10,000 of them."""
TOGETHER = 4


def upload(
    aws: Aws,
    bucket: str,
    under: str,
    channel: InputChannel,
    *,
    kms_key: str | None = None,
    watcher: Watcher = unwatched,
    part: int = PART,
) -> int:
    """Send what of a channel is not in the bucket yet.

    Args:
        aws: the account.
        bucket: the bucket's name; it must be the account's own.
        under: the prefix that channels lie under.
        channel: what is sent.
        kms_key: encrypts what is sent; None: as the bucket has it.
        watcher: is told how many bytes are there.
        part: bytes of a part of a large file.

    Returns:
        The bytes that were sent now.

    Raises:
        SageMakerError: it broke off; the same call goes on with what is missing.
    """
    s3, prefix = aws.client("s3"), channel.prefix(under)
    sent = done = 0
    for piece in channel.pieces:
        watcher(f"sending {channel.name}", done, channel.size)
        there = {
            "Bucket": bucket,
            "Key": prefix + piece.path,
            "ExpectedBucketOwner": aws.account,
        }
        if _size(s3, there) != piece.size:
            with told(f"send {piece.file}"):
                sent += put(s3, there, piece, part=part, kms_key=kms_key)
        done += piece.size
    watcher(f"sending {channel.name}", channel.size, channel.size)
    return sent


def _size(s3: Any, there: dict[str, str]) -> int | None:
    from botocore.exceptions import ClientError

    try:
        return int(s3.head_object(**there)["ContentLength"])
    except ClientError as error:
        if code_of(error) in GONE:
            return None
        raise in_words(error, f"look for {there['Key']}") from error


def put(
    s3: Any,
    there: dict[str, str],
    piece: ChannelFile,
    *,
    part: int = PART,
    kms_key: str | None = None,
) -> int:
    """Send a file, in parts where it is large; the bytes that were sent now."""
    key = {}
    if kms_key:
        key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key}
    if piece.size <= part:
        data = piece.file.read_bytes()
        _still(piece, len(data))
        s3.put_object(**there, **key, Body=data)
        return len(data)
    place = dict(there)
    place["UploadId"], known = _begun(s3, there, key)
    numbers = range(1, -(-piece.size // part) + 1)

    def one(number: int) -> dict[str, Any]:
        start = (number - 1) * part
        length = min(part, piece.size - start)
        etag, size = known.get(number, ("", -1))
        if size == length:
            return {"PartNumber": number, "ETag": etag}
        with piece.file.open("rb") as file:
            file.seek(start)
            data = file.read(length)
        _still(piece, start + len(data), start + length)
        answer = s3.upload_part(**place, PartNumber=number, Body=data)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    with ThreadPoolExecutor(TOGETHER) as pool:
        parts = list(pool.map(one, numbers))
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    return piece.size - sum(size for _, size in known.values())


def _begun(
    s3: Any, there: dict[str, str], key: dict[str, str]
) -> tuple[str, dict[int, tuple[str, int]]]:
    """The upload of this key that broke off, with its parts; else a new one."""
    owner = {k: there[k] for k in ("Bucket", "ExpectedBucketOwner")}
    open_ones = s3.list_multipart_uploads(**owner, Prefix=there["Key"])
    for each in open_ones.get("Uploads", ()):
        if each["Key"] == there["Key"]:
            pages = s3.get_paginator("list_parts").paginate(
                **there, UploadId=each["UploadId"]
            )
            known = {
                int(part["PartNumber"]): (str(part["ETag"]), int(part["Size"]))
                for page in pages
                for part in page.get("Parts", ())
            }
            return each["UploadId"], known
    return s3.create_multipart_upload(**there, **key)["UploadId"], {}


def _still(piece: ChannelFile, found: int, expected: int | None = None) -> None:
    if found != (piece.size if expected is None else expected):
        raise SageMakerError(
            f"{piece.file} was changed while it was sent; call it again"
        )


def files_under(folder: Path) -> dict[str, Path]:
    """The files of a folder by their paths in it; those that begin with a dot are not.

    Raises:
        OSError: it cannot be listed.
    """
    return {
        file.relative_to(folder).as_posix(): file
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and not any(p.startswith(".") for p in file.relative_to(folder).parts)
    }
