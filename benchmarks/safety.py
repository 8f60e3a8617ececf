"""What is looked for in a text while the user waits, beside what it may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

from benchmarks.figures import Comparison
from medassist.consult.differences import compare as differences
from medassist.core.clean import clean
from medassist.safety.identifiers import find_identifiers
from medassist.safety.language import is_foreign
from medassist.safety.red_flags import find_red_flags
from medassist.safety.review import dose_marks, review
from tests.safety.test_cases import joined_cases

WINDOWS = 10
TYPED = 2_000  # characters
ANSWER = (
    "Give metformin 500 mg orally twice daily and enoxaparin 1 mg/kg sc every 12 "
    "hours; see NICE NG28. Avoid it if eGFR is below 30. "
)
FRAME_MS = 50.0
_visits = count(1)


def _milliseconds(what: Callable[[], object]) -> float:
    """Of processor time: other work on the machine does not count."""
    start = time.process_time()
    what()
    return (time.process_time() - start) * 1e3


def _windows() -> list[str]:
    text = joined_cases(WINDOWS * TYPED)
    return [text[at : at + TYPED] for at in range(0, len(text), TYPED)]


def _reviewed() -> None:
    """Two answers that were never read before: what was read last is remembered."""
    answer = f"Visit {next(_visits)}. {ANSWER * 16}"[:TYPED]
    review("70F", answer, answer.replace("500", "850"))
    dose_marks(answer)


def _compared() -> None:
    words = [f"word{i % 26}{chr(97 + i * 7 % 26)}" for i in range(4_000)]
    lines = (
        " ".join([*words[i : i + 16], f"takes {i} mg"]) for i in range(0, 4000, 16)
    )
    text = ". ".join(lines)
    differences.cache_clear()
    differences(text, text.replace("takes 160 mg", "takes 170 mg"))


def compare(runs: int) -> list[Comparison]:
    """The table's rows; beside each stands what it may take."""
    windows = _windows()
    megabyte = "The patient has had a fever for three days. " * 23_000

    def flagged() -> None:
        for text in windows:
            find_red_flags(text)

    def identified() -> None:
        for text in windows:
            find_identifiers(text)

    def told_apart() -> None:
        for text in windows:
            is_foreign(text)

    rows: list[Comparison] = []
    for name, aim, what, texts in (
        ("red flags, 2,000 characters", 5.0, flagged, WINDOWS),
        ("identifiers, 2,000 characters", 10.0, identified, WINDOWS),
        ("the language of 2,000 characters", 5.0, told_apart, WINDOWS),
        ("doses and sources of 2,000 characters", 7.5, _reviewed, 1),
        ("differences of two answers of 4,000 words", 1000.0, _compared, 1),
        ("escape sequences out of 1 MB", FRAME_MS, lambda: clean(megabyte), 1),
    ):
        what()  # rules and patterns are read at the first call
        took = [_milliseconds(what) / texts for _ in range(runs)]
        rows.append(Comparison(name, took, [aim] * runs, "ms", ("<=", 1.0)))
    return rows
