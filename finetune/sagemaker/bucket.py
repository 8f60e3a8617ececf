"""The bucket that a run's things lie in: closed, encrypted, made only when told."""

from __future__ import annotations

import json
from typing import Any

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.bucket_check import check_bucket
from finetune.sagemaker.errors import told
from finetune.sagemaker.hosts import partition_of
from finetune.sagemaker.resource_ledger import Books

HALF_UPLOADS_DAYS = 7
"""Parts of uploads that nobody finished cost as whole objects do."""


def default_bucket(aws: Aws) -> str:
    """The name of the bucket that is made where none is named."""
    return f"medassist-{aws.account}-{aws.region}"


def make_bucket(aws: Aws, books: Books, name: str, kms_key: str | None = None) -> bool:
    """Make the bucket, if it is not there: closed to the public, https alone.

    Returns:
        Whether it was made now.

    Raises:
        SageMakerError: it is somebody else's, is open to the public, or AWS refuses.
    """
    if check_bucket(aws, name).there:
        return False
    s3 = aws.client("s3")
    where: dict[str, Any] = {}
    if aws.region != "us-east-1":  # which S3 refuses to be told
        where["CreateBucketConfiguration"] = {"LocationConstraint": aws.region}
    with (
        books.making("bucket", name, shared=True),
        told(f"make the bucket {name}"),
    ):
        s3.create_bucket(Bucket=name, **where)
        owned = {"Bucket": name, "ExpectedBucketOwner": aws.account}
        s3.put_public_access_block(
            **owned,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
        )
        s3.put_bucket_encryption(
            **owned, ServerSideEncryptionConfiguration={"Rules": [_encryption(kms_key)]}
        )
        s3.put_bucket_policy(**owned, Policy=json.dumps(_https_alone(aws, name)))
        s3.put_bucket_lifecycle_configuration(
            **owned,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "half-uploads",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "AbortIncompleteMultipartUpload": {
                            "DaysAfterInitiation": HALF_UPLOADS_DAYS
                        },
                    }
                ]
            },
        )
    return True


def _encryption(kms_key: str | None) -> dict[str, Any]:
    by: dict[str, Any] = {"SSEAlgorithm": "AES256"}
    if kms_key:
        by = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms_key}
    rule: dict[str, Any] = {"ApplyServerSideEncryptionByDefault": by}
    return rule | ({"BucketKeyEnabled": True} if kms_key else {})


def _https_alone(aws: Aws, name: str) -> dict[str, Any]:
    arn = f"arn:{partition_of(aws.region)}:s3:::{name}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "HttpsAlone",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
