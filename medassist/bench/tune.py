"""Finds the number of threads that a model runs fastest with.

Threads change no number that is computed, so they may be chosen freely. The chunk,
flash attention and the type of the cache change the last bits of a logit, and with them
now and then an answer: they are never touched here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from medassist.bench.events import Progressed
from medassist.bench.machine import Sensors
from medassist.engine.timing import TimedModel, TimedSettings
from medassist.exams.timings import compared

ROUNDS = 5
READ, WRITTEN = 512, 128
"""Tokens of the question by whose time the numbers are compared."""
CANDIDATE_S = 2.0
"""Seconds of computing for each candidate in all rounds together, about."""
MOST_READ, MOST_WRITTEN = 128, 32


class Timed(Protocol):
    """Protocol: times a run with a number of threads."""

    def seconds(self, *, prompt: int, written: int, threads: int) -> float:
        """Seconds to read and write so many tokens."""
        ...


@dataclass(frozen=True)
class Tuned:
    """The best number of threads, and all that were tried.

    Attributes:
        threads: the best number; the default where none is shown to be faster.
        default: the number that is taken otherwise.
        speeds: questions a second by number of threads, round by round.
    """

    threads: int
    default: int
    speeds: dict[int, tuple[float, ...]]

    @property
    def faster(self) -> float:
        """Speed relative to the default number."""
        own, other = self.speeds[self.threads], self.speeds[self.default]
        return compared(own, other, paired=True).ratio


class ModelTimed:
    """A loaded model as `Timed`."""

    def __init__(self, model: TimedModel) -> None:
        self._model = model

    def seconds(self, *, prompt: int, written: int, threads: int) -> float:
        """Seconds to read and write so many tokens."""
        took = self._model.run(prompt=prompt, written=written, threads=threads)
        return took.ns / 1e9


def candidates(sensors: Sensors, cores: int, logical: int) -> list[int]:
    """Numbers of threads worth trying, the default first.

    Args:
        sensors: of the computer.
        cores: physical ones, which is the default.
        logical: all of them.
    """
    fast = sensors.performance_cores()
    wanted = [cores, *([fast] if fast else []), cores - 1, cores // 2]
    return [n for n in dict.fromkeys(wanted) if 1 <= n <= logical]


def tune(timed: Timed, numbers: Sequence[int]) -> Iterator[Progressed | Tuned]:
    """Time each of `numbers` of threads.

    The default is kept unless another one is faster with its whole interval: so it
    becomes no slower, whatever the noise.

    Args:
        timed: takes times.
        numbers: of threads, the default first.

    Yields:
        how far it is; at the end what was found.
    """
    default = numbers[0]
    # The first run brings the weights into memory and tells how long one takes.
    timed.seconds(prompt=16, written=4, threads=default)
    once = timed.seconds(prompt=32, written=0, threads=default) / 32
    each = timed.seconds(prompt=0, written=8, threads=default) / 8
    share = CANDIDATE_S / ROUNDS / 2
    read = min(MOST_READ, max(16, round(share / max(once, 1e-9))))
    written = min(MOST_WRITTEN, max(4, round(share / max(each, 1e-9))))
    speeds: dict[int, list[float]] = {n: [] for n in numbers}
    for number in range(ROUNDS):
        order = list(numbers) if number % 2 == 0 else list(reversed(numbers))
        for threads in order:
            reading = timed.seconds(prompt=read, written=0, threads=threads) / read
            writing = (
                timed.seconds(prompt=0, written=written, threads=threads) / written
            )
            speeds[threads].append(1 / (READ * reading + WRITTEN * writing))
        yield Progressed("", "threads", number + 1, ROUNDS)
    best = default
    for threads in numbers[1:]:
        found = compared(speeds[threads], speeds[default], paired=True)
        beside = compared(speeds[threads], speeds[best], paired=True)
        if found.low > 1 and beside.ratio > 1:
            best = threads
    yield Tuned(best, default, {n: tuple(s) for n, s in speeds.items()})


def tune_model(
    model: Path, adapter: Path | None, sensors: Sensors
) -> Iterator[Progressed | Tuned]:
    """Find the best number for the files of a pair.

    Raises:
        EngineError: they cannot be loaded.
    """
    import psutil

    from medassist.core.processor import physical_cores

    cores = physical_cores()
    numbers = candidates(sensors, cores, psutil.cpu_count() or cores)
    wanted = TimedSettings(MOST_READ + MOST_WRITTEN, cores, gpu_layers=0)
    with TimedModel(model, adapter, wanted) as loaded:
        yield from tune(ModelTimed(loaded), numbers)
