"""Checks what a user names for a job beside the plan, before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.job_request import JobOptions
from finetune.sagemaker.tracking import check_mlflow, experiment_is_there

KEY = re.compile(r"arn:[a-z-]+:kms:([a-z0-9-]+):\d{12}:(key|alias)/.+")
OURS = ("medassist", "aws:")
SECRET = re.compile(
    r"(AKIA|ASIA)[A-Z0-9]{16}|hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}"
)
"""Keys of AWS, of the Hugging Face Hub, of services that serve models."""
MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}")
"""Name of an experiment."""


def wrong(aws: Aws, options: JobOptions) -> Iterator[str]:
    """Each thing that is not right, as a sentence."""
    if options.kms_key:
        key = KEY.fullmatch(options.kms_key)
        if key is None:
            yield (
                f"--kms-key {options.kms_key} is no ARN of a key of KMS; one looks "
                f"like arn:aws:kms:{aws.region}:{aws.account}:key/1234-..."
            )
        elif key[1] != aws.region:
            yield (
                f"--kms-key: the key lies in {key[1]}, and a job in {aws.region} can "
                "use those of its own region alone"
            )
    if bool(options.subnets) != bool(options.security_groups):
        yield "--subnet and --security-group go together: at least one of each"
    for name, value in options.tags.items():
        if name.startswith(OURS):
            yield f"--tag {name}: what begins with {' or '.join(OURS)} is taken"
        if SECRET.search(value) or SECRET.search(name):
            yield (
                f"--tag {name}: it looks like a key or a token, and tags are shown to "
                "everybody in the account"
            )
    if options.alarm and not MAIL.fullmatch(options.alarm):
        yield f"--alarm {options.alarm} is no address of a mailbox"
    yield from _shown_in(aws, options)


def _shown_in(aws: Aws, options: JobOptions) -> Iterator[str]:
    try:
        if options.mlflow:
            check_mlflow(aws, options.mlflow)
    except SageMakerError as error:
        yield str(error)
    if not options.experiment:
        return
    if not NAME.fullmatch(options.experiment):
        yield (
            f"--experiment {options.experiment} is no name of an experiment: letters, "
            "digits and hyphens, at most 120"
        )
        return
    try:
        experiment_is_there(aws, options.experiment)
    except SageMakerError as error:
        yield str(error)
