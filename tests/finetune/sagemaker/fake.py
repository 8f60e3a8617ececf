"""SageMaker and its neighbours on the loopback, with a clock that the test turns.

moto answers for S3, IAM, STS, logs and metrics. What it has not, or has wrong (training
jobs that take time, stop, fail and are billed; prices; quotas; schedules), is here.
Each request is held against botocore's own description of the service, with maxima,
patterns and enumerations, and so is each answer, so that a test passes on nothing that
AWS would refuse or never say.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import botocore.session
from botocore.validate import ParamValidator

from finetune.sagemaker import strict
from tests.finetune.sagemaker.fake_account import Account
from tests.finetune.sagemaker.fake_hosting import (
    Hosting,
    Stream,
    Whole,
    event,
    invocation,
)
from tests.finetune.sagemaker.fake_words import ACCOUNT, NOON, REGION, Refusal

SERVICES = {
    "SageMaker": "sagemaker",
    "AWSPriceListService": "pricing",
    "ServiceQuotasV20190624": "service-quotas",
    "AWSBudgetServiceGateway": "budgets",
}


@dataclass(frozen=True)
class Outcome:
    """How a scripted job ended."""

    status: str = "Completed"
    failure: str = ""
    seconds: float = 120.0
    secondary: str = ""
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass
class Job:
    """A training job, as far as its description shows it."""

    request: dict[str, Any]
    arn: str
    created: float
    lasts: float = 600.0
    stop: threading.Event = field(default_factory=threading.Event)
    stopped_at: float | None = None
    outcome: Outcome | None = None
    ended_at: float | None = None
    thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        return self.request["TrainingJobName"]


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    kind: str = "application/x-amz-json-1.1"
    error: str = ""


class Fake(Hosting, Account):
    """The services; `with Fake() as fake:` listens on `fake.url`."""

    STARTING, DOWNLOADING, STOPPING = 60.0, 120.0, 30.0

    def __init__(self) -> None:
        Account.__init__(self)
        Hosting.__init__(self)
        self.clock = NOON
        self.jobs: dict[str, Job] = {}
        self.tags: dict[str, list[dict[str, str]]] = {}
        self.prices: list[dict[str, Any]] = [
            price("ml.g5.2xlarge", "Training", "1.5150000000"),
            price("ml.m5.large", "Training", "0.1150000000"),
            price("ml.g5.2xlarge", "Hosting", "1.5150000000"),
            price("ml.m5.xlarge", "Hosting", "0.2300000000"),
        ]
        self.quotas: dict[str, float] = {
            "ml.g5.2xlarge for training job usage": 1.0,
            "ml.g5.2xlarge for spot training job usage": 0.0,
            "ml.m5.large for training job usage": 4.0,
            "ml.g5.2xlarge for endpoint usage": 1.0,
            "ml.m5.large for endpoint usage": 2.0,
            "ml.m5.xlarge for endpoint usage": 1.0,
        }
        self.trainer: Callable[[Job], Outcome] | None = None
        self.fail: dict[tuple[str, str], tuple[str, str]] = {}
        """What is refused once, by service and operation: a code and a message."""
        self.drop: set[tuple[str, str]] = set()
        """What is carried out once, without an answer: the network is lost."""
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._lock = threading.RLock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                target = self.headers.get("X-Amz-Target") or ""
                answer = fake.answer(
                    self.command, self.path, target, body, self.headers
                )
                if answer is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.kind)
                if answer.error:
                    self.send_header("x-amzn-ErrorType", answer.error)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_DELETE = do_any  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Fake:
        # By default it looks every half second whether it is to end.
        serve = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        serve.start()
        return self

    def __exit__(self, *_: object) -> None:
        for job in self.jobs.values():
            job.stop.set()
            if job.thread is not None:
                job.thread.join(60)
        self._server.shutdown()
        self._server.server_close()

    def turn(self, seconds: float) -> None:
        """Let time pass; what is due by then happens."""
        with self._lock:
            self.clock += seconds
            self.scheduled()

    def wait(self, name: str) -> Job:
        """Wait until the scripted job has ended."""
        job = self.jobs[name]
        if job.thread is not None:
            job.thread.join(120)
        return job

    def answer(
        self, method: str, path: str, target: str, body: bytes, headers: Any
    ) -> Answer | None:
        """The answer to a request; None: the connection is lost."""
        if target:
            prefix, _, operation = target.partition(".")
            service, request = SERVICES[prefix], json.loads(body or b"{}")
        elif path.startswith("/endpoints/"):
            service = "sagemaker-runtime"
            operation, request = invocation(path, headers, body)
        else:
            service, operation, request = rest_request(method, path, body)
        with self._lock:
            self.calls.append((operation, request))
            try:
                self._refuse_what_aws_would(service, operation, request)
                result = getattr(self, operation)(request)
            except Refusal as refusal:
                said = {
                    "__type": refusal.code, "message": str(refusal), **refusal.more,
                }  # fmt: skip
                body = json.dumps(said).encode()
                return Answer(refusal.status, body, error=refusal.code)
            if (service, operation) in self.drop:
                self.drop.discard((service, operation))
                return None
            if isinstance(result, Stream):
                frames = b"".join(event(part) for part in result.parts)
                return Answer(200, frames, "application/vnd.amazon.eventstream")
            if isinstance(result, Whole):
                return Answer(200, result.body, "application/json")
            check_answer(service, operation, result)
            return Answer(200, json.dumps(result).encode())

    def _refuse_what_aws_would(
        self, service: str, operation: str, request: dict[str, Any]
    ) -> None:
        wrong = strict.complaints(client(service), operation, request)
        if wrong:
            raise Refusal("ValidationException", "; ".join(wrong))
        code = self.fail.pop((service, operation), None)
        if code is not None:
            raise Refusal(*code)
        if not hasattr(self, operation):
            raise AssertionError(f"the fake has no {service}.{operation}")

    # SageMaker: training

    def CreateTrainingJob(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["TrainingJobName"]
        if name in self.jobs:
            raise Refusal("ResourceInUse", f"Training job names must be unique: {name}")
        kind = request["ResourceConfig"]["InstanceType"]
        spot = "spot " if request.get("EnableManagedSpotTraining") else ""
        quota = self.quotas.get(f"{kind} for {spot}training job usage", 0)
        running = sum(
            self._state(job)[0] in ("InProgress", "Stopping")
            and job.request["ResourceConfig"]["InstanceType"] == kind
            for job in self.jobs.values()
        )
        if running + request["ResourceConfig"]["InstanceCount"] > quota:
            raise Refusal(
                "ResourceLimitExceeded",
                f"The account-level service limit '{kind} for {spot}training job "
                f"usage' is {quota:g} Instances",
            )
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name}"
        job = self.jobs[name] = Job(request, arn, self.clock)
        self.tags[arn] = request.get("Tags", [])
        if self.trainer is not None:
            job.thread = threading.Thread(target=self._train, args=[job], daemon=True)
            job.thread.start()
        return {"TrainingJobArn": arn}

    def _train(self, job: Job) -> None:
        assert self.trainer is not None
        try:
            outcome = self.trainer(job)
        except BaseException as error:
            outcome = Outcome("Failed", f"InternalServerError: {error!r}"[:1024])
        with self._lock:
            job.outcome = outcome
            self.clock += self.STARTING + self.DOWNLOADING + outcome.seconds
            job.ended_at = self.clock

    def DescribeTrainingJob(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self._job(request)
        status, secondary, started, ended = self._state(job)
        kept = (
            "TrainingJobName", "AlgorithmSpecification", "RoleArn", "InputDataConfig",
            "OutputDataConfig", "ResourceConfig", "StoppingCondition", "Environment",
            "EnableNetworkIsolation", "EnableManagedSpotTraining", "CheckpointConfig",
            "HyperParameters", "ExperimentConfig", "VpcConfig",
        )  # fmt: skip
        result: dict[str, Any] = {
            **{key: job.request[key] for key in kept if key in job.request},
            "TrainingJobArn": job.arn,
            "TrainingJobStatus": status,
            "SecondaryStatus": secondary,
            "CreationTime": job.created,
            "LastModifiedTime": self.clock,
            "ModelArtifacts": {
                "S3ModelArtifacts": job.request["OutputDataConfig"]["S3OutputPath"]
                + f"/{job.name}/output/model/"
            },
        }
        if started is not None:
            result["TrainingStartTime"] = started
            seconds = int((self.clock if ended is None else ended) - started)
            result["TrainingTimeInSeconds"] = max(seconds, 1)
            result["BillableTimeInSeconds"] = max(seconds, 1)
        if ended is not None:
            result["TrainingEndTime"] = ended
        if job.outcome is not None and job.outcome.failure:
            result["FailureReason"] = job.outcome.failure
        if job.outcome is not None and job.outcome.metrics:
            result["FinalMetricDataList"] = [
                {"MetricName": name, "Value": value, "Timestamp": self.clock}
                for name, value in job.outcome.metrics.items()
            ]
        return result

    def _state(self, job: Job) -> tuple[str, str, float | None, float | None]:
        """Status, secondary status, when the training began and ended."""
        begins = job.created + self.STARTING
        if job.thread is not None:
            if job.outcome is None:
                if job.stop.is_set():
                    return "Stopping", "Stopping", job.created, None
                return "InProgress", "Training", job.created, None
            secondary = job.outcome.secondary or job.outcome.status
            return job.outcome.status, secondary, begins, job.ended_at
        if job.outcome is not None:
            ended = job.ended_at or self.clock
            secondary = job.outcome.secondary or job.outcome.status
            return job.outcome.status, secondary, min(begins, ended), ended
        if job.stopped_at is not None:
            ended = job.stopped_at + self.STOPPING
            if self.clock < ended:
                return "Stopping", "Stopping", min(begins, self.clock), None
            return "Stopped", "Stopped", min(begins, ended), ended
        if self.clock < begins:
            return "InProgress", "Starting", None, None
        if self.clock < begins + self.DOWNLOADING:
            return "InProgress", "Downloading", begins, None
        asked = job.request["StoppingCondition"]["MaxRuntimeInSeconds"]
        ended = begins + self.DOWNLOADING + min(job.lasts, asked)
        if self.clock < ended:
            return "InProgress", "Training", begins, None
        if job.lasts > asked:
            return "Stopped", "MaxRuntimeExceeded", begins, ended
        return "Completed", "Completed", begins, ended

    def StopTrainingJob(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self._job(request)
        if self._state(job)[0] != "InProgress":
            raise Refusal(
                "ValidationException",
                "The request was rejected because the training job is in status "
                + self._state(job)[0],
            )
        job.stopped_at = self.clock
        job.stop.set()
        return {}

    def DeleteTrainingJob(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self._job(request)
        if self._state(job)[0] in ("InProgress", "Stopping"):
            raise Refusal("ResourceInUse", f"{job.name} is in progress")
        del self.jobs[job.name]
        return {}

    def ListTrainingJobs(self, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "TrainingJobSummaries": [
                {
                    "TrainingJobName": job.name,
                    "TrainingJobArn": job.arn,
                    "CreationTime": job.created,
                    "TrainingJobStatus": self._state(job)[0],
                }
                for job in self.jobs.values()
                if request.get("NameContains", "") in job.name
                and request.get("StatusEquals") in (None, self._state(job)[0])
            ]
        }

    def ListTags(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Tags": self.tags.get(request["ResourceArn"], [])}

    def _job(self, request: dict[str, Any]) -> Job:
        name = request["TrainingJobName"]
        if name not in self.jobs:
            raise Refusal("ValidationException", "Requested resource not found.")
        return self.jobs[name]

    # SageMaker: what stands and costs

    def ListNotebookInstances(self, request: dict[str, Any]) -> dict[str, Any]:
        name = "leftover"
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:notebook-instance/{name}"
        found = {"NotebookInstanceName": name, "NotebookInstanceArn": arn}
        return {"NotebookInstances": [found]}

    # Prices and quotas

    def GetProducts(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = {each["Field"]: each["Value"] for each in request["Filters"]}
        found = [
            product
            for product in self.prices
            if all(
                product["product"]["attributes"].get(field) == value
                for field, value in wanted.items()
            )
        ]
        return {"FormatVersion": "aws_v1", "PriceList": [json.dumps(p) for p in found]}

    def ListServiceQuotas(self, request: dict[str, Any]) -> dict[str, Any]:
        names = sorted(self.quotas)
        first = int(request.get("NextToken", "0"))
        size = min(request.get("MaxResults", 2), 2)  # small pages: they are turned
        result: dict[str, Any] = {
            "Quotas": [
                {
                    "ServiceCode": "sagemaker",
                    "QuotaName": name,
                    "QuotaCode": f"L-{names.index(name):08X}",
                    "Value": self.quotas[name],
                }
                for name in names[first : first + size]
            ]
        }
        if first + size < len(names):
            result["NextToken"] = str(first + size)
        return result


def price(
    instance: str, use: str, dollars: str, *, usage: str = "", region: str = REGION
) -> dict[str, Any]:
    """A line of the list of prices, in its own form."""
    short = {"Training": "Train", "Hosting": "Host"}.get(use, use)
    return {
        "product": {
            "productFamily": "ML Instance",
            "attributes": {
                "regionCode": region,
                "instanceName": instance,
                "component": use,
                "usagetype": usage or f"USE1-{short}:{instance}",
            },
        },
        "serviceCode": "AmazonSageMaker",
        "terms": {
            "OnDemand": {
                "A.B": {
                    "effectiveDate": "2026-11-01T00:00:00Z",
                    "priceDimensions": {
                        "A.B.C": {"unit": "Hrs", "pricePerUnit": {"USD": dollars}}
                    },
                }
            }
        },
    }


def rest_request(
    method: str, path: str, body: bytes
) -> tuple[str, str, dict[str, Any]]:
    """Service, operation and arguments of a request of the scheduler."""
    where, _, query = path.partition("?")
    _, kind, name = (*where.split("/"), "")[:3]
    if kind != "schedules":
        raise AssertionError(f"the fake has no {method} {path}")
    operation = {"POST": "Create", "GET": "Get", "DELETE": "Delete"}[method]
    request = json.loads(body or b"{}")
    if not name:
        return "scheduler", "ListSchedules", dict(parse_qsl(query))
    request["Name"] = name
    return "scheduler", f"{operation}Schedule", request


def check_answer(service: str, operation: str, result: dict[str, Any]) -> None:
    """Hold an answer against the description of the service, as the client would."""
    shape = client(service).meta.service_model.operation_model(operation).output_shape
    if shape is None:
        return
    timed = with_times(shape, result)
    report = ParamValidator().validate(timed, shape)
    assert not report.has_errors(), report.generate_report()


def with_times(shape: Any, value: Any) -> Any:
    """Times are numbers on the wire, which the validator takes for no times."""
    import datetime

    if shape.type_name == "timestamp" and isinstance(value, int | float):
        return datetime.datetime.fromtimestamp(value, datetime.UTC)
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{shape.name} has no {unknown}"
        return {k: with_times(shape.members[k], v) for k, v in value.items()}
    if shape.type_name == "list":
        return [with_times(shape.member, v) for v in value]
    return value


@cache
def client(service: str) -> Any:
    """A client that is asked for its description alone."""
    return botocore.session.Session().create_client(
        service,
        region_name=REGION,
        aws_access_key_id="none",
        aws_secret_access_key="none",
        endpoint_url="http://127.0.0.1:1",
    )
