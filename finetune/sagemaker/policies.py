"""IAM policies of a run: what each role needs, and no more.

Three roles, each for a service that acts in the account's name: SageMaker in a
training job, SageMaker behind an endpoint, and the scheduler that deletes the endpoint
in the end. And what the one may who starts them. From AWS's guide "SageMaker roles"
(CreateTrainingJob API, CreateModel API) and the guide of EventBridge Scheduler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from finetune.sagemaker import places
from finetune.sagemaker.hosts import partition_of
from finetune.sagemaker.job_request import NAMED

Policy = dict[str, Any]
Task = Literal["training", "hosting", "schedule"]
TASKS: tuple[Task, ...] = ("training", "hosting", "schedule")
OURS = f"{NAMED}*"
LOG_GROUPS = "/aws/sagemaker/*"
_VERSION = "2012-10-17"
_SERVICE = {
    "training": "sagemaker.amazonaws.com",
    "hosting": "sagemaker.amazonaws.com",
    "schedule": "scheduler.amazonaws.com",
}
_METRICS = {
    "training": "/aws/sagemaker/TrainingJobs",
    "hosting": "/aws/sagemaker/Endpoints",
}
_IMAGES = {"training": ("pytorch",), "hosting": ("llama-cpp", "vllm")}
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
class RoleScope:
    """Account, region and bucket that the roles of a run are limited to."""

    region: str
    account: str
    bucket: str
    prefix: str = "medassist"
    """Under which the runs lie."""
    kms_key: str = ""
    """ARN of the user's own key, if one encrypts."""
    vpc: bool = False
    endpoint: str = OURS
    """Pattern of the endpoints that the schedule may delete."""

    def arn(self, service: str, rest: str) -> str:
        """The ARN of something of this account, in this region."""
        partition = partition_of(self.region)
        return f"arn:{partition}:{service}:{self.region}:{self.account}:{rest}"

    def anywhere(self, service: str, rest: str) -> str:
        """The ARN of something of this account that has no region."""
        return f"arn:{partition_of(self.region)}:{service}::{self.account}:{rest}"

    @property
    def bucket_arn(self) -> str:
        return f"arn:{partition_of(self.region)}:s3:::{self.bucket}"

    @property
    def objects_arn(self) -> str:
        """ARN of all objects under the prefix."""
        return f"{self.bucket_arn}/{self.prefix}/*"


@dataclass(frozen=True)
class Role:
    """An IAM role: who may take it, and its permissions."""

    name: str
    trust: Policy
    policy: Policy


@dataclass(frozen=True)
class Policies:
    """The IAM roles of a run, and the permissions of whoever starts it."""

    training: Role
    hosting: Role
    schedule: Role
    caller: Policy

    def of(self, task: Task) -> Role:
        """The role of a task."""
        roles = {
            "training": self.training,
            "hosting": self.hosting,
            "schedule": self.schedule,
        }
        return roles[task]


def role_name(name: str, task: Task) -> str:
    """Name of a task's role; `name` is that of the training's."""
    return name if task == "training" else f"{name}-{task}"


def policies(scope: RoleScope, name: str) -> Policies:
    """The policies in `scope`; `name` is the training's role, and begins the others."""
    made = {
        "training": _job(scope, "training", ["s3:GetObject", "s3:PutObject"]),
        "hosting": _job(scope, "hosting", ["s3:GetObject"]),
        "schedule": _policy(
            _allow(
                ["sagemaker:DeleteEndpoint"],
                scope.arn("sagemaker", f"endpoint/{scope.endpoint}"),
            )
        ),
    }
    training, hosting, schedule = (
        Role(role_name(name, task), _trust(scope, task), made[task]) for task in TASKS
    )
    return Policies(training, hosting, schedule, _caller(scope, name))


def _trust(scope: RoleScope, task: Task) -> Policy:
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": _SERVICE[task]},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": scope.account}},
        }
    )


def _job(
    scope: RoleScope, task: Literal["training", "hosting"], objects: list[str]
) -> Policy:
    """Rights that a container needs: data, log, figures, image, key, network."""
    images = f"ecr:{scope.region}:{places.account(scope.region)}:repository"
    statements = [
        _allow(objects, scope.objects_arn),
        {
            **_allow(["s3:ListBucket"], scope.bucket_arn),
            "Condition": {"StringLike": {"s3:prefix": [f"{scope.prefix}/*"]}},
        },
        _allow(
            [
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            scope.arn("logs", f"log-group:{LOG_GROUPS}"),
        ),
        {
            **_allow(["cloudwatch:PutMetricData"], "*"),
            "Condition": {"StringEquals": {"cloudwatch:namespace": _METRICS[task]}},
        },
        _allow(["ecr:GetAuthorizationToken"], "*"),
        _allow(
            [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ],
            [
                f"arn:{partition_of(scope.region)}:{images}/{image}"
                for image in _IMAGES[task]
            ],
        ),
    ]
    if scope.kms_key:
        statements += _with_key(scope.kms_key)
    if scope.vpc:
        statements.append(_allow([f"ec2:{each}" for each in _NETWORK], "*"))
    return _policy(*statements)


def _with_key(key: str) -> list[Policy]:
    return [
        _allow(["kms:Decrypt", "kms:GenerateDataKey"], key),
        {
            # Of the volume of an instance that has no disk of its own.
            **_allow(["kms:CreateGrant"], key),
            "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        },
    ]


def _caller(scope: RoleScope, name: str) -> Policy:
    statements = [
        *_of_sagemaker(scope),
        *_of_bucket(scope),
        _allow(
            ["logs:DescribeLogStreams", "logs:GetLogEvents"],
            scope.arn("logs", f"log-group:{LOG_GROUPS}"),
        ),
        *(_pass_role(scope, name, service) for service in sorted({*_SERVICE.values()})),
        _allow(
            [
                "scheduler:CreateSchedule",
                "scheduler:DeleteSchedule",
                "scheduler:GetSchedule",
            ],
            scope.arn("scheduler", f"schedule/default/{OURS}"),
        ),
        _allow(
            ["budgets:ModifyBudget", "budgets:ViewBudget"],
            scope.anywhere("budgets", "budget/*"),
        ),
        _allow(
            [
                "cloudwatch:GetMetricData",
                "logs:DescribeLogGroups",
                "pricing:GetProducts",
                "scheduler:ListSchedules",
                "servicequotas:GetServiceQuota",
                "servicequotas:ListServiceQuotas",
            ],
            "*",
        ),
    ]
    if scope.kms_key:
        key = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        statements.append(_allow(key, scope.kms_key))
    return _policy(*statements)


def _of_sagemaker(scope: RoleScope) -> list[Policy]:
    made = ("Endpoint", "EndpointConfig", "Model")
    actions = [f"{verb}{kind}" for kind in made for verb in _MADE_AND_GONE]
    actions += ["AddTags", "CreateTrainingJob", "DescribeTrainingJob"]
    actions += ["InvokeEndpoint", "InvokeEndpointWithResponseStream", "StopTrainingJob"]
    listed = ("Apps", "EndpointConfigs", "Endpoints", "Models", "NotebookInstances")
    listed += ("Tags", "TrainingJobs", "TrialComponents")
    shared = ("CreateExperiment", "DescribeExperiment", "DescribeMlflowApp")
    shared += ("AddTags", "DescribeMlflowTrackingServer")
    trials = ("AddTags", "CreateTrial", "DeleteTrial", "DescribeTrial")
    trials += ("AssociateTrialComponent", "DisassociateTrialComponent")
    return [
        _allow(
            [f"sagemaker:{each}" for each in sorted(actions)],
            [
                scope.arn("sagemaker", f"{kind}/{OURS}")
                for kind in ("endpoint", "endpoint-config", "model", "training-job")
            ],
        ),
        _allow(
            [f"sagemaker:{each}" for each in sorted(shared)],
            [
                scope.arn("sagemaker", f"{kind}/*")
                for kind in ("experiment", "mlflow-app", "mlflow-tracking-server")
            ],
        ),
        _allow(
            [f"sagemaker:{each}" for each in sorted(trials)],
            [
                scope.arn("sagemaker", f"experiment-trial/{OURS}"),
                scope.arn("sagemaker", "experiment-trial-component/*"),
                scope.arn("sagemaker", "experiment/*"),
            ],
        ),
        _allow([f"sagemaker:List{each}" for each in sorted(listed)], "*"),
    ]


_MADE_AND_GONE = ("Create", "Delete", "Describe")


def _of_bucket(scope: RoleScope) -> list[Policy]:
    return [
        _allow(
            [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
                "s3:GetObject",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            ],
            scope.objects_arn,
        ),
        _allow(
            [
                "s3:CreateBucket",
                "s3:DeleteBucket",
                "s3:GetBucketPublicAccessBlock",
                "s3:ListBucket",
                "s3:ListBucketMultipartUploads",
                "s3:ListBucketVersions",
                "s3:PutBucketPolicy",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
            ],
            scope.bucket_arn,
        ),
    ]


def _pass_role(scope: RoleScope, name: str, service: str) -> Policy:
    roles = [
        scope.anywhere("iam", f"role/{role_name(name, task)}")
        for task in TASKS
        if _SERVICE[task] == service
    ]
    return {
        **_allow(["iam:PassRole"], roles),
        "Condition": {"StringEquals": {"iam:PassedToService": service}},
    }


def _allow(actions: list[str], resource: str | Sequence[str]) -> Policy:
    where = resource if isinstance(resource, str) else list(resource)
    return {"Effect": "Allow", "Action": actions, "Resource": where}


def _policy(*statements: Policy) -> Policy:
    return {"Version": _VERSION, "Statement": list(statements)}
