from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.policies import TASKS, Policy, RoleScope, policies
from finetune.sagemaker.resource_ledger import open_books
from finetune.sagemaker.role import (
    create_role,
    create_roles,
    delete_role,
    policy_name,
)

SCOPE = RoleScope("us-east-1", "123456789012", "ours", "medassist/run")


def statements(policy: Policy) -> dict[str, dict[str, Any]]:
    """Of a policy, each statement by its first action."""
    return {each["Action"][0]: each for each in policy["Statement"]}


def actions(policy: Policy) -> set[str]:
    return {action for each in policy["Statement"] for action in each["Action"]}


def test_a_job_reads_and_writes_under_its_prefix_alone() -> None:
    found = statements(policies(SCOPE, "r").training.policy)
    assert found["s3:GetObject"]["Action"] == ["s3:GetObject", "s3:PutObject"]
    assert found["s3:GetObject"]["Resource"] == "arn:aws:s3:::ours/medassist/run/*"
    assert found["s3:ListBucket"]["Condition"] == {
        "StringLike": {"s3:prefix": ["medassist/run/*"]}
    }
    wide = {name for name, each in found.items() if each["Resource"] == "*"}
    assert wide == {"cloudwatch:PutMetricData", "ecr:GetAuthorizationToken"}


def test_an_endpoint_reads_and_writes_nothing_and_loads_its_own_images() -> None:
    hosting = policies(SCOPE, "r").hosting
    assert hosting.name == "r-hosting"
    found = statements(hosting.policy)
    assert found["s3:GetObject"]["Action"] == ["s3:GetObject"]
    images = found["ecr:BatchCheckLayerAvailability"]["Resource"]
    assert [arn.rpartition("/")[2] for arn in images] == ["llama-cpp", "vllm"]
    figures = found["cloudwatch:PutMetricData"]["Condition"]["StringEquals"]
    assert figures == {"cloudwatch:namespace": "/aws/sagemaker/Endpoints"}


def test_the_schedule_may_delete_endpoints_of_ours_and_nothing_else() -> None:
    schedule = policies(SCOPE, "r").schedule
    (trust,) = schedule.trust["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert actions(schedule.policy) == {"sagemaker:DeleteEndpoint"}
    (only,) = schedule.policy["Statement"]
    endpoints = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/"
    assert only["Resource"] == f"{endpoints}medassist-*"
    narrow = policies(replace(SCOPE, endpoint="medassist-one"), "r").schedule
    assert narrow.policy["Statement"][0]["Resource"] == f"{endpoints}medassist-one"


def test_nothing_may_be_deleted_by_a_container() -> None:
    for scope in (SCOPE, RoleScope("us-east-1", "1", "ours", "p", "arn:key", vpc=True)):
        found = policies(scope, "r")
        for policy in (found.training.policy, found.hosting.policy):
            assert not [a for a in actions(policy) if a.startswith("s3:Delete")]
            assert not [a for a in actions(policy) if "*" in a]


def test_only_sagemaker_for_this_account_takes_a_containers_role() -> None:
    found = policies(SCOPE, "r")
    for role in (found.training, found.hosting):
        (trust,) = role.trust["Statement"]
        assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}
        account = {"aws:SourceAccount": "123456789012"}
        assert trust["Condition"]["StringEquals"] == account


def test_a_key_and_a_network_of_ones_own_add_their_rights() -> None:
    assert "kms:Decrypt" not in statements(policies(SCOPE, "r").training.policy)
    scope = RoleScope("us-east-1", "1", "ours", "p", "arn:aws:kms:key", vpc=True)
    for role in (policies(scope, "r").training, policies(scope, "r").hosting):
        found = statements(role.policy)
        assert found["kms:Decrypt"]["Resource"] == "arn:aws:kms:key"
        assert found["kms:CreateGrant"]["Condition"]
        assert "ec2:CreateNetworkInterface" in found


def test_the_caller_passes_each_role_to_its_own_service_alone() -> None:
    passed = {
        each["Condition"]["StringEquals"]["iam:PassedToService"]: [
            arn.rpartition("/")[2] for arn in each["Resource"]
        ]
        for each in policies(SCOPE, "r").caller["Statement"]
        if each["Action"] == ["iam:PassRole"]
    }
    assert passed == {
        "sagemaker.amazonaws.com": ["r", "r-hosting"],
        "scheduler.amazonaws.com": ["r-schedule"],
    }


def test_the_caller_may_make_the_bucket_and_take_all_of_it_down_again() -> None:
    may = actions(policies(SCOPE, "r").caller)
    assert {"s3:CreateBucket", "s3:DeleteBucket", "s3:PutBucketPolicy"} <= may
    made = {a.replace("Create", "Delete") for a in may if ":Create" in a}
    # A job cannot be deleted, an experiment is other runs' as well.
    assert made - may == {"sagemaker:DeleteTrainingJob", "sagemaker:DeleteExperiment"}


KEY = "arn:aws:kms:us-east-1:123456789012:key/1234"


@pytest.mark.parametrize("scope", [SCOPE, replace(SCOPE, kms_key=KEY, vpc=True)])
def test_iam_takes_each_policy(aws: Aws, scope: RoleScope) -> None:
    iam, found = aws.client("iam"), policies(scope, "r")
    documents = [found.caller, *(found.of(task).policy for task in TASKS)]
    for number, document in enumerate(documents):
        text = json.dumps(document)
        assert len(text) <= 10_240  # of a role's own policies together
        iam.create_policy(PolicyName=f"p-{number}", PolicyDocument=text)


def test_other_partitions_have_their_own_names() -> None:
    scope = RoleScope("cn-north-1", "1", "ours")
    assert statements(policies(scope, "r").training.policy)["s3:GetObject"][
        "Resource"
    ].startswith("arn:aws-cn:s3:::")


def test_a_role_is_made_once_and_brought_up_to_date(aws: Aws) -> None:
    iam = aws.client("iam")
    arn = create_role(aws, SCOPE, "ours")
    wider = RoleScope("us-east-1", "123456789012", "other")
    assert create_role(aws, wider, "ours") == arn
    name = policy_name("training")
    policy = iam.get_role_policy(RoleName="ours", PolicyName=name)
    assert policy["PolicyDocument"] == policies(wider, "ours").training.policy
    assert delete_role(aws, "ours")
    assert not delete_role(aws, "ours")
    assert iam.list_roles()["Roles"] == []


def test_somebody_elses_role_is_neither_changed_nor_deleted(aws: Aws) -> None:
    aws.client("iam").create_role(RoleName="theirs", AssumeRolePolicyDocument="{}")
    for attempt in (
        lambda: create_role(aws, SCOPE, "theirs"),
        lambda: delete_role(aws, "theirs"),
    ):
        with pytest.raises(SageMakerError, match="was not made here"):
            attempt()
    assert aws.client("iam").list_role_policies(RoleName="theirs")["PolicyNames"] == []


def test_a_role_for_a_run_stands_in_its_ledger(aws: Aws, tmp_path: Path) -> None:
    books = open_books(tmp_path, aws.account, aws.region)
    create_roles(aws, SCOPE, "ours", books)
    assert [(m.kind, m.name, m.state) for m in books.ledger.made] == [
        ("role", name, "there") for name in ("ours", "ours-hosting", "ours-schedule")
    ]
