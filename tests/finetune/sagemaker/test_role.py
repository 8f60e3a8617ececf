from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.ledger import open_books
from finetune.sagemaker.role import (
    POLICY_NAME,
    Policies,
    Scope,
    create_role,
    delete_role,
    policies,
)
from finetune.sagemaker.session import Aws

SCOPE = Scope("us-east-1", "123456789012", "ours", "medassist/run")


def statements(found: Policies) -> dict[str, dict[str, Any]]:
    """Of the role's policy, each statement by its first action."""
    return {each["Action"][0]: each for each in found.role["Statement"]}


def test_a_job_reads_and_writes_under_its_prefix_alone() -> None:
    found = statements(policies(SCOPE, "r"))
    assert found["s3:GetObject"]["Resource"] == "arn:aws:s3:::ours/medassist/run/*"
    assert found["s3:ListBucket"]["Condition"] == {
        "StringLike": {"s3:prefix": ["medassist/run/*"]}
    }
    wide = {name for name, each in found.items() if each["Resource"] == "*"}
    assert wide == {"cloudwatch:PutMetricData", "ecr:GetAuthorizationToken"}


def test_nothing_may_be_deleted_by_a_job() -> None:
    for scope in (SCOPE, Scope("us-east-1", "1", "ours", "p", "arn:key", vpc=True)):
        for each in policies(scope, "r").role["Statement"]:
            assert not [a for a in each["Action"] if a.startswith("s3:Delete")]
            assert not [a for a in each["Action"] if "*" in a]


def test_only_sagemaker_for_this_account_takes_the_role() -> None:
    (trust,) = policies(SCOPE, "r").trust["Statement"]
    assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}


def test_a_key_and_a_network_of_ones_own_add_their_rights() -> None:
    assert "kms:Decrypt" not in statements(policies(SCOPE, "r"))
    scope = Scope("us-east-1", "1", "ours", "p", "arn:aws:kms:key", vpc=True)
    found = statements(policies(scope, "r"))
    assert found["kms:Decrypt"]["Resource"] == "arn:aws:kms:key"
    assert "ec2:CreateNetworkInterface" in found


def test_other_partitions_have_their_own_names() -> None:
    scope = Scope("cn-north-1", "1", "ours")
    assert statements(policies(scope, "r"))["s3:GetObject"]["Resource"].startswith(
        "arn:aws-cn:s3:::"
    )


def test_a_role_is_made_once_and_brought_up_to_date(aws: Aws) -> None:
    iam = aws.client("iam")
    arn = create_role(aws, SCOPE, "ours")
    wider = Scope("us-east-1", "123456789012", "other")
    assert create_role(aws, wider, "ours") == arn
    policy = iam.get_role_policy(RoleName="ours", PolicyName=POLICY_NAME)
    assert policy["PolicyDocument"] == policies(wider, "ours").role
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
    create_role(aws, SCOPE, "ours", books)
    assert [(m.kind, m.name, m.state) for m in books.ledger.made] == [
        ("role", "ours", "there")
    ]
