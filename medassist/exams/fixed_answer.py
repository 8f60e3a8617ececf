"""Whether a model is shown to know more of an exam than one fixed answer does.

Whoever answers B to every question is right where B is right; whoever guesses without a
look at the question, in whatever proportion, is right no more often than the best such
answer. Below it, more answers are right as soon as a model leans more towards that one,
so that a difference of two models there is no difference of what they know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from medassist.exams.statistics import ALPHA, Flips, flips, holm, mcnemar


@dataclass(frozen=True)
class BesideFixed:
    """A model's right answers beside those of the best fixed answer.

    Attributes:
        own: share of the questions that the model answers right.
        fixed: share that the best fixed answer gets right.
        p: exact and two-sided, of the fixed answer that is hardest to tell from the
            model (McNemar); 1 where one of them does at least as well.
    """

    own: float
    fixed: float
    p: float


def beside_fixed(golds: Sequence[int], choices: Sequence[int]) -> BesideFixed:
    """Compare a model's answers with every fixed answer.

    Args:
        golds: the place of the right choice of each question.
        choices: the place of the model's.

    Raises:
        ValueError: there are no questions, or the numbers differ.
    """
    if not golds or len(golds) != len(choices):
        raise ValueError(f"{len(choices)} answers to {len(golds)} questions")
    right = [choice == gold for choice, gold in zip(choices, golds, strict=True)]
    counted = Counter(golds)
    changes = [flips([gold == answer for gold in golds], right) for answer in counted]
    return BesideFixed(
        sum(right) / len(golds),
        max(counted.values()) / len(golds),
        max(map(_p_above, changes)),
    )


def known(found: Sequence[BesideFixed]) -> list[bool]:
    """Which of one model's exams show that it knows more than a fixed answer.

    By Holm's adjustment, so that of a model that knows nothing one in forty is said to
    know something, in however many exams.
    """
    return [p < ALPHA for p in holm([one.p for one in found])]


def _p_above(found: Flips) -> float:
    return mcnemar(found) if found.difference > 0 else 1.0
