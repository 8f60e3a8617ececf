"""What the rules find in cases that were written without a look at them.

    .venv/bin/python tools/score_sealed.py           # the two thirds to mend by
    .venv/bin/python tools/score_sealed.py sealed    # the third run once, at the end
    .venv/bin/python tools/score_sealed.py half_open # and so on, of the later halves,
                                                     # and of the final ones

Red flags, values and identifiers, by language and kind: how many of the dangers were
found, how many of the silent texts disturbed, how many identifiers marked, how many of
the marks right. Intervals: Wilson 1927, 95 %.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Literal, get_args

ROOT = Path(__file__).parents[1]
Set = Literal[
    "open", "sealed", "half_open", "half_sealed", "final_open", "final_sealed"
]
WITH_NOTES: frozenset[Set] = frozenset(("open", "sealed"))
"""Sets that have notes with identifiers."""
SETS: tuple[Set, ...] = get_args(Set)
Z = 1.959964  # of a normal distribution, 95 % two-sided


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share, `right` of `n`; (0, 1) where there is none."""
    if not n:
        return 0.0, 1.0
    share, square = right / n, Z * Z / n
    middle = (share + square / 2) / (1 + square)
    half = Z * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def main() -> None:
    """Print the figures of a set, and the texts with --texts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("set", choices=SETS, nargs="?", default="open")
    parser.add_argument("--texts", action="store_true", help="print what went wrong")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    parts = {"red flags": _red_flags, "values": _values}
    if args.set in WITH_NOTES:
        parts["identifiers"] = _identifiers
    for title, figures in parts.items():
        print(f"{title}, {args.set}")
        wrong = figures(args.set)
        for line in wrong if args.texts else ():
            print(f"      {line}")


def _row(name: str, right: int, n: int) -> None:
    if n:
        low, high = (100 * end for end in wilson(right, n))
        share = 100 * right / n
        print(f"  {name:34} {right:3} of {n:<3} {share:5.1f} % [{low:.1f}, {high:.1f}]")


def _red_flags(which: str) -> list[str]:
    from tests.safety import language_cases as of

    told: list[str] = []
    found, dangers = Counter[str](), Counter[str]()
    disturbed, silent = Counter[str](), Counter[str]()
    for language in ("english", *of.LANGUAGES):
        for case in of.cases(language, which):
            why = of.wrong(case)
            names = (language, "all languages")
            if case.kind == of.FLAGGED:
                dangers.update(names)
                found.update(names if not why else ())
            else:
                silent.update((*names, case.kind))
                disturbed.update((*names, case.kind) if why else ())
            if why:
                told.append(f"{language}, {case.kind}: {why}: {case.text}")
    for name, n in dangers.items():
        _row(f"found, {name}", found[name], n)
    for name, n in silent.items():
        _row(f"disturbed, {name}", disturbed[name], n)
    return told


def _values(which: Set) -> list[str]:
    from medassist.safety.red_flags import find_red_flags
    from tests.safety.value_cases import read, satisfied

    told: list[str] = []
    n, wrong = Counter[str](), Counter[str]()
    for case in read(which):
        raised = {flag.id for flag in find_red_flags(case.text)}
        kinds = (case.kind, "positive" if case.wanted else "silent")
        n.update(kinds)
        if not satisfied(case, raised):
            wrong.update(kinds)
            told.append(f"{case.kind}: {sorted(raised)}: {case.text}")
    for kind, count in sorted(n.items()):
        negative = kind.startswith(("negative", "silent"))
        right = wrong[kind] if negative else count - wrong[kind]
        _row(f"{'disturbed' if negative else 'found'}, {kind}", right, count)
    return told


def _identifiers(which: str) -> list[str]:
    from tests.safety.identifier_notes import score
    from tests.safety.identifier_sentences import FOLDER, LANGUAGES, sentences

    told: list[str] = []
    for language in LANGUAGES:
        total = score(sentences(language, folder=FOLDER / which))
        for name, kinds in (
            ("names", {"NAME"}),
            ("places", {"PLACE"}),
            ("structured", total.structured),
        ):
            _row(
                f"{language}, {name} marked",
                sum(total.found[kind] for kind in kinds),
                sum(total.planted[kind] for kind in kinds),
            )
        _row(f"{language}, marks right", total.marked_right, total.marked)
        told += [f"{language}, missed {line}" for line in total.missed]
        told += [f"{language}, wrong {line}" for line in total.wrong]
    return told


if __name__ == "__main__":
    main()
