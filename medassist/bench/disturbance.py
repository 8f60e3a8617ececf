"""Detects load by other programs while a time is measured.

A laptop is never quiet, and a browser that wakes up makes a model look slow. So before
a test it is waited for that others take less than a twentieth of the cores, for half a
minute at most; and what was taken meanwhile stands beside the figure. Nothing is left
out for it: who drops the slow runs reports a machine that nobody has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from medassist.bench.machine import Energy, Sensors
from medassist.bench.results import Disturbance

QUIET = 0.05
DISTURBED = 0.10
WAIT_S = 30.0
LOOK_S = 0.5
AGAIN_AFTER_S = 300.0
"""A computer that did not become quiet is not waited for again so soon."""
LEAST_S = 0.2
"""Fewest seconds of all cores; of less, counts in hundredths of seconds say nothing."""


class ProcessorTimes(Protocol):
    """Protocol of processor time counters."""

    def busy_s(self) -> float:
        """Seconds of all cores since the start, for all processes, and stolen ones."""
        ...

    def own_s(self, pids: Iterable[int]) -> float:
        """Processor seconds of this process and those with `pids`."""
        ...

    def cores(self) -> int:
        """Number of logical cores."""
        ...


class SystemUsage:
    """The system's counters of processor time."""

    def busy_s(self) -> float:
        """Seconds of all cores since the start, for all processes, and stolen ones."""
        import psutil

        times = psutil.cpu_times()._asdict()
        # A guest's time is counted as the user's, too; waiting for a disk is idle.
        idle = ("idle", "iowait", "guest", "guest_nice")
        return float(sum(v for name, v in times.items() if name not in idle))

    def own_s(self, pids: Iterable[int]) -> float:
        """Processor seconds of this process and those with `pids`."""
        import psutil

        total = time.process_time()
        for pid in pids:
            try:
                used = psutil.Process(pid).cpu_times()
            except psutil.Error:
                continue
            total += used.user + used.system
        return total

    def cores(self) -> int:
        """Number of logical cores."""
        import psutil

        return psutil.cpu_count() or 1


@dataclass(frozen=True)
class Waited:
    """Result of waiting for a quiet computer.

    Attributes:
        seconds: that it took.
        others: the share of the cores that others took at its end.
    """

    seconds: float
    others: float

    @property
    def quiet(self) -> bool:
        """Whether other programs used little enough."""
        return self.others < QUIET


@dataclass(frozen=True)
class _Moment:
    at: float
    busy: float
    own: float
    throttled: float | None
    energy: Energy


class Observer:
    """Watches how much other programs compute.

    Args:
        sensors: of the computer.
        usage: how long its cores have computed.
        clock: seconds that only rise.
        sleep: waits.
        wait_s: how long a quiet computer is waited for; 0: not at all.
    """

    def __init__(
        self,
        sensors: Sensors,
        usage: ProcessorTimes | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        wait_s: float = WAIT_S,
    ) -> None:
        self._sensors = sensors
        self._usage = usage or SystemUsage()
        self._clock = clock
        self._sleep = sleep
        self._wait_s = wait_s
        self._waited_in_vain: float | None = None
        self._idle_watts: float | None = None

    def wait(self, pids: Iterable[int] = ()) -> Waited | None:
        """Wait until other programs are quiet, up to a limit.

        Args:
            pids: of our own children, which do nothing meanwhile.

        Returns:
            How it went; `None` where there was no waiting.
        """
        if self._wait_s <= 0:
            return None
        begun = self._clock()
        last = self._waited_in_vain
        if last is not None and begun - last < AGAIN_AFTER_S:
            return None
        pids = tuple(pids)
        while True:
            before = self._moment(pids)
            self._sleep(LOOK_S)
            after = self._moment(pids)
            others = self._others(before, after) or 0.0
            passed = self._clock() - begun
            if others < QUIET:
                self._waited_in_vain = None
                self._idle_watts = _watts(before, after)
                return Waited(passed, others)
            if passed >= self._wait_s:
                self._waited_in_vain = self._clock()
                return Waited(passed, others)

    def begin(self, pids: Iterable[int]) -> Watching:
        """Start watching while the processes `pids` compute."""
        own = tuple(pids)
        return Watching(self, own, self._moment(own))

    def ended(
        self,
        before: _Moment,
        pids: tuple[int, ...],
        held_up: float | None,
        switches: int | None,
        around: _Moment | None,
    ) -> Disturbance:
        """Disturbance since `before`; for short times, since `around`."""
        after = self._moment(pids)
        others = self._others(before, after)
        if others is None and around is not None:
            others = self._others(around, after)
        throttled = None
        if after.throttled is not None and before.throttled is not None:
            throttled = int(after.throttled - before.throttled)
        return Disturbance(
            others=others,
            held_up=held_up,
            switches=switches,
            disturbed=others is not None and others > DISTURBED,
            pressure=self._sensors.pressure().value,
            frequency_mhz=self._sensors.frequency_mhz().value,
            temperature_c=self._sensors.temperature_c().value,
            throttled=throttled,
            joules=self._joules(before, after),
        )

    def _moment(self, pids: Iterable[int]) -> _Moment:
        return _Moment(
            self._clock(),
            self._usage.busy_s(),
            self._usage.own_s(pids),
            self._sensors.throttled().value,
            self._sensors.energy(),
        )

    def _others(self, before: _Moment, after: _Moment) -> float | None:
        passed = (after.at - before.at) * self._usage.cores()
        if passed < LEAST_S:
            return None
        busy = (after.busy - before.busy) - (after.own - before.own)
        return min(1.0, max(0.0, busy / passed))

    def _joules(self, before: _Moment, after: _Moment) -> float | None:
        watts = _watts(before, after)
        if watts is None or self._idle_watts is None:
            return None
        return max(0.0, (watts - self._idle_watts) * (after.at - before.at))


@dataclass(frozen=True)
class Watching:
    """A period that is watched."""

    observer: Observer
    pids: tuple[int, ...]
    before: _Moment

    def end(
        self,
        held_up: float | None = None,
        switches: int | None = None,
        around: Watching | None = None,
    ) -> Disturbance:
        """End the period; the disturbance in it.

        Args:
            held_up: the share of the time in which our threads did not compute.
            switches: times that they were thrown off a core.
            around: a longer time of the same process, which tells what others took
                where this one is too short to be counted.
        """
        longer = around.before if around else None
        return self.observer.ended(self.before, self.pids, held_up, switches, longer)


def _watts(before: _Moment, after: _Moment) -> float | None:
    """The power between two moments, in watts."""
    first, last = before.energy, after.energy
    passed = after.at - before.at
    if first.source != last.source or passed <= 0:
        return None
    if first.joules is not None and last.joules is not None:
        used = last.joules - first.joules
        if used < 0:  # the counter began again
            used += last.wraps
        return used / passed
    if first.watts is not None and last.watts is not None:
        return (first.watts + last.watts) / 2
    return None
