"""RUN/sagemaker.json: what was made in the account for a run, and what it costs.

A thing is written down before it is asked for, and on the disk before the request goes
out: whatever ends the program in between, `teardown` finds the thing, or finds that it
never came to be. Nothing is ever taken out of the file; what is deleted is marked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.job_limits import LATE_S, cost
from finetune.sagemaker.places import EngineKind
from medassist.core.files import PRIVATE_FILE, read_bytes, write_whole
from medassist.frozen_model import FrozenModel

FILE = "sagemaker.json"
Kind = Literal[
    "bucket",
    "objects",
    "role",
    "training-job",
    "model",
    "endpoint-config",
    "endpoint",
    "schedule",
    "budget",
    "experiment",
    "trial",
]
State = Literal["asked", "there", "gone"]
Clock = Callable[[], float]


def _now() -> float:
    return time.time()


class EndpointSetup(FrozenModel):
    """Engine, instance and models of an endpoint."""

    engine: EngineKind
    image: str
    instance: str
    context: int
    """Tokens of a question with its answer."""
    base: str
    """The base's name."""
    adapter_sha256: str
    """Hash of the adapter's weights, as they were sent."""
    ready: bool = False
    """Whether a probe has shown that the tuned model is not the base."""


class Made(FrozenModel):
    """One thing in the account."""

    kind: Kind
    name: str
    """Name by its service; of `objects`: s3://BUCKET/PREFIX."""
    state: State = "asked"
    """`asked` stands before the request goes out: whether it is there, AWS knows."""
    asked_at: float
    """Seconds since 1970."""
    gone_at: float | None = None
    until: float | None = None
    """Time at which it goes by itself."""
    price: Decimal | None = None
    """Dollars an hour of one instance, while it is there."""
    instances: int = 1
    hard_s: int | None = None
    """Training jobs only: seconds that are billed at worst."""
    billed_s: int | None = None
    """Training jobs that have ended only: seconds billed by SageMaker's own account."""
    shared: bool = False
    """Not made for this run alone: `teardown` leaves it, and says so."""
    served: EndpointSetup | None = None
    """Endpoints only: their set-up."""

    @property
    def worst(self) -> Decimal:
        """Dollars that a job or an endpoint has cost or may still cost; else none."""
        if self.price is None:
            return Decimal(0)
        return cost(self._worst_s, self.price, self.instances)

    @property
    def _worst_s(self) -> float:
        if self.kind == "training-job":
            return (self.hard_s if self.billed_s is None else self.billed_s) or 0
        if self.kind != "endpoint":
            return 0
        late = self.asked_at if self.until is None else self.until + LATE_S
        end = late if self.gone_at is None else self.gone_at
        return max(0.0, end - self.asked_at)


class ResourceLedger(FrozenModel):
    """All that was made for a run, in the order in which it was asked for."""

    version: Literal[1] = 1
    account: str
    region: str
    made: tuple[Made, ...] = ()

    def of(self, kind: Kind) -> tuple[Made, ...]:
        """The things of a kind, the oldest first."""
        return tuple(each for each in self.made if each.kind == kind)

    def find(self, kind: Kind, name: str) -> Made | None:
        """The thing of that kind and name; the last, where there are several."""
        return next((m for m in reversed(self.of(kind)) if m.name == name), None)

    @property
    def spent(self) -> Decimal:
        """Dollars of the jobs and endpoints so far, those that run counted at worst."""
        return sum((each.worst for each in self.made), Decimal(0))


@dataclass
class Books:
    """The ledger of a run, written at each change."""

    file: Path
    ledger: ResourceLedger
    clock: Clock = _now

    @contextmanager
    def making(self, kind: Kind, name: str, **facts: object) -> Generator[None]:
        """Write down what the body asks for, and afterwards that it is there.

        Where the body raises, it stays `asked`: the request may have arrived.

        Args:
            kind: of the thing.
            name: of the thing.
            facts: more fields of `Made`.

        Raises:
            SageMakerError: it cannot be written; then nothing was asked for.
        """
        known = self.ledger.find(kind, name)
        if known is None or known.state == "gone":
            made = Made.model_validate(
                {"kind": kind, "name": name, "asked_at": self.clock(), **facts}
            )
            self._write((*self.ledger.made, made))
        elif facts:
            self.note(kind, name, **facts)
        yield
        self.note(kind, name, state="there")

    def note(self, kind: Kind, name: str, **facts: object) -> None:
        """Change fields of a thing that is in the ledger.

        Raises:
            KeyError: nothing of that kind and name is.
        """
        known = self.ledger.find(kind, name)
        if known is None:
            raise KeyError((kind, name))
        changed = Made.model_validate({**known.model_dump(), **facts})
        self._write(tuple(changed if m is known else m for m in self.ledger.made))

    def gone(self, kind: Kind, name: str) -> None:
        """Mark a thing as deleted."""
        self.note(kind, name, state="gone", gone_at=self.clock())

    def _write(self, made: tuple[Made, ...]) -> None:
        ledger = self.ledger.model_copy(update={"made": made})
        try:
            write_whole(
                self.file, ledger.model_dump_json(indent=2) + "\n", PRIVATE_FILE
            )
        except OSError as error:
            raise SageMakerError(
                f"{self.file} cannot be written ({error.strerror or error}). What is "
                "made in the account is written down there first, so nothing more is "
                "asked for"
            ) from error
        self.ledger = ledger


def read_ledger(run: Path) -> ResourceLedger | None:
    """The ledger of the run folder `run`; None where nothing was made for it.

    Raises:
        SageMakerError: the file is not one that was written here.
    """
    file = run / FILE
    try:
        return ResourceLedger.model_validate_json(read_bytes(file))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SageMakerError(
            f"{file} cannot be read: {error.strerror or error}"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the whole file"
        raise SageMakerError(
            f"{file} is not what was written there: {where}: {first['msg']}. It says "
            "what stands in the account: put the file back, or look through the "
            "account for the tag medassist:run"
        ) from error


def open_books(run: Path, account: str, region: str, clock: Clock = _now) -> Books:
    """The ledger of `run`, to be written in; a new one where there is none.

    Raises:
        SageMakerError: `run` belongs to another account or region, or is no folder.
    """
    ledger = read_ledger(run)
    if ledger is None:
        if not run.is_dir():
            raise SageMakerError(f"{run} is no folder; a run folder was expected")
        ledger = ResourceLedger(account=account, region=region)
    check_same(run, ledger, account, region)
    return Books(run / FILE, ledger, clock)


def check_same(run: Path, ledger: ResourceLedger, account: str, region: str) -> None:
    """Make sure that the run's things lie in this account and region.

    Raises:
        SageMakerError: they lie elsewhere, where these credentials would not see them.
    """
    if (ledger.account, ledger.region) != (account, region):
        raise SageMakerError(
            f"{run / FILE} tells of account {ledger.account} in {ledger.region}, and "
            f"this is account {account} in {region}: what was made there cannot be "
            f"seen from here. Use its profile and --region {ledger.region}"
        )
