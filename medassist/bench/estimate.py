"""Estimates how long a measurement will take, from a short run of the smallest model.

A token costs about as much as there are bytes of weights. It is a guess that is right
within a factor of two, which is enough to ask before an hour begins.
"""

from __future__ import annotations

from collections.abc import Sequence

from medassist.bench.app_session import TRIAL
from medassist.bench.results import ROUND
from medassist.bench.work import AnyStep, Wishes
from medassist.exams.chunks import CONTEXT
from medassist.exams.question_files import ExamPaper

START_S = 1.0
"""Seconds that a child process takes to start."""
BYTES_A_SECOND = 5e8
"""Speed at which a file is loaded from a disk."""
LETTERS_A_TOKEN = 4.0


def estimate(
    steps: Sequence[AnyStep],
    tok_per_s: tuple[float, float],
    size: int,
    exams: Sequence[ExamPaper],
    wishes: Wishes,
) -> float:
    """Approximate seconds for `steps`.

    Args:
        steps: what is left.
        tok_per_s: read and written by a model.
        size: bytes of that model.
        exams: whose questions are put.
        wishes: what is wanted.
    """
    letters = {
        # What introduces several questions is read once.
        paper.task: [len(question.prompt) for question in paper.questions]
        for paper in exams
    }
    total = _of_reference(steps, tok_per_s[0], size, wishes)
    for step in steps:
        read, written = _tokens(step, letters)
        slower = step.target.facts.bytes / max(1, size)
        total += slower * (read / tok_per_s[0] + written / tok_per_s[1])
        match step.kind:
            case "load":
                total += START_S + step.target.facts.bytes / BYTES_A_SECOND
            case "sustained":
                total += wishes.sustained_s
            case _:
                pass
    return total


def _of_reference(
    steps: Sequence[AnyStep], read_per_s: float, size: int, wishes: Wishes
) -> float:
    """Seconds of the reference's reading, where it is no row that reads anyway."""
    reference = wishes.reference
    beside = [step for step in steps if step.kind == "quality"]
    if reference is None or not beside:
        return 0.0
    if any(step.target.facts.sha256 == reference.facts.sha256 for step in beside):
        return 0.0
    slower = reference.facts.bytes / max(1, size)
    return slower * wishes.chunks * CONTEXT / read_per_s


def _tokens(step: AnyStep, letters: dict[str, list[int]]) -> tuple[float, float]:
    """Tokens that a step reads and writes."""
    test = step.test

    def number(name: str) -> float:
        value = test.get(name)
        return float(value) if isinstance(value, int | float) else 0.0

    match step.kind:
        case "speed":
            # The depth is read once a visit; as a rule tests share it.
            return number("n_prompt") + number("n_depth") / 2, number("n_gen")
        case "app":
            panes = 2 if test.get("panes") == "both" else 1
            return panes * number("n_prompt"), panes * number("n_gen")
        case "memory":
            return TRIAL, 0.0
        case "quality":
            return number("chunks") * CONTEXT, 0.0
        case "exam":
            first, _, last = str(test.get(ROUND)).partition("-")
            own = letters.get(str(test.get("task")), [])[int(first) : int(last) + 1]
            return sum(own) / LETTERS_A_TOKEN, 0.0
        case _:
            return 0.0, 0.0
