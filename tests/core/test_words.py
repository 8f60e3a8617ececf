from __future__ import annotations

import pytest

from medassist.core.words import duration, memory, size


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (4.23, "4.2 s"),
        (9.97, "10 s"),
        (59.7, "60 s"),
        (95, "95 s"),
        (99.6, "2 min"),
        (725, "12 min"),
        (7199, "2 h 0 min"),
        (12_000, "3 h 20 min"),
        (3_600_000, "1,000 h 0 min"),
    ],
)
def test_a_duration_is_said_in_the_unit_a_person_would_take(
    seconds: float, said: str
) -> None:
    assert duration(seconds) == said


def test_memory_is_said_in_binary_units_and_files_in_decimal_ones() -> None:
    assert memory(3 << 29) == "1.5 GiB"
    assert size(1_500_000_000) == "1.5 GB"
