from __future__ import annotations

import pytest

from medassist.exams.sign_test import sign_test


@pytest.mark.parametrize(
    ("wins", "losses", "low", "high"),
    [  # scipy.stats.binomtest(...).proportion_ci(method="exact")
        (8, 2, 0.4439045376923585, 0.9747892736731665),
        (0, 5, 0.0, 0.5218237501049814),
        (700, 500, 0.5548466936965953, 0.6114105758076614),
    ],
)
def test_the_share_of_wins_has_an_exact_interval(wins, losses, low, high) -> None:
    found = sign_test(wins, losses)
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)
    assert found.share == wins / (wins + losses)


def test_no_verdicts_at_all_show_nothing() -> None:
    found = sign_test(0, 0)
    assert (found.share, found.low, found.high, found.p) == (None, 0.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="below zero"):
        sign_test(-1, 3)
