"""Models, endpoints, their invocation and the scheduler, as parts of the fake.

An endpoint takes its time to come up, cannot be deleted before it has, and passes what
it is asked on to a server on the loopback that stands for its container: `/invocations`
of vLLM, or llama.cpp's chats, as the proxy in that image does it. A schedule really
deletes its endpoint when the test turns the clock past its time.
"""

from __future__ import annotations

import binascii
import datetime
import json
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.finetune.sagemaker.fake_words import ACCOUNT, REGION, Refusal, arn


@dataclass(frozen=True)
class Stream:
    """An answer as a stream of events: their payloads."""

    parts: tuple[bytes, ...]


@dataclass(frozen=True)
class Whole:
    """An answer in one piece."""

    body: bytes


@dataclass
class Hosting:
    """A part of `Fake`; what it shares with it stands there."""

    CREATING = 300.0
    clock: float = 0.0
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    endpoint_configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)
    quotas: dict[str, float] = field(default_factory=dict)
    tags: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    container: str = ""
    """The address of what answers: http://127.0.0.1:PORT/invocations."""
    endpoint_failure: str = ""
    """Why endpoints fail, instead of coming up."""
    stuck: bool = False
    """Endpoints never come up."""
    split: int = 7
    """Bytes of an event of a stream; its bounds mean nothing."""

    # SageMaker

    def CreateModel(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"ModelArn": self._new(self.models, "model", "ModelName", request)}

    def CreateEndpointConfig(self, request: dict[str, Any]) -> dict[str, Any]:
        for variant in request["ProductionVariants"]:
            self._one(self.models, variant["ModelName"], "model")
        known, kind = self.endpoint_configs, "endpoint-config"
        made = self._new(known, kind, "EndpointConfigName", request)
        return {"EndpointConfigArn": made}

    def CreateEndpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointConfigName"]
        config = self.endpoint_configs[self._one(self.endpoint_configs, name, "config")]
        kind = config["ProductionVariants"][0]["InstanceType"]
        quota = self.quotas.get(f"{kind} for endpoint usage", 0)
        if len(self.endpoints) + 1 > quota:
            raise Refusal(
                "ResourceLimitExceeded",
                f"The account-level service limit '{kind} for endpoint usage' is "
                f"{quota:g} Instances",
            )
        made = self._new(self.endpoints, "endpoint", "EndpointName", request)
        self.endpoints[request["EndpointName"]] |= {
            "created": self.clock,
            "config": request["EndpointConfigName"],
            "status": "",
        }
        return {"EndpointArn": made}

    def _new(
        self, known: dict[str, Any], kind: str, key: str, request: dict[str, Any]
    ) -> str:
        name = request[key]
        own = arn(kind, name)
        if name in known:
            raise Refusal(
                "ValidationException", f'Cannot create already existing {kind} "{own}".'
            )
        known[name] = dict(request)
        self.tags[own] = request.get("Tags", [])
        return own

    def endpoint_status(self, name: str) -> str:
        endpoint = self.endpoints[name]
        if endpoint.get("status", "InService"):
            return endpoint.get("status", "InService")
        if self.stuck or self.clock < endpoint["created"] + self.CREATING:
            return "Creating"
        return "Failed" if self.endpoint_failure else "InService"

    def ListEndpoints(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Endpoints": [self._endpoint(name) for name in self.endpoints]}

    def _endpoint(self, name: str) -> dict[str, Any]:
        return {
            "EndpointName": name,
            "EndpointArn": arn("endpoint", name),
            "CreationTime": self.endpoints[name]["created"],
            "LastModifiedTime": self.endpoints[name]["created"],
            "EndpointStatus": self.endpoint_status(name),
        }

    def DescribeEndpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        name = self._one(self.endpoints, request["EndpointName"], "endpoint")
        found = self._endpoint(name)
        found["EndpointConfigName"] = self.endpoints[name].get("config", name)
        if found["EndpointStatus"] == "Failed":
            found["FailureReason"] = self.endpoint_failure
        return found

    def DeleteEndpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        name = self._one(self.endpoints, request["EndpointName"], "endpoint")
        if self.endpoint_status(name) == "Creating":
            raise Refusal(
                "ValidationException", "Cannot delete an endpoint while it is Creating."
            )
        del self.endpoints[name]
        return {}

    def DeleteEndpointConfig(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointConfigName"]
        del self.endpoint_configs[self._one(self.endpoint_configs, name, "config")]
        return {}

    def DeleteModel(self, request: dict[str, Any]) -> dict[str, Any]:
        del self.models[self._one(self.models, request["ModelName"], "model")]
        return {}

    def _one(self, known: dict[str, Any], name: str, what: str) -> str:
        if name not in known:
            raise Refusal("ValidationException", f'Could not find {what} "{name}".')
        return name

    # The runtime

    def InvokeEndpoint(self, request: dict[str, Any]) -> Whole:
        return Whole(b"".join(self._invoked(request)))

    def InvokeEndpointWithResponseStream(self, request: dict[str, Any]) -> Stream:
        whole = b"".join(self._invoked(request))
        parts = range(0, len(whole), self.split)
        return Stream(tuple(whole[at : at + self.split] for at in parts))

    def _invoked(self, request: dict[str, Any]) -> Iterator[bytes]:
        name = request["EndpointName"]
        if name not in self.endpoints or self.endpoint_status(name) != "InService":
            raise Refusal(
                "ValidationError", f"Endpoint {name} of account {ACCOUNT} not found."
            )
        asked = urllib.request.Request(
            self.container,
            request["Body"],
            {"Content-Type": request.get("ContentType", "")},
        )
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                yield answer.read()
        except urllib.error.HTTPError as error:
            said = error.read().decode()
            raise Refusal(
                "ModelError",
                f"Received client error ({error.code}) from the container",
                OriginalStatusCode=error.code,
                OriginalMessage=said,
            ) from error

    # The scheduler

    def CreateSchedule(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["Name"]
        if name in self.schedules:
            raise Refusal("ConflictException", f"Schedule {name} already exists.")
        self.schedules[name] = {**request, "at": moment(request["ScheduleExpression"])}
        own = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{name}"
        return {"ScheduleArn": own}

    def GetSchedule(self, request: dict[str, Any]) -> dict[str, Any]:
        known = self.schedules.get(request["Name"])
        if known is None:
            raise Refusal("ResourceNotFoundException", "Schedule does not exist.")
        return {k: v for k, v in known.items() if k not in ("at", "ClientToken")}

    def DeleteSchedule(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.schedules.pop(request["Name"], None) is None:
            raise Refusal("ResourceNotFoundException", "Schedule does not exist.")
        return {}

    def scheduled(self) -> None:
        """What is due by now happens; what is refused is tried again later."""
        for name in [
            n for n, each in self.schedules.items() if each["at"] <= self.clock
        ]:
            target = self.schedules[name]["Target"]
            assert (
                target["Arn"] == "arn:aws:scheduler:::aws-sdk:sagemaker:deleteEndpoint"
            )
            try:
                self.DeleteEndpoint(json.loads(target["Input"]))
            except Refusal as refusal:
                if "Creating" in str(refusal):
                    continue
            if self.schedules[name].get("ActionAfterCompletion") == "DELETE":
                del self.schedules[name]


def moment(expression: str) -> float:
    """at(2027-01-15T08:00:00) as seconds since 1970."""
    when = datetime.datetime.fromisoformat(expression[3:-1])
    return when.replace(tzinfo=datetime.UTC).timestamp()


def invocation(path: str, headers: Any, body: bytes) -> tuple[str, dict[str, Any]]:
    """Operation and arguments of a request to /endpoints/NAME/..."""
    _, _, name, what = path.partition("?")[0].split("/")
    operation = {
        "invocations": "InvokeEndpoint",
        "invocations-response-stream": "InvokeEndpointWithResponseStream",
    }[what]
    request = {"EndpointName": name, "Body": body}
    if headers.get("Content-Type"):
        request["ContentType"] = headers["Content-Type"]
    return operation, request


def event(payload: bytes) -> bytes:
    """A PayloadPart as it stands on the wire: a frame of AWS's event stream."""
    names = (
        (":event-type", "PayloadPart"),
        (":content-type", "application/octet-stream"),
        (":message-type", "event"),
    )
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\7" + struct.pack(">H", len(value))
        + value.encode()
        for name, value in names
    )  # fmt: skip
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    frame = prelude + struct.pack(">I", binascii.crc32(prelude)) + headers + payload
    return frame + struct.pack(">I", binascii.crc32(frame))
