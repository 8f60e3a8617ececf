"""Creates and deletes the IAM roles of a run, only where asked for by name."""

from __future__ import annotations

import json
from typing import Any

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import GONE, SageMakerError, code_of, in_words, told
from finetune.sagemaker.policies import (
    TASKS,
    Role,
    RoleScope,
    Task,
    policies,
    role_name,
)
from finetune.sagemaker.resource_ledger import Books

DEFAULT_ROLE = "medassist-sagemaker"
TAG = {"Key": "medassist", "Value": "role"}
_ABOUT = {
    "training": "Training jobs of medassist",
    "hosting": "Endpoints of medassist",
    "schedule": "Deletes the endpoints of medassist when their time is over",
}


def policy_name(task: Task) -> str:
    """Name of the policy in a role."""
    return f"medassist-{task}"


def create_roles(
    aws: Aws, scope: RoleScope, name: str, books: Books | None = None
) -> dict[Task, str]:
    """Make each role, or bring those that were made here up to date.

    Returns:
        their ARNs.

    Raises:
        SageMakerError: a role of such a name is somebody else's, or IAM refuses.
    """
    return {task: create_role(aws, scope, name, books, task=task) for task in TASKS}


def create_role(
    aws: Aws,
    scope: RoleScope,
    name: str,
    books: Books | None = None,
    *,
    task: Task = "training",
) -> str:
    """Make a role, or bring one that was made here up to date.

    Args:
        aws: the account.
        scope: what it is for.
        name: of the training's role; those of other tasks are called after it.
        books: the ledger of the run that it is made for; None: for several runs.
        task: what it does.

    Returns:
        its ARN.

    Raises:
        SageMakerError: a role of that name is somebody else's, or IAM refuses.
    """
    role = policies(scope, name).of(task)
    if books is None:
        return _create(aws, role, task)
    with books.making("role", role_name(name, task)):
        return _create(aws, role, task)


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


def _create(aws: Aws, role: Role, task: Task) -> str:
    iam, trust = aws.client("iam"), json.dumps(role.trust)
    arn = _existing(iam, role.name)
    with told(f"make the role {role.name}"):
        if arn is None:
            made = iam.create_role(
                RoleName=role.name,
                AssumeRolePolicyDocument=trust,
                Description=_ABOUT[task],
                Tags=[TAG],
            )
            arn = str(made["Role"]["Arn"])
        else:
            iam.update_assume_role_policy(RoleName=role.name, PolicyDocument=trust)
        iam.put_role_policy(
            RoleName=role.name,
            PolicyName=policy_name(task),
            PolicyDocument=json.dumps(role.policy),
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
