"""The endpoint of a run: found in the ledger, looked for in the account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import ResourceMissing, SageMakerError, told
from finetune.sagemaker.hosting import llama_cpp
from finetune.sagemaker.hosting.invoke import Endpoint
from finetune.sagemaker.hosting.probe import ProbedEndpoint, probe
from finetune.sagemaker.hosting.question import EndpointEngine
from finetune.sagemaker.hosting.vllm import Vllm
from finetune.sagemaker.resource_ledger import Books, EndpointSetup, Made
from finetune.sagemaker.teardown import COMING, gone_by_itself
from medassist.core.files import sha256_of_file
from medassist.core.run_folder import ADAPTER_WEIGHTS, RunFolder

IN_SERVICE = "InService"
WORDS = {
    "Creating": "an instance is started and the model is loaded",
    "InService": "it answers",
    "Failed": "it failed",
    "OutOfService": "it is out of service",
    "Deleting": "it is being deleted",
}


@dataclass(frozen=True)
class OpenEndpoint:
    """An endpoint that answers."""

    endpoint: Endpoint
    made: Made
    served: EndpointSetup


def describe(aws: Aws, name: str) -> dict[str, Any]:
    """SageMaker's description of an endpoint.

    Raises:
        ResourceMissing: it knows of none.
        SageMakerError: it does not answer.
    """
    with told(f"look at the endpoint {name}"):
        return dict(aws.client("sagemaker").describe_endpoint(EndpointName=name))


def engine_of(run: RunFolder, served: EndpointSetup) -> EndpointEngine:
    """Engine that the endpoint of a run is asked by.

    Raises:
        FinetuneError: what it is asked with is not in the run.
    """
    if served.engine == "vllm":
        return Vllm.of(run, served.context)
    return llama_cpp.LlamaCpp.of(run, llama_cpp.base_file(run, served.base))


def look(aws: Aws, books: Books, made: Made) -> dict[str, Any] | None:
    """State of an endpoint; None: it is gone, and the ledger notes when."""
    try:
        return describe(aws, made.name)
    except ResourceMissing:
        gone_by_itself(books, made)
        return None


def opened_endpoint(aws: Aws, books: Books, run: RunFolder) -> OpenEndpoint:
    """The endpoint of a run, once it is sure that it answers as both sides.

    Raises:
        SageMakerError: there is none, it does not answer (yet), it is not of the
            adapter that lies in the run, or its tuned side is the base.
    """
    made = _newest(books, run)
    served = made.served
    if served is None:
        raise SageMakerError(f"the ledger does not say what {made.name} answers with")
    found = look(aws, books, made)
    if found is None:
        raise ResourceMissing(
            f"the endpoint {made.name} of {run.root} is gone, as was asked: put it up "
            f"again with: medassist finetune sagemaker deploy {run.root} --hours N"
        )
    state = str(found["EndpointStatus"])
    if state != IN_SERVICE:
        raise SageMakerError(
            f"the endpoint {made.name} does not answer: {state} "
            f"({WORDS.get(state, state)}). "
            + (
                "Try again in some minutes"
                if state in COMING
                else f"Take it down: medassist finetune sagemaker teardown {run.root}"
            )
        )
    _check_adapter(run, served)
    endpoint = Endpoint(aws, made.name, engine_of(run, served))
    if not served.ready:  # the program was ended before it was known
        made_ready(books, made, endpoint)
    return OpenEndpoint(endpoint, made, served)


def made_ready(books: Books, made: Made, endpoint: Endpoint) -> ProbedEndpoint:
    """Probe an endpoint, and write down that it has passed.

    Raises:
        SageMakerError: it has not.
    """
    probed = probe(endpoint)
    assert made.served is not None
    served = made.served.model_copy(update={"ready": True})
    books.note("endpoint", made.name, served=served)
    return probed


def _newest(books: Books, run: RunFolder) -> Made:
    known = books.ledger.of("endpoint")
    if not known:
        raise ResourceMissing(
            f"{run.root} has no endpoint; put one up with: medassist finetune "
            f"sagemaker deploy {run.root} --hours N"
        )
    if known[-1].state == "gone":
        raise ResourceMissing(
            f"the endpoint {known[-1].name} of {run.root} is gone; put it up again "
            f"with: medassist finetune sagemaker deploy {run.root} --hours N"
        )
    return known[-1]


def _check_adapter(run: RunFolder, served: EndpointSetup) -> None:
    file = run.adapter / ADAPTER_WEIGHTS
    if served.engine == "llama-cpp":
        file = llama_cpp.adapter_file(run)
    if not file.is_file() or sha256_of_file(file) != served.adapter_sha256:
        raise SageMakerError(
            f"{file} is not what the endpoint answers with: it was changed since. Take "
            "the endpoint down and deploy the run again"
        )
