"""Whether time grows with the length of a text and no faster, on any machine."""

from __future__ import annotations

import time
from collections.abc import Callable

# Between 4, where time grows with the length, and 16, where it does with its square.
IN_PROPORTION = 10.0
TOO_SHORT_TO_TELL_S = 0.01


def growth(what: Callable[[str], object], text: str) -> float:
    """How many times as long `what` takes for `text` as for a quarter of it.

    Of processor time, the least of three runs; what is done at the first call alone,
    such as reading rules, does not count.
    """
    what(text[:1])
    quarter = _least(what, text[: len(text) // 4])
    return _least(what, text) / max(quarter, TOO_SHORT_TO_TELL_S)


def _least(what: Callable[[str], object], text: str) -> float:
    taken: list[float] = []
    for _ in range(3):
        start = time.process_time()
        what(text)
        taken.append(time.process_time() - start)
    return min(taken)
