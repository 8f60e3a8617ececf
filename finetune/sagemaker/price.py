"""Price of an instance an hour: from AWS's price list, else from a table of ours.

The list has lines for other uses of the same instance. Exactly one may be left, or it
is not known which holds: then the table of `places.yaml` is taken, with its date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from finetune.sagemaker import places
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import SageMakerError, told
from finetune.sagemaker.places import Use

_COMPONENT = {"training": "Training", "hosting": "Hosting"}
_USAGE = {"training": "Train:", "hosting": "Host:"}


@dataclass(frozen=True)
class Price:
    """Dollars an hour of one instance, on demand, and who says so."""

    instance: str
    use: Use
    region: str
    dollars: Decimal
    source: str
    """`the Pricing API` or `a table of this program`."""
    date: str
    """Since when it holds, or when it was read: 2026-08-20."""
    note: str = ""
    """Why the list of prices was of no help."""

    @property
    def told(self) -> str:
        """The price in one line."""
        why = f" ({self.note})" if self.note else ""
        return (
            f"${self.dollars.normalize():f} an hour for {self.use} on {self.instance} "
            f"in {self.region}: {self.source}, {self.date}{why}"
        )


def price(aws: Aws | None, region: str, instance: str, use: Use) -> Price:
    """Price of `instance` in `region`.

    Args:
        aws: whom the list of prices is asked of; None: the table alone.
        region: where it is used.
        instance: its type.
        use: what it does.

    Raises:
        SageMakerError: neither knows one price.
    """
    note = "the list was not asked"
    if aws is not None:
        try:
            return listed(aws, region, instance, use)
        except SageMakerError as error:
            note = str(error)
    found = from_table(region, instance, use, note)
    if found is None:
        raise SageMakerError(
            f"what {instance} costs for {use} in {region} is not known, so that no "
            f"budget can be kept: {note}, and the table of this program has no price"
        )
    return found


def listed(aws: Aws, region: str, instance: str, use: Use) -> Price:
    """Price in AWS's price list.

    Raises:
        SageMakerError: the list cannot be asked, or has not exactly one.
    """
    wanted = {
        "regionCode": region,
        "instanceName": instance,
        "component": _COMPONENT[use],
    }
    with told(f"read the price of {instance}"):
        pages = aws.client("pricing").get_paginator("get_products")
        products = [
            json.loads(text)
            for page in pages.paginate(
                ServiceCode="AmazonSageMaker",
                Filters=[
                    {"Type": "TERM_MATCH", "Field": field, "Value": value}
                    for field, value in wanted.items()
                ],
            )
            for text in page["PriceList"]
        ]
    # Taken as a set: one price that stands there twice is one.
    found = {each for product in products for each in _hourly(product, instance, use)}
    if len({dollars for dollars, _ in found}) != 1:
        what = ", ".join(f"${dollars}" for dollars, _ in sorted(found)) or "none"
        raise SageMakerError(
            f"the list of prices was to have one price of {instance} for {use} in "
            f"{region}, and has {what}"
        )
    dollars, since = max(found, key=lambda each: each[1])
    return Price(instance, use, region, dollars, "the Pricing API", since[:10])


def from_table(region: str, instance: str, use: Use, note: str = "") -> Price | None:
    """The newest price in the table of this program; None where it has none."""
    found = [
        (each.date, each.dollars[instance])
        for each in places.table().prices
        if (each.region, each.use) == (region, use) and instance in each.dollars
    ]
    if not found:
        return None
    date, dollars = max(found)
    return Price(
        instance,
        use,
        region,
        dollars,
        "a table of this program",
        date.isoformat(),
        note,
    )


def _hourly(product: Any, instance: str, use: Use) -> Iterator[tuple[Decimal, str]]:
    """Prices an hour in a line of the list, if it is of this use."""
    try:
        usage = str(product["product"]["attributes"]["usagetype"])
        if usage.rpartition("-")[2] != f"{_USAGE[use]}{instance}":
            return
        for term in product["terms"]["OnDemand"].values():
            for line in term["priceDimensions"].values():
                dollars = Decimal(str(line["pricePerUnit"].get("USD", "0")))
                if line["unit"] == "Hrs" and dollars.is_finite() and dollars > 0:
                    yield dollars, str(term.get("effectiveDate", "today"))
    except (KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise SageMakerError(
            f"the list of prices has a line of {instance} that is not of the known "
            f"form ({error!r:.100})"
        ) from error
