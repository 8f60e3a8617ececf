from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from medassist.bench.disturbance import Observer
from medassist.bench.machine import Sensors

CORES = 4


class FakeComputer:
    """Cores, a clock, and others who take a share of the cores, second by second."""

    def __init__(self, others) -> None:
        self.now = 0.0
        self.busy = self.own = 0.0
        self._others = iter(others)
        self.share = next(self._others)

    def busy_s(self) -> float:
        return self.busy

    def own_s(self, pids) -> float:
        return self.own

    def cores(self) -> int:
        return CORES

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float, own: float = 0.0) -> None:
        self.now += seconds
        self.busy += seconds * CORES * self.share + own
        self.own += own
        self.share = next(self._others, self.share)


def observer(fake: FakeComputer, root: Path = Path("/nowhere"), **more) -> Observer:
    return Observer(
        Sensors(root), usage=fake, clock=fake.clock, sleep=fake.sleep, **more
    )


def test_it_waits_until_others_leave_the_cores_alone():
    fake = FakeComputer([0.9, 0.9, 0.4, 0.02])
    waited = observer(fake).wait()
    assert waited is not None and waited.quiet
    assert waited.seconds == 2.0


def test_it_waits_half_a_minute_at_most_and_not_again_soon():
    fake = FakeComputer([0.5])
    watching = observer(fake)
    waited = watching.wait()
    assert waited is not None and not waited.quiet
    assert waited.seconds == pytest.approx(30, abs=0.5)
    assert watching.wait() is None
    fake.now += 400
    assert watching.wait() is not None


def test_who_wants_no_waiting_has_none():
    fake = FakeComputer([0.9])
    assert observer(fake, wait_s=0).wait() is None
    assert fake.now == 0


@pytest.mark.parametrize(("others", "marked"), [(0.05, False), (0.3, True)])
def test_a_repetition_is_marked_where_others_took_a_tenth(others, marked):
    fake = FakeComputer([others])
    watching = observer(fake).begin([1])
    fake.sleep(2.0, own=3.5)
    found = watching.end(held_up=0.2, switches=7)
    assert found.others == pytest.approx(others)
    assert found.disturbed is marked
    assert (found.held_up, found.switches) == (0.2, 7)


def test_of_a_moment_nothing_is_said():
    fake = FakeComputer([1.0])
    watching = observer(fake).begin([1])
    fake.sleep(0.01)
    found = watching.end()
    assert found.others is None and not found.disturbed


def test_of_a_moment_within_a_longer_time_it_is_said_what_others_took_of_that():
    fake = FakeComputer([0.4])
    watched = observer(fake)
    visit = watched.begin([1])
    fake.sleep(1.0, own=2.0)
    moment = watched.begin([1])
    fake.sleep(0.01)
    found = moment.end(around=visit)
    assert found.others == pytest.approx(0.4)
    assert found.disturbed


def test_energy_is_what_was_used_beyond_the_idle_computer_also_where_it_wraps(tmp_path):
    package = tmp_path / "sys/class/powercap/intel-rapl:0"
    package.mkdir(parents=True)
    (package / "max_energy_range_uj").write_text("1000000000")

    def counter(joules: float) -> None:
        (package / "energy_uj").write_text(str(round(joules * 1e6) % 1_000_000_000))

    fake = FakeComputer([0.0])
    counter(990)
    sleep = fake.sleep

    def idle(seconds: float) -> None:
        sleep(seconds)
        counter(990 + 4 * seconds)  # 4 watts

    watched = Observer(Sensors(tmp_path), usage=fake, clock=fake.clock, sleep=idle)
    assert watched.wait() is not None
    watching = watched.begin([1])
    sleep(2.0)
    counter(992 + 2 * 24)  # beyond 1,000: it begins again
    assert watching.end().joules == pytest.approx(2 * (24 - 4))


def test_a_busy_program_beside_is_seen_for_real():
    cores = psutil.cpu_count() or 1
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(cores)
    ]
    try:
        watching = Observer(Sensors(), wait_s=0).begin([])
        until = time.monotonic() + 0.6
        while time.monotonic() < until:
            time.sleep(0.05)
        assert watching.end().disturbed
    finally:
        for one in busy:
            one.kill()
            one.wait()
