"""Waits until an endpoint is in service, and asks it for the first time."""

from __future__ import annotations

import time

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import ResourceMissing, SageMakerError
from finetune.sagemaker.hosting import requests
from finetune.sagemaker.hosting.endpoint import (
    IN_SERVICE,
    WORDS,
    describe,
    made_ready,
)
from finetune.sagemaker.hosting.invoke import Endpoint
from finetune.sagemaker.hosting.probe import NotTuned, ProbedEndpoint
from finetune.sagemaker.resource_ledger import Books, Made
from finetune.sagemaker.teardown import COMING
from medassist.core.progress import Watcher

POLL_S = 15.0
WAIT_S = requests.DOWNLOAD_S + requests.STARTUP_S + 1200.0
"""So long an endpoint may take to come up, finding an instance included."""
LOOKS = 4
"""So often in a row a look at the endpoint, or its first answer, may fail."""


class NotUp(SageMakerError):
    """The endpoint did not come to answer; the message says what became of it."""


def wait(aws: Aws, name: str, until: float, watcher: Watcher) -> None:
    """Wait until an endpoint is in service.

    Raises:
        NotUp: it failed, or did not come up in its time.
        SageMakerError: it cannot be looked at.
    """
    began = time.time()
    last, unseen = min(began + WAIT_S, until), 0
    while True:
        try:
            found, unseen = describe(aws, name), 0
        except SageMakerError as error:
            # A connection that is lost for a minute is no endpoint that is lost.
            unseen += 1
            if unseen > LOOKS or isinstance(error, ResourceMissing):
                raise
            time.sleep(POLL_S)
            continue
        state = str(found["EndpointStatus"])
        if state == IN_SERVICE:
            return
        if state not in COMING:
            why = str(found.get("FailureReason") or "AWS gives no reason")
            raise NotUp(f"the endpoint {name} failed: {in_words(why)}")
        passed = time.time() - began
        if time.time() >= last:
            raise NotUp(
                f"the endpoint {name} did not come up within {passed / 60:.0f} minutes "
                f"({state}: {WORDS.get(state, state)}). Its log is in CloudWatch under "
                f"/aws/sagemaker/Endpoints/{name}"
            )
        watcher("Waiting for the endpoint", int(passed), int(last - began))
        time.sleep(POLL_S)


def first_answers(books: Books, made: Made, endpoint: Endpoint) -> ProbedEndpoint:
    """Probe an endpoint; the first answers after its start may fail.

    Raises:
        NotTuned: its tuned side is the base.
        SageMakerError: it does not answer.
    """
    for _ in range(LOOKS):
        try:
            return made_ready(books, made, endpoint)
        except NotTuned:
            raise
        except SageMakerError:
            time.sleep(POLL_S)
    return made_ready(books, made, endpoint)


def in_words(why: str) -> str:
    """Why an endpoint failed, with what to do about it."""
    kinds = (
        ("did not pass the ping health check", "the model did not load: its log is in "
         "CloudWatch under /aws/sagemaker/Endpoints; mostly too little memory, or an "
         "image that is too old for the base"),
        ("capacity", "there was no instance to be had; try again later, another "
         "--instance, or another region"),
        ("CannotPullContainer", "the image is not there, or the role may not read it; "
         "see --image"),
        ("CUDA", "the driver of the instance is older than the image; see --image"),
        ("model data", "the role may not read the bucket"),
    )  # fmt: skip
    hint = next((words for part, words in kinds if part.lower() in why.lower()), "")
    return f"{why} ({hint})" if hint else why
