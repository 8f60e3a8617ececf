"""What every part of the fake speaks of: its account, its clock, its refusals."""

from __future__ import annotations

ACCOUNT = "123456789012"
REGION = "us-east-1"
NOON = 1_800_000_000.0


class Refusal(Exception):
    def __init__(self, code: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.code = code
        self.more = more
        self.status = 424 if code == "ModelError" else 400


def arn(kind: str, name: str) -> str:
    """The ARN of something of SageMaker's in the account."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"
