"""Tracking of a job: an experiment of SageMaker, an MLflow.

What is true of a run stands in its folder; these are for who looks at runs there.
"""

from __future__ import annotations

import re

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import ResourceMissing, SageMakerError, told
from finetune.sagemaker.resource_ledger import Books

MLFLOW = re.compile(
    r"arn:[a-z-]+:sagemaker:([a-z0-9-]+):(\d{12}):mlflow-(app|tracking-server)/(.+)"
)


def experiment_is_there(aws: Aws, name: str) -> bool:
    """Whether there is an experiment of that name.

    Raises:
        SageMakerError: it cannot be asked.
    """
    try:
        with told(f"look for the experiment {name}"):
            aws.client("sagemaker").describe_experiment(ExperimentName=name)
    except ResourceMissing:
        return False
    return True


def make_trial(aws: Aws, books: Books, experiment: str, trial: str) -> None:
    """Make the trial of a run, and its experiment where there is none; both are free.

    The experiment is for other runs as well, and outlives a teardown.

    Raises:
        SageMakerError: it cannot be made.
    """
    sagemaker = aws.client("sagemaker")
    if not experiment_is_there(aws, experiment):
        with (
            books.making("experiment", experiment, shared=True),
            told(f"make the experiment {experiment}"),
        ):
            sagemaker.create_experiment(ExperimentName=experiment)
    known = books.ledger.find("trial", trial)
    if known is not None and known.state == "there":
        return
    with books.making("trial", trial), told(f"make the trial {trial}"):
        sagemaker.create_trial(TrialName=trial, ExperimentName=experiment)


def delete_trial(aws: Aws, name: str) -> bool:
    """Delete a trial; its jobs stay. False: it was not there any more.

    Raises:
        SageMakerError: it cannot be deleted.
    """
    sagemaker = aws.client("sagemaker")
    try:
        with told(f"delete the trial {name}"):
            pages = sagemaker.get_paginator("list_trial_components")
            found = [
                each["TrialComponentName"]
                for page in pages.paginate(TrialName=name)
                for each in page["TrialComponentSummaries"]
            ]
            for component in found:
                sagemaker.disassociate_trial_component(
                    TrialComponentName=component, TrialName=name
                )
            sagemaker.delete_trial(TrialName=name)
    except ResourceMissing:
        return False
    return True


def check_mlflow(aws: Aws, arn: str) -> None:
    """Make sure that an MLflow is there, in this account and region, and awake.

    Raises:
        SageMakerError: it is not.
    """
    form = MLFLOW.fullmatch(arn)
    if form is None:
        raise SageMakerError(
            f"--mlflow {arn} is no ARN of an MLflow of SageMaker's; one looks like "
            f"arn:aws:sagemaker:{aws.region}:{aws.account}:mlflow-app/NAME"
        )
    region, account, kind, name = form.groups()
    if (region, account) != (aws.region, aws.account):
        raise SageMakerError(
            f"--mlflow {arn} lies in {region} of account {account}, and the job would "
            f"run in {aws.region} of {aws.account}: its figures would leave for there"
        )
    sagemaker = aws.client("sagemaker")
    with told(f"look for the MLflow {arn}"):
        if kind == "app":
            state = sagemaker.describe_mlflow_app(Arn=arn)["Status"]
            awake = state in ("Created", "Updated")
        else:
            state = sagemaker.describe_mlflow_tracking_server(TrackingServerName=name)[
                "IsActive"
            ]
            awake = state == "Active"
    if not awake:
        raise SageMakerError(f"the MLflow {arn} takes nothing now: it is {state}")
