from __future__ import annotations

import pytest

from medassist.bench.sustained import sustained_figures


def figures(speeds: list[float], block_s: float = 10.0) -> dict[str, float]:
    ends = [block_s * (number + 1) for number in range(len(speeds))]
    return {name: f.value for name, f in sustained_figures(ends, speeds).items()}


def test_a_computer_that_gets_warm_is_told_by_its_first_and_its_last_minute():
    # Two minutes at 20, then slowly down to 10 in the tenth.
    speeds = [20.0] * 12 + [20 - 10 * n / 48 for n in range(1, 43)] + [10.0] * 6
    found = figures(speeds)
    assert found["first minute"] == 20
    assert found["last minute"] == 10
    assert found["last by first"] == 0.5
    # 19 tok/s are 95 %: below it in the fifth block after the second minute.
    assert found["below 95 % after"] == pytest.approx((12 + 5) / 6)


def test_a_computer_that_stays_as_fast_never_falls_below():
    found = figures([20.0, 19.5, 20.5, 19.2] * 15)
    assert "below 95 % after" not in found
    assert found["last by first"] == pytest.approx(1, abs=0.02)


def test_of_less_than_two_minutes_each_half_is_taken():
    found = figures([20.0, 20.0, 10.0, 10.0], block_s=0.25)
    assert (found["first minute"], found["last minute"]) == (20.0, 10.0)
