"""The rights of a training job, as policies that name what it needs and no more.

From AWS's guide "CreateTrainingJob API: Execution Role Permissions". A role is made
only where that was asked for by name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from finetune.sagemaker import places
from finetune.sagemaker.errors import GONE, SageMakerError, code_of, in_words, told
from finetune.sagemaker.hosts import partition_of
from finetune.sagemaker.ledger import Books
from finetune.sagemaker.session import Aws

Policy = dict[str, Any]
POLICY_NAME = "medassist-training"
DEFAULT_ROLE = "medassist-sagemaker"
LOG_GROUPS = "/aws/sagemaker/*"
METRICS = "/aws/sagemaker/TrainingJobs"
TAG = {"Key": "medassist", "Value": "role"}
_VERSION = "2012-10-17"
_NETWORK = (
    "CreateNetworkInterface",
    "CreateNetworkInterfacePermission",
    "DeleteNetworkInterface",
    "DeleteNetworkInterfacePermission",
    "DescribeDhcpOptions",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeVpcs",
)


@dataclass(frozen=True)
class Scope:
    """What a role is for."""

    region: str
    account: str
    bucket: str
    prefix: str = "medassist"
    """Under which the runs lie."""
    kms_key: str = ""
    """ARN of the user's own key, if one encrypts."""
    vpc: bool = False


@dataclass(frozen=True)
class Policies:
    """Who may be the role, what it may, and what its caller may."""

    trust: Policy
    role: Policy
    caller: Policy


def policies(scope: Scope, role: str) -> Policies:
    """The policies for training in `scope` with a role of the name `role`."""
    return Policies(_trust(scope), _training(scope), _caller(scope, role))


def create_role(aws: Aws, scope: Scope, name: str, books: Books | None = None) -> str:
    """Make the role, or bring one that was made here up to date.

    Args:
        aws: the account.
        scope: what it is for.
        name: of the role.
        books: the ledger of the run that it is made for; None: for several runs.

    Returns:
        its ARN.

    Raises:
        SageMakerError: a role of that name is somebody else's, or IAM refuses.
    """
    if books is None:
        return _create(aws, scope, name)
    with books.making("role", name):
        return _create(aws, scope, name)


def delete_role(aws: Aws, name: str) -> bool:
    """Delete a role that was made here; False: it was not there any more.

    Raises:
        SageMakerError: it is not ours, or IAM refuses.
    """
    iam = aws.client("iam")
    if _existing(iam, name) is None:
        return False
    with told(f"delete the role {name}"):
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)
    return True


def _create(aws: Aws, scope: Scope, name: str) -> str:
    iam = aws.client("iam")
    found = policies(scope, name)
    trust = json.dumps(found.trust)
    arn = _existing(iam, name)
    with told(f"make the role {name}"):
        if arn is None:
            made = iam.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=trust,
                Description="Training jobs of medassist",
                Tags=[TAG],
            )
            arn = str(made["Role"]["Arn"])
        else:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
        iam.put_role_policy(
            RoleName=name,
            PolicyName=POLICY_NAME,
            PolicyDocument=json.dumps(found.role),
        )
    return arn


def _existing(iam: Any, name: str) -> str | None:
    """The ARN of our role of that name; None, where there is none."""
    from botocore.exceptions import ClientError

    try:
        role = iam.get_role(RoleName=name)["Role"]
        tags = iam.list_role_tags(RoleName=name)["Tags"]
    except ClientError as error:
        if code_of(error) in GONE:
            return None
        raise in_words(error, f"look at the role {name}") from error
    if TAG not in tags:
        raise SageMakerError(
            f"there is a role {name} in this account that was not made here (it lacks "
            f"the tag {TAG['Key']}={TAG['Value']}); it is left as it is. Take another "
            "name by --name, or give your own role to `train` by --role"
        )
    return str(role["Arn"])


def _trust(scope: Scope) -> Policy:
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": scope.account}},
        }
    )


def _training(scope: Scope) -> Policy:
    arn = f"arn:{partition_of(scope.region)}"
    bucket = f"{arn}:s3:::{scope.bucket}"
    images = f"{scope.region}:{places.account(scope.region)}:repository/pytorch"
    logs = f"{arn}:logs:{scope.region}:{scope.account}:log-group:{LOG_GROUPS}"
    statements = [
        _allow(["s3:GetObject", "s3:PutObject"], f"{bucket}/{scope.prefix}/*"),
        {
            **_allow(["s3:ListBucket"], bucket),
            "Condition": {"StringLike": {"s3:prefix": [f"{scope.prefix}/*"]}},
        },
        _allow(
            [
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            logs,
        ),
        {
            **_allow(["cloudwatch:PutMetricData"], "*"),
            "Condition": {"StringEquals": {"cloudwatch:namespace": METRICS}},
        },
        _allow(["ecr:GetAuthorizationToken"], "*"),
        _allow(
            [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ],
            f"{arn}:ecr:{images}",
        ),
    ]
    if scope.kms_key:
        statements.append(_allow(["kms:Decrypt", "kms:GenerateDataKey"], scope.kms_key))
    if scope.vpc:
        statements.append(_allow([f"ec2:{each}" for each in _NETWORK], "*"))
    return _policy(*statements)


def _caller(scope: Scope, role: str) -> Policy:
    arn = f"arn:{partition_of(scope.region)}"
    bucket = f"{arn}:s3:::{scope.bucket}"
    jobs = f"{arn}:sagemaker:{scope.region}:{scope.account}:training-job/medassist-*"
    return _policy(
        _allow(
            [
                "sagemaker:AddTags",
                "sagemaker:CreateTrainingJob",
                "sagemaker:DescribeTrainingJob",
                "sagemaker:StopTrainingJob",
            ],
            jobs,
        ),
        _allow(
            [
                "pricing:GetProducts",
                "sagemaker:ListEndpoints",
                "sagemaker:ListNotebookInstances",
                "sagemaker:ListTrainingJobs",
                "servicequotas:ListServiceQuotas",
            ],
            "*",
        ),
        {
            **_allow(["iam:PassRole"], f"{arn}:iam::{scope.account}:role/{role}"),
            "Condition": {
                "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
            },
        },
        _allow(
            [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
                "s3:GetObject",
                "s3:PutObject",
            ],
            f"{bucket}/{scope.prefix}/*",
        ),
        _allow(
            [
                "s3:GetBucketPublicAccessBlock",
                "s3:ListBucket",
                "s3:ListBucketMultipartUploads",
                "s3:ListBucketVersions",
            ],
            bucket,
        ),
        _allow(
            ["logs:DescribeLogStreams", "logs:GetLogEvents"],
            f"{arn}:logs:{scope.region}:{scope.account}:log-group:{LOG_GROUPS}",
        ),
    )


def _allow(actions: list[str], resource: str) -> Policy:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def _policy(*statements: Policy) -> Policy:
    return {"Version": _VERSION, "Statement": list(statements)}
