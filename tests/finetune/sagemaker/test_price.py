from __future__ import annotations

from decimal import Decimal

import pytest

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.price import from_table, listed, price
from finetune.sagemaker.quotas import endpoint_quota, needed, quotas, training_quota
from tests.finetune.sagemaker import fake
from tests.finetune.sagemaker.conftest import Cloud

G5 = "ml.g5.2xlarge"


def test_the_price_of_a_training_is_the_lists_own(aws: Aws) -> None:
    found = price(aws, "us-east-1", G5, "training")
    assert (found.dollars, found.date) == (Decimal("1.515"), "2026-11-01")
    assert found.source == "the Pricing API"


def test_prices_of_other_uses_of_the_instance_are_not_taken(
    aws: Aws, cloud: Cloud
) -> None:
    cloud.fake.prices += [
        fake.price(G5, "Training", "9.99", usage=f"USE1-Studio:{G5}"),
        fake.price(G5, "Training", "8.88", usage="USE1-Train:ml.g5.2xlarge-x"),
        fake.price(G5, "Hosting", "7.77", usage=f"USE1-AsyncInf:{G5}"),
        fake.price("ml.c5.xlarge", "Training", "6.66"),
        fake.price("ml.c5.xlarge", "Hosting", "5.55"),
        fake.price(G5, "Training", "0.0000000000"),
    ]
    assert listed(aws, "us-east-1", G5, "training").dollars == Decimal("1.515")
    assert listed(aws, "us-east-1", G5, "hosting").dollars == Decimal("1.515")
    other = "ml.c5.xlarge"
    assert listed(aws, "us-east-1", other, "training").dollars == Decimal("6.66")
    assert listed(aws, "us-east-1", other, "hosting").dollars == Decimal("5.55")


def test_of_two_prices_neither_is_believed(aws: Aws, cloud: Cloud) -> None:
    cloud.fake.prices.append(fake.price(G5, "Training", "1.7"))
    with pytest.raises(SageMakerError, match=r"has \$1\.515\d*, \$1\.7"):
        listed(aws, "us-east-1", G5, "training")
    found = price(aws, "us-east-1", G5, "training")
    assert (found.source, found.date) == ("a table of this program", "2026-08-20")
    assert "one price" in found.told


def test_one_price_in_two_lines_is_one(aws: Aws, cloud: Cloud) -> None:
    cloud.fake.prices.append(fake.price(G5, "Training", "1.515"))
    assert listed(aws, "us-east-1", G5, "training").dollars == Decimal("1.515")


def test_without_a_price_no_budget_can_be_kept(aws: Aws) -> None:
    with pytest.raises(SageMakerError, match="no budget can be kept"):
        price(aws, "eu-central-1", G5, "training")


def test_a_refused_list_of_prices_is_replaced_by_the_table(
    aws: Aws, cloud: Cloud
) -> None:
    cloud.fake.fail["pricing", "GetProducts"] = ("AccessDeniedException", "not you")
    found = price(aws, "us-east-1", G5, "training")
    assert found.source == "a table of this program"
    assert "may not" in found.note


def test_a_price_of_another_form_is_not_guessed_at(aws: Aws, cloud: Cloud) -> None:
    cloud.fake.prices[0]["terms"] = {"Reserved": {}}
    with pytest.raises(SageMakerError, match="not of the known form"):
        listed(aws, "us-east-1", G5, "training")


def test_the_table_has_no_price_of_another_region_or_use() -> None:
    assert from_table("eu-central-1", G5, "training") is None
    assert from_table("us-east-1", "ml.g6.xlarge", "training") is None
    assert from_table("us-east-1", "ml.g6.xlarge", "hosting") is not None


def test_quotas_of_spot_on_demand_and_endpoints_are_three(aws: Aws) -> None:
    names = [training_quota(G5, spot=spot) for spot in (False, True)]
    found = quotas(aws, *names, endpoint_quota(G5))
    assert [found[name].value for name in names] == [1, 0]
    assert found[endpoint_quota(G5)].value == 1
    on_demand = needed(found, names[0], aws.region)
    assert on_demand.code in on_demand.request(2)
    assert "--desired-value 2 --region us-east-1" in on_demand.request(2)


def test_an_instance_without_a_quota_is_said_to_have_none() -> None:
    with pytest.raises(SageMakerError, match="may not have this type"):
        needed({}, training_quota("ml.p5.48xlarge", spot=False), "us-east-1")
