"""The file of results: one line a measurement, safe against a kill at any moment.

A line is appended and brought to the disk as soon as its measurement is over, and never
changed. What is read back tells what is done already: a line counts for a measurement
whose `key` it has, which stands for all that the figure depends on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from medassist.bench.errors import BenchError, UsageError
from medassist.core.files import append_whole, open_own, read_bytes, sync
from medassist.core.locks import HeldError, Lock
from medassist.core.validated import first_problem
from medassist.frozen_model import FrozenModel

SCHEMA = "medassist-bench/1"
FLASH_AUTO = -1
Kind = Literal["run", "speed", "app", "load", "memory", "sustained", "quality", "exam"]
Scalar = str | int | float | bool | None
Parameters = dict[str, Scalar]


class FileFacts(FrozenModel):
    """A model or adapter file; only its name, since a path names the user."""

    name: str
    sha256: str
    bytes: int
    quantization: str = ""
    params: int = 0
    bits: float = 0.0
    """Bits of the file by weight."""
    types: dict[str, int] = {}
    """Weights by the type that they really have: {"Q4_K": 1000, "F32": 10}."""
    type: str = ""
    """Architecture, size and quantization as llama.cpp says them."""
    tensor_bytes: int = 0


class SettingsFacts(FrozenModel):
    """Settings with which the model was loaded."""

    n_batch: int
    n_ubatch: int
    n_threads: int
    type_k: str
    type_v: str
    flash_attn: int
    """1 on, 0 off, -1 as llama.cpp chooses; so has it llama-bench."""
    n_ctx: int
    n_gpu_layers: int = 0


class Disturbance(FrozenModel):
    """Load by other programs during a measurement."""

    others: float | None = None
    """The share of all cores that other programs took, and steal; `None`: not read."""
    held_up: float | None = None
    """The share of the time in which our threads did not compute: they had no core,
    or waited for one of them that had none. It is never 0, since they wait for each
    other, too."""
    switches: int | None = None
    """Times that one of our threads was thrown off its core."""
    disturbed: bool = False
    """Others took too much to rely on the figure."""
    pressure: float | None = None
    """Percent of the last 10 s in which some program waited for a core."""
    frequency_mhz: float | None = None
    temperature_c: float | None = None
    throttled: int | None = None
    """Times that the processor slowed itself down because of heat."""
    joules: float | None = None
    """Beyond those of the idle computer."""


class Figure(FrozenModel):
    """A figure with its interval, if it is an estimate."""

    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""


class ExamItem(FrozenModel):
    """A model's answer to one exam question."""

    id: str
    group: str = ""
    tokens: str
    """The sha256 of the token ids that it was asked with."""
    gold: int
    choice: int
    choice_norm: int
    margin: float
    """By how many nats the choice leads the next one."""


class ResultLine(FrozenModel):
    """One measurement."""

    schema_: Literal["medassist-bench/1"] = Field(default=SCHEMA, alias="schema")
    kind: Kind
    run: str
    """Name of the program's run that measured it."""
    key: str
    """Stands for all that the figure depends on, the repetition included."""
    measurement: str = ""
    """The same without the repetition: lines that have it belong together."""
    at: datetime
    model: FileFacts | None = None
    adapter: FileFacts | None = None
    settings: SettingsFacts | None = None
    test: Parameters = {}
    machine: dict[str, Any] = {}
    disturbance: Disturbance = Disturbance()
    samples: dict[str, tuple[float, ...]] = {}
    """Measured one by one, by name: `ns`, `ttft_s`, ..."""
    figures: dict[str, Figure] = {}
    items: tuple[ExamItem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def row(self) -> str:
        """Name of the row that the measurement belongs to."""
        adapter = f" + {self.adapter.name}" if self.adapter else ""
        return f"{self.model.name if self.model else ''}{adapter}"


def key_of(**depends: object) -> str:
    """Hash of everything that a figure depends on: 16 hexadecimal digits."""
    text = json.dumps(depends, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def now() -> datetime:
    """The current time for a line."""
    return datetime.now(UTC).replace(microsecond=0)


class ResultsFile:
    """A file of results opened for appending; a context manager.

    Args:
        file: is made if need be, for the user alone.
        resume: go on with what is there; else the file must be empty or not there.

    Attributes:
        lines: all that it holds.

    Raises:
        UsageError: there is something in it, and it is not to be gone on with; or
            another process writes to it.
        BenchError: it is no such file, or cannot be made.
    """

    def __init__(self, file: Path, *, resume: bool = False) -> None:
        self.file = file
        self._lock = Lock(file.with_name(f".{file.name}.lock"), passing=True)
        try:
            self._lock.take()
        except HeldError as error:
            raise UsageError(
                f"{file} is being written by another medassist bench{error.holder}. "
                "Wait for it, or give another file with --out."
            ) from None
        except OSError as error:
            raise _unmade(file, error) from error
        try:
            number = open_own(file)
        except BaseException as error:
            self._lock.release()
            if isinstance(error, OSError):
                raise _unmade(file, error) from error
            raise
        self._out = FileIO(number, "r+b")
        try:
            data = self._out.read()
            if data and not resume:
                raise UsageError(
                    f"{file} holds results already. Add --resume to go on with them, "
                    "or give another file with --out."
                )
            # What has no line end was cut off by a kill, and is measured again.
            whole = data.rfind(b"\n") + 1
            self.lines = _parsed(file, data[:whole])
            self._out.truncate(whole)
            self._out.seek(whole)
            if not data:
                sync(file.parent)
        except BaseException:
            self.close()
            raise

    def append(self, line: ResultLine) -> None:
        """Write a line; it is on disk when this returns.

        Raises:
            BenchError: the disk is full or gone; no half line stays.
        """
        text = line.model_dump_json(by_alias=True, exclude_defaults=True)
        # The schema is a default, and every line has to say it.
        data = f'{{"schema":"{SCHEMA}",{text[1:]}\n'.encode()
        try:
            append_whole(self._out, data)
        except OSError as error:
            raise BenchError(
                f"{self.file} cannot be written: {error.strerror}. What was measured "
                "before is in it; make room and go on with --resume."
            ) from error
        self.lines.append(line)

    def having(self, key: str) -> list[ResultLine]:
        """Lines with the key `key`."""
        return [line for line in self.lines if line.key == key]

    def close(self) -> None:
        """Close the file."""
        self._out.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _unmade(file: Path, error: OSError) -> BenchError:
    return BenchError(
        f"{file} cannot be made: {error.strerror}. Nothing was measured; make room, or "
        "give another file with --out."
    )


def read_results(file: Path) -> list[ResultLine]:
    """Read the lines of a file of results, without one that a kill cut off.

    Raises:
        BenchError: it is not there, or no such file.
    """
    try:
        data = read_bytes(file)
    except OSError as error:
        raise BenchError(f"{file} cannot be read: {error.strerror}.") from error
    return _parsed(file, data[: data.rfind(b"\n") + 1])


def _parsed(file: Path, data: bytes) -> list[ResultLine]:
    lines: list[ResultLine] = []
    for number, text in enumerate(data.splitlines(), 1):
        try:
            lines.append(ResultLine.model_validate_json(text))
        except ValidationError as error:
            raise BenchError(
                f"{file}, line {number} is no result of `medassist bench` of this "
                f"version: {first_problem(error, 'the whole line')}. "
                "Take the file that it wrote."
            ) from None
    return lines


def folded(lines: Iterable[ResultLine]) -> list[ResultLine]:
    """Merge lines of the same measurement, in the order of the first ones.

    Repetitions of a speed are lines of their own, since each is kept as it comes; here
    their samples stand side by side. Figures are left out: they are of one repetition.
    """
    found: dict[str, list[ResultLine]] = {}
    for line in lines:
        found.setdefault(line.measurement or line.key, []).append(line)
    return [
        parts[0] if len(parts) == 1 else _together(parts) for parts in found.values()
    ]


def declared_margin(lines: Sequence[ResultLine], wished: float) -> float:
    """The margin declared first; it cannot change after answers are known."""
    for line in lines:
        if line.kind == "run" and "margin" in line.figures:
            return line.figures["margin"].value
    return wished


ROUND = "round"
"""The parameter that tells apart repetitions and parts of one measurement."""


def _together(parts: Sequence[ResultLine]) -> ResultLine:
    first = parts[0]
    samples: dict[str, tuple[float, ...]] = {}
    for part in parts:
        for name, values in part.samples.items():
            samples[name] = (*samples.get(name, ()), *values)
    return first.model_copy(
        update={
            "test": {k: v for k, v in first.test.items() if k != ROUND},
            "samples": samples,
            "figures": first.figures if len(parts) == 1 else {},
            "items": tuple(item for part in parts for item in part.items),
            "disturbance": _worst([part.disturbance for part in parts]),
            "notes": tuple(dict.fromkeys(n for part in parts for n in part.notes)),
        }
    )


def _worst(found: Sequence[Disturbance]) -> Disturbance:
    """The worst of all repetitions; of the energy the sum, where all of it is known."""

    def known(name: str) -> list[Any]:
        return [v for d in found if (v := getattr(d, name)) is not None]

    def most(name: str) -> Any:
        return max(known(name), default=None)

    joules = known("joules")

    return Disturbance(
        others=most("others"),
        held_up=most("held_up"),
        switches=most("switches"),
        disturbed=any(d.disturbed for d in found),
        pressure=most("pressure"),
        frequency_mhz=min(known("frequency_mhz"), default=None),
        temperature_c=most("temperature_c"),
        throttled=most("throttled"),
        joules=sum(joules) if len(joules) == len(found) else None,
    )
