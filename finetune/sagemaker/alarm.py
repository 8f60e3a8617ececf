"""Alarms of AWS Budgets: a mail when what SageMaker costs nears an amount.

They are no limit: AWS brings its figures up to date a few times a day. The limits of a
job hold without them; an alarm tells of what no job has, an endpoint left running.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import ResourceMissing, SageMakerError, told
from finetune.sagemaker.resource_ledger import Books

NO_LIMIT = (
    "an alarm of AWS Budgets is no limit: its figures are hours old. These limits are "
    "kept by the job and by SageMaker"
)
WATCHED = "AmazonSageMaker"
"""Name of the service in the list of prices."""
_AT = (("ACTUAL", 50.0), ("ACTUAL", 80.0), ("ACTUAL", 100.0), ("FORECASTED", 100.0))
"""Percents of the amount at which a mail is sent."""


@dataclass(frozen=True)
class Alarm:
    """A budget of AWS Budgets."""

    name: str
    amount: str
    unit: str
    time: str
    """MONTHLY, DAILY."""
    spent: str
    """Amount that AWS knew when it looked last."""

    @property
    def told(self) -> str:
        """The alarm in a few words."""
        return f"{self.name} ({self.amount} {self.unit} {self.time.lower()})"


def alarms(aws: Aws) -> tuple[Alarm, ...]:
    """The budgets of the account.

    Raises:
        SageMakerError: they cannot be asked.
    """
    try:
        with told("read the budgets of the account"):
            pages = aws.client("budgets").get_paginator("describe_budgets")
            found = [
                each
                for page in pages.paginate(AccountId=aws.account)
                for each in page.get("Budgets", ())
            ]
    except ResourceMissing:
        return ()
    return tuple(
        Alarm(
            each["BudgetName"],
            each.get("BudgetLimit", {}).get("Amount", "?"),
            each.get("BudgetLimit", {}).get("Unit", ""),
            each["TimeUnit"],
            each.get("CalculatedSpend", {}).get("ActualSpend", {}).get("Amount", "?"),
        )
        for each in found
    )


def told_alarms(aws: Aws) -> list[str]:
    """Sentences of a plan about the alarms."""
    try:
        found = alarms(aws)
    except SageMakerError as error:
        return [f"whether AWS Budgets watches this account is not known: {error}"]
    if not found:
        return [
            "AWS Budgets watches nothing in this account; `train --alarm MAIL` has it "
            "send a mail, for nothing"
        ]
    return [f"AWS Budgets watches: {', '.join(each.told for each in found)}"]


def make_alarm(aws: Aws, books: Books, name: str, amount: Decimal, mail: str) -> None:
    """Have AWS Budgets send a mail when SageMaker costs so much in a month.

    Args:
        aws: the account.
        books: of the run; they know of it first.
        name: of the budget.
        amount: dollars.
        mail: the address; AWS learns it.

    Raises:
        SageMakerError: it cannot be made.
    """
    if any(each.name == name for each in alarms(aws)):
        return
    person = {"SubscriptionType": "EMAIL", "Address": mail}
    with books.making("budget", name), told(f"make the alarm {name}"):
        aws.client("budgets").create_budget(
            AccountId=aws.account,
            Budget={
                "BudgetName": name,
                "BudgetType": "COST",
                "TimeUnit": "MONTHLY",
                "BudgetLimit": {"Amount": f"{amount:.2f}", "Unit": "USD"},
                "FilterExpression": {
                    "Dimensions": {"Key": "SERVICE_CODE", "Values": [WATCHED]}
                },
                "Metrics": ["UnblendedCost"],
            },
            NotificationsWithSubscribers=[
                {
                    "Notification": {
                        "NotificationType": kind,
                        "ComparisonOperator": "GREATER_THAN",
                        "Threshold": percent,
                        "ThresholdType": "PERCENTAGE",
                    },
                    "Subscribers": [person],
                }
                for kind, percent in _AT
            ],
        )


def delete_alarm(aws: Aws, name: str) -> bool:
    """Delete an alarm; False: it was not there any more.

    Raises:
        SageMakerError: it cannot be deleted.
    """
    try:
        with told(f"delete the alarm {name}"):
            aws.client("budgets").delete_budget(AccountId=aws.account, BudgetName=name)
    except ResourceMissing:
        return False
    return True
