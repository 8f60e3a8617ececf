from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from finetune.recipe import TrainRecipe, find_recipe, read_recipe
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.bucket import default_bucket
from finetune.sagemaker.bucket_check import CLOSED
from finetune.sagemaker.obstacles import PlanRequest
from finetune.sagemaker.resource_ledger import open_books
from finetune.sagemaker.training_plan import Plan, make_plan
from finetune.sagemaker.training_plan_words import told
from tests.finetune.sagemaker.conftest import Cloud

LLAMA = read_recipe(find_recipe("llama2-7b-qlora-24gb"))
EPOCH = 32_000_000
HASH = "0" * 64


def prepared(root: Path, found: dict[str, int] | None = None) -> Path:
    """A run folder whose data was prepared; `found`: identifiers of patients."""
    from finetune.data.recipe import DataPart

    data = root / "data"
    data.mkdir(parents=True)
    (data / "train.jsonl").write_text('{"text": "Rest helps."}\n' * 1000, "utf-8")
    step = {"name": "identifiers", "into": 5, "out": 5, "dropped": {}}
    manifest: dict[str, Any] = {
        "when": "2026-11-30T00:00:00Z",
        "settings": DataPart.model_validate(
            {"sources": [{"name": "medquad", "path": "medquad"}]}
        ).model_dump(mode="json"),
        "settings_sha256": HASH,
        "inputs_sha256": HASH,
        "sources": [],
        "steps": [{**step, "found": found or {}}],
        "licences": [],
        "splits": [],
        "warnings": [],
        "lists": {"inputs": "i", "licences": "l", "dropped": {}, "identifiers": None},
        "timing": {
            "seconds": 1, "records_per_second": 1, "tasks": 1, "workers": 1,
            "executor": "local",
        },
        "versions": {},
    }  # fmt: skip
    (data / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return root


@pytest.fixture
def wish(tmp_path: Path) -> PlanRequest:
    return PlanRequest(
        recipe=LLAMA,
        root=prepared(tmp_path / "run"),
        tokens_per_epoch=EPOCH,
        base_from="s3://ours/bases/llama2",
    )


def plan(aws: Aws | None, wish: PlanRequest, **changes: Any) -> Plan:
    return make_plan(aws, "us-east-1", replace(wish, **changes))


def changed(recipe: TrainRecipe, part: str, **values: Any) -> TrainRecipe:
    inner = getattr(recipe, part).model_copy(update=values)
    return recipe.model_copy(update={part: inner})


def test_the_usual_recipe_fits_25_dollars(aws: Aws, wish: PlanRequest) -> None:
    found = plan(aws, wish)
    assert found.may_begin, found.reasons
    assert found.fits
    assert found.seconds is not None
    assert found.cost is not None
    assert found.seconds.expected == pytest.approx(11.5 * 3600, rel=0.01)
    assert found.cost.expected is not None
    assert found.cost.endpoint == Decimal("3.03")
    assert 20 < found.cost.expected < 22
    assert found.cost.worst <= 25
    assert (found.account, found.country) == ("123456789012", "United States")
    assert found.image.endswith("amazonaws.com/pytorch:2.13-cu133-amzn2023-sagemaker")
    text = told(found)
    assert "Nothing stands in the way" in text
    assert "the Pricing API, 2026-11-01" in text
    assert "endpoint $3.03" in text
    assert "an alarm of AWS Budgets is no limit" in text
    assert "AWS Budgets watches nothing in this account" in text


def test_hours_of_an_endpoint_are_set_aside(
    aws: Aws, wish: PlanRequest, cloud: Cloud
) -> None:
    cloud.fake.quotas["ml.g5.2xlarge for endpoint usage"] = 0
    with_it, without = plan(aws, wish, hours=4), plan(aws, wish, hours=0)
    assert with_it.limits is not None and without.limits is not None
    assert without.limits.hard_s - with_it.limits.hard_s == pytest.approx(4 * 3600, 1)
    assert any("`deploy` would be refused" in note for note in with_it.notes)
    assert not any("deploy" in note for note in without.notes)


def test_no_time_is_foretold_for_a_gpu_that_nobody_measured(wish: PlanRequest) -> None:
    found = make_plan(None, "us-west-2", replace(wish, instance="ml.g6.2xlarge"))
    assert found.fits
    assert found.seconds is not None and found.seconds.expected is None
    assert any("nobody measured the L4" in note for note in found.notes)
    assert any("price of an endpoint is not known" in note for note in found.notes)
    assert "the training not known" in told(found)


def test_budgets_that_watch_the_account_are_named(
    aws: Aws, wish: PlanRequest, cloud: Cloud
) -> None:
    limit = {"Amount": "25.0", "Unit": "USD"}
    budget = {"BudgetName": "lab", "BudgetLimit": limit, "TimeUnit": "MONTHLY"}
    cloud.fake.budgets["lab"] = {**budget, "BudgetType": "COST"}
    notes = plan(aws, wish).notes
    assert "AWS Budgets watches: lab (25.0 USD monthly)" in notes
    cloud.fake.fail["budgets", "DescribeBudgets"] = ("AccessDeniedException", "no")
    assert any("is not known" in note for note in plan(aws, wish).notes)


def test_5_dollars_are_refused_with_what_would_do(aws: Aws, wish: PlanRequest) -> None:
    found = plan(aws, wish, budget=Decimal(5))
    (reason,) = found.reasons
    assert "takes about 11 h 29 min" in reason
    assert "% of the steps" in reason
    least = Decimal(reason.split(". $")[1].split(" ")[0])
    assert plan(aws, wish, budget=least).may_begin
    assert not plan(aws, wish, budget=least - Decimal("0.01")).may_begin


def test_a_quota_of_none_is_refused_with_the_command_that_asks(
    aws: Aws, wish: PlanRequest, cloud: Cloud
) -> None:
    (reason,) = plan(aws, wish, spot=True).reasons
    assert "for spot training job usage' of this account is 0" in reason
    assert "request-service-quota-increase" in reason
    assert all(op.startswith(("List", "Get", "Describe")) for op, _ in read(cloud))


def read(cloud: Cloud) -> list[tuple[str, dict[str, Any]]]:
    assert cloud.fake.calls
    return cloud.fake.calls


def test_patients_in_the_data_are_refused(
    aws: Aws, wish: PlanRequest, tmp_path: Path
) -> None:
    root = prepared(tmp_path / "named", {"phone": 3, "date of birth": 0})
    (reason,) = plan(aws, wish, root=root).reasons
    assert "(3 phone)" in reason
    assert "--identifiers drop" in reason


def test_data_that_is_not_prepared_is_refused(
    aws: Aws, wish: PlanRequest, tmp_path: Path
) -> None:
    (reason,) = plan(aws, wish, root=tmp_path / "none").reasons
    assert "train.jsonl is not there" in reason


def test_a_base_that_is_neither_here_nor_in_s3_is_refused(
    aws: Aws, wish: PlanRequest, tmp_path: Path
) -> None:
    (reason,) = plan(aws, wish, base_from=None).reasons
    assert "is not on this computer" in reason
    (reason,) = plan(aws, wish, base_from=str(tmp_path / "nowhere")).reasons
    assert "neither a folder here nor an address" in reason


def test_spot_without_checkpoints_is_refused(
    aws: Aws, wish: PlanRequest, cloud: Cloud
) -> None:
    cloud.fake.quotas["ml.g5.2xlarge for spot training job usage"] = 1
    recipe = changed(LLAMA, "train", checkpoint_minutes=120)
    (reason,) = plan(aws, wish, spot=True, recipe=recipe).reasons
    assert "--spot without checkpoints" in reason
    found = plan(aws, wish, spot=True)
    assert found.may_begin
    assert found.limits is not None
    assert found.limits.wait_s is not None


def test_what_does_not_fit_the_memory_is_refused_with_what_does(
    aws: Aws, wish: PlanRequest
) -> None:
    recipe = changed(LLAMA, "train", rows_at_once=16, checkpointing=False)
    (reason,) = plan(None, wish, recipe=recipe).reasons[:1]
    assert "memory of ml.g5.2xlarge does not suffice" in reason
    small = changed(LLAMA, "lora", method="lora")
    reason = plan(None, wish, recipe=changed(small, "train", precision="fp32")).reasons
    assert "It fits ml.g6e" in reason[0]


def test_a_gpu_method_on_a_cpu_is_refused(aws: Aws, wish: PlanRequest) -> None:
    reasons = plan(aws, wish, instance="ml.m5.large").reasons
    assert any("qlora needs an NVIDIA GPU" in reason for reason in reasons)


def test_all_that_stands_in_the_way_is_said_at_once(
    aws: Aws, wish: PlanRequest, tmp_path: Path
) -> None:
    found = plan(
        aws, wish, root=tmp_path, base_from=None, spot=True, budget=Decimal("0.1")
    )
    assert len(found.reasons) == 4


def test_earlier_jobs_of_the_run_have_used_up_their_part(
    aws: Aws, wish: PlanRequest
) -> None:
    books = open_books(wish.root, aws.account, aws.region)
    with books.making("training-job", "first", price=Decimal("1.515"), hard_s=36_000):
        pass
    found = plan(aws, wish)
    assert not found.may_begin
    assert found.cost is not None
    assert found.cost.set_aside > 15
    assert found.cost.worst <= 25
    books.note("training-job", "first", billed_s=600)
    assert plan(aws, wish).may_begin


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"RestrictPublicBuckets": False}, "can be opened to the public"),
        ({}, ""),
    ],
)
def test_a_bucket_that_can_be_public_is_refused(
    aws: Aws, wish: PlanRequest, s3: Any, change: dict[str, bool], said: str
) -> None:
    closed = dict.fromkeys(CLOSED, True)
    s3.create_bucket(Bucket="ours")
    s3.put_public_access_block(
        Bucket="ours", PublicAccessBlockConfiguration={**closed, **change}
    )
    reasons = plan(aws, wish, bucket="ours").reasons
    assert [said in reason for reason in reasons] == ([True] if said else [])


def test_the_bucket_is_looked_at_where_none_was_named(
    aws: Aws, wish: PlanRequest, s3: Any
) -> None:
    s3.create_bucket(Bucket=default_bucket(aws))
    (reason,) = plan(aws, wish).reasons
    assert "can be opened to the public" in reason


def test_a_bucket_that_is_not_there_may_be_made(aws: Aws, wish: PlanRequest) -> None:
    assert plan(aws, wish, bucket="not-there-yet").may_begin


@pytest.mark.parametrize(
    ("code", "said"),
    [("403", "bucket of your own"), ("301", "lies in another region")],
)
def test_a_bucket_of_somebody_else_or_elsewhere_is_refused(
    aws: Aws, wish: PlanRequest, code: str, said: str
) -> None:
    class Strangers:
        def head_bucket(self, **asked: str) -> None:
            assert asked == {"Bucket": "theirs", "ExpectedBucketOwner": aws.account}
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "HeadBucket")

    aws._clients["s3"] = Strangers()
    (reason,) = plan(aws, wish, bucket="theirs").reasons
    assert said in reason


def test_nobody_is_asked_offline_and_that_is_said(wish: PlanRequest) -> None:
    found = plan(None, wish)
    assert found.may_begin
    assert found.price is not None
    assert found.price.source == "a table of this program"
    assert "quota, image and account: not asked" in found.notes


def test_the_tokens_are_guessed_from_the_data_that_is_there(wish: PlanRequest) -> None:
    found = plan(None, wish, tokens_per_epoch=None)
    assert found.tokens == 6000 * LLAMA.train.epochs
    assert any("guessed" in note for note in found.notes)
