"""SageMaker's contract with a container: folders, hosts, and the job's parameters.

The layout is that of the SageMaker developer guide ("How Amazon SageMaker Runs Your
Training Image"); MEDASSIST_JOB_FOLDER stands for /opt/ml where there is none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medassist.core.files import SHARED_FILE, write_whole

FAILURE_LENGTH = 1024
"""Characters of output/failure that SageMaker shows."""
INSIDE, PRICE = "MEDASSIST_BUDGET_SECONDS", "MEDASSIST_PRICE"
DEVICE, PROCESSES = "MEDASSIST_DEVICE", "MEDASSIST_PROCESSES"
JOB = "MEDASSIST_JOB"
FOLDER, SCRATCH = "MEDASSIST_JOB_FOLDER", "MEDASSIST_SCRATCH"


class JobFailed(Exception):
    """The job cannot be done; the message is for output/failure."""


@dataclass(frozen=True)
class Contract:
    """The folders of a job, and what it was told."""

    folder: Path
    """/opt/ml."""
    scratch: Path
    """Place of the run folder while it trains; not kept."""
    host: str
    hosts: tuple[str, ...]
    interface: str
    """The network interface between the hosts; empty where it is not said."""
    inside_s: float | None
    """Seconds that all starts of the job may take together."""
    price: float | None
    """Dollars an hour of one instance."""
    device: str
    job: str
    """The job's name: a later job on the same checkpoints has an account of its own."""
    processes: int
    """Processes on each host: one a GPU."""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Contract:
        """The contract of this container.

        Raises:
            JobFailed: something in it is not what was expected.
        """
        folder = Path(environment.get(FOLDER, "/opt/ml"))
        resources = _read(folder / "input/config/resourceconfig.json")
        hosts = resources.get("hosts")
        host = resources.get("current_host")
        if (
            not isinstance(hosts, list)
            or not all(isinstance(name, str) for name in hosts)
            or host not in hosts
        ):
            raise JobFailed(
                f"{folder}/input/config/resourceconfig.json names no current_host "
                f"among its hosts: {resources!r:.200}"
            )
        processes = _number(environment, PROCESSES)
        return cls(
            folder=folder,
            scratch=Path(environment.get(SCRATCH, "/tmp/medassist")),  # noqa: S108
            host=str(host),
            hosts=tuple(sorted(hosts)),
            interface=str(resources.get("network_interface_name") or ""),
            inside_s=_number(environment, INSIDE),
            price=_number(environment, PRICE),
            device=environment.get(DEVICE, "auto"),
            job=environment.get(JOB, "job"),
            processes=int(processes or 1),
        )

    @property
    def first(self) -> bool:
        """Whether this host is the one that keeps checkpoints and the adapter."""
        return self.host == self.hosts[0]

    @property
    def rank(self) -> int:
        """This host's place among the hosts."""
        return self.hosts.index(self.host)

    @property
    def checkpoints(self) -> Path:
        """Copied to and from S3 by SageMaker while the job runs."""
        return self.folder / "checkpoints"

    @property
    def account(self) -> Path:
        """Path of spent.json: beside the checkpoints, so that it comes back."""
        return self.checkpoints / "accounts" / self.job

    @property
    def model(self) -> Path:
        """Folder of the result: what lies here at the end is uploaded."""
        return self.folder / "model"

    @property
    def run(self) -> Path:
        """The run folder that is trained in."""
        return self.scratch / "run"

    @property
    def packages(self) -> Path:
        """Folder into which the wheels are installed."""
        return self.scratch / "packages"

    def channel(self, name: str) -> Path:
        """The folder of an input channel."""
        return self.folder / "input/data" / name


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise JobFailed(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise JobFailed(f"{file} holds no JSON object")
    return content


def _number(environment: Mapping[str, str], name: str) -> float | None:
    text = environment.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 10**9:
        raise JobFailed(f"{name} is {text!r:.50}; a number from 0 on was expected")
    return value


def say_failure(folder: Path, message: str) -> None:
    """Say in output/failure why the job failed; SageMaker shows it."""
    _output(folder, "failure", message[:FAILURE_LENGTH])


def say_success(folder: Path) -> None:
    """Leave output/success."""
    _output(folder, "success", "")


def _output(folder: Path, name: str, text: str) -> None:
    (folder / "output").mkdir(parents=True, exist_ok=True)
    write_whole(folder / "output" / name, text, SHARED_FILE)


def job_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Folder for output/failure, when the contract itself cannot be read."""
    return Path(environment.get(FOLDER, "/opt/ml"))
