"""What the rules find in German, French and Spanish, by language and kind.

    .venv/bin/python tools/score_languages.py                # the cases the rules saw
    .venv/bin/python tools/score_languages.py --set aside    # a third kept back
    .venv/bin/python tools/score_languages.py --set unseen   # others' cases
    .venv/bin/python tools/score_languages.py --set fresh    # a later set of theirs
    .venv/bin/python tools/score_languages.py --set later    # ours, kept back

Sensitivity: texts in which a right flag was raised. False: texts that must stay silent
and did not. Intervals: exact (Clopper-Pearson), 95 %.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.safety.language_cases import Case

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Print the figures; 1 where the aims are missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--set", default="seen", choices=("seen", "aside", "unseen", "fresh", "later")
    )
    parser.add_argument("--texts", action="store_true", help="print what went wrong")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    return report(args.set, texts=args.texts)


def report(which: str, *, texts: bool) -> int:
    """Print the figures of a set of cases; 1 where the aims are missed."""
    from tests.safety import language_cases as of

    failed = False
    everything: list[tuple[of.Case, str]] = []
    for language in ("english", *of.LANGUAGES):
        judged = [(case, of.wrong(case)) for case in of.cases(language, which)]
        if not judged:
            print(f"{language}, {which}: no cases")
            continue
        everything += judged
        print(f"{language}, {which}: {len(judged)} cases")
        failed |= _figures(judged)
    if everything:
        print(f"all, {which}: {len(everything)} cases")
        _figures(everything)
    if texts:
        for case, why in everything:
            if why:
                print(f"  {case.language}, {case.kind}: {why}\n      {case.text}")
    return int(failed)


def _figures(judged: list[tuple[Case, str]]) -> bool:
    """Print the rows of some cases; whether an aim is missed."""
    from medassist.exams.sign_test import sign_test
    from tests.safety import language_cases as of

    def row(name: str, kinds: tuple[str, ...], *, right: bool) -> float:
        held = [why for case, why in judged if case.kind in kinds]
        if not held:
            return 1.0 if right else 0.0
        bad = sum(map(bool, held))
        count = len(held) - bad if right else bad
        tested = sign_test(count, len(held) - count)
        share = count / len(held)
        print(
            f"  {name:24} {count:3} of {len(held):<3} {100 * share:5.1f} %"
            f"  [{100 * tested.low:.1f}, {100 * tested.high:.1f}]"
        )
        return share

    found = row("sensitivity", (of.FLAGGED,), right=True)
    false = row("false, of the silent", of.SILENT, right=False)
    for kind in of.SILENT:
        row(f"  {kind}", (kind,), right=False)
    row("doses right", (of.DOSE,), right=True)
    row("identifiers right", (of.IDENTIFIER,), right=True)
    return found < 0.95 or false > 0.05


if __name__ == "__main__":
    raise SystemExit(main())
