"""Events of a measurement, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from medassist.bench.results import Kind, ResultLine


@dataclass(frozen=True)
class Planned:
    """The plan of the measurement.

    Attributes:
        steps: measurements that are left.
        done: measurements that an earlier sitting made.
        seconds: that they will take, about; `None`: not known.
        notes: what these items can show, and the like, in sentences.
    """

    steps: int
    done: int
    seconds: float | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """A sentence for the user."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Began:
    """Step `number` of `of` begins.

    Attributes:
        kind: of it.
        row: the model's.
        what: is measured, in a few words.
    """

    kind: Kind
    row: str
    what: str
    number: int
    of: int


@dataclass(frozen=True)
class Progressed:
    """Progress within a long step.

    Attributes:
        row: the model's.
        what: is counted.
        done: of `total`.
        speed: tokens a second just now, where that is measured.
    """

    row: str
    what: str
    done: float
    total: float
    speed: float | None = None


@dataclass(frozen=True)
class Measured:
    """A step is finished and saved."""

    line: ResultLine
    number: int
    of: int


@dataclass(frozen=True)
class StepFailed:
    """A step failed; the others go on."""

    row: str
    what: str
    message: str


@dataclass(frozen=True)
class Ended:
    """The measurement is finished.

    Attributes:
        lines: everything in the file.
        failed: whether some measurement could not be made.
    """

    lines: tuple[ResultLine, ...]
    failed: bool


Event = Planned | Said | Began | Progressed | Measured | StepFailed | Ended
