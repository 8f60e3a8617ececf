"""By what the tuned side of an endpoint is told from its base."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from finetune.sagemaker.hosting.invoke import EndpointAnswer
from finetune.sagemaker.hosting.probe import QUESTIONS, NotTuned, probe

Said = tuple[str, Sequence[float]]


class Sides:
    """An endpoint that answers every question alike."""

    def __init__(self, base: Said, tuned: Said, again: Said) -> None:
        self._turns = [base, tuned, again]
        self.asked: list[str] = []

    def answer(self, side: str, asked: Any) -> EndpointAnswer:
        text, likelihoods = self._turns[len(self.asked) % 3]
        self.asked.append(side)
        return EndpointAnswer(text, True, len(likelihoods), tuple(likelihoods))


def probed(base: Said, tuned: Said, again: Said | None = None) -> tuple[str, Sides]:
    sides = Sides(base, tuned, again or base)
    return probe(sides).by, sides  # pyright: ignore[reportArgumentType]


def test_other_words_are_enough() -> None:
    by, sides = probed(("rest", [-1.0]), ("see a doctor", [-1.0]))
    assert by == "words"
    assert sides.asked == ["base", "tuned", "base"]


def test_the_same_words_count_where_they_are_held_for_otherwise_likely() -> None:
    assert probed(("rest", [-1.0, -2.0]), ("rest", [-1.0, -2.5]))[0] == "likelihoods"


@pytest.mark.parametrize(
    ("tuned", "again"),
    [
        (("rest", [-1.0]), None),
        (("rest", [-1.0 - 1e-4]), None),  # sums in another order
        (("rest", [-1.2]), ("rest", [-1.1])),  # no farther than ten times its own
        (("water", [-1.0]), ("sleep", [-1.0])),  # it says other words each time
    ],
)
def test_what_the_base_does_by_itself_is_no_tuning(
    tuned: Said, again: Said | None
) -> None:
    sides = Sides(("rest", [-1.0]), tuned, again or ("rest", [-1.0]))
    with pytest.raises(NotTuned, match="the adapter is not at work"):
        probe(sides)  # pyright: ignore[reportArgumentType]
    assert len(sides.asked) == 3 * QUESTIONS
