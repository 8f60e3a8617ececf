"""Whether a bucket may hold a run: ours, in the region, and closed to the public."""

from __future__ import annotations

from dataclasses import dataclass

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import (
    DENIED,
    GONE,
    SageMakerError,
    code_of,
    in_words,
    told,
)

CLOSED = (
    "BlockPublicAcls",
    "BlockPublicPolicy",
    "IgnorePublicAcls",
    "RestrictPublicBuckets",
)


@dataclass(frozen=True)
class BucketState:
    """State of a bucket."""

    name: str
    there: bool


def check_bucket(aws: Aws, name: str) -> BucketState:
    """Look whether `name` may be used; one that is not there yet may be made.

    Raises:
        SageMakerError: it is somebody else's, lies in another region, or is not
            closed to the public.
    """
    from botocore.exceptions import ClientError

    s3 = aws.client("s3")
    try:
        with_owner = {"Bucket": name, "ExpectedBucketOwner": aws.account}
        head = s3.head_bucket(**with_owner)
    except ClientError as error:
        code = code_of(error)
        if code in GONE:
            return BucketState(name, there=False)
        if code in DENIED:
            raise SageMakerError(
                f"the bucket {name} is not of account {aws.account}, or these "
                "credentials may not see it; patients' data goes into a bucket of "
                "your own alone. Name another by --bucket"
            ) from error
        if code in ("301", "PermanentRedirect"):
            raise SageMakerError(
                f"the bucket {name} lies in another region than {aws.region}; name "
                "one there by --bucket"
            ) from error
        raise in_words(error, f"look at the bucket {name}") from error
    region = head.get("BucketRegion") or aws.region
    if region != aws.region:
        raise SageMakerError(
            f"the bucket {name} lies in {region}, and the work is done in "
            f"{aws.region}; name one there by --bucket"
        )
    _must_be_closed(aws, name)
    return BucketState(name, there=True)


def _must_be_closed(aws: Aws, name: str) -> None:
    from botocore.exceptions import ClientError

    try:
        answer = aws.client("s3").get_public_access_block(
            Bucket=name, ExpectedBucketOwner=aws.account
        )
    except ClientError as error:
        if code_of(error) != "NoSuchPublicAccessBlockConfiguration":
            raise in_words(error, f"see whether {name} is public") from error
        closed = {}
    else:
        closed = answer["PublicAccessBlockConfiguration"]
    opened = [each for each in CLOSED if not closed.get(each)]
    if opened:
        raise SageMakerError(
            f"the bucket {name} can be opened to the public ({', '.join(opened)} "
            "not set); nothing is put there. Close it with: aws s3api "
            f"put-public-access-block --bucket {name} "
            "--public-access-block-configuration "
            + ",".join(f"{each}=true" for each in CLOSED)
        )


def bytes_under(aws: Aws, bucket: str, prefix: str) -> int:
    """Bytes of all objects under `prefix`, old versions of them included."""
    total = 0
    with told(f"list what lies in {bucket}"):
        pages = aws.client("s3").get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            total += sum(int(each["Size"]) for each in page.get("Versions", ()))
    return total
