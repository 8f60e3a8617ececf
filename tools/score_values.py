"""What values and emergencies that speak for themselves raise: misses, false alarms.

.venv/bin/python tools/score_values.py           # the cases the rules saw
.venv/bin/python tools/score_values.py unseen    # the third kept back
.venv/bin/python tools/score_values.py later     # written when the rules were there
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Print the figures by kind, and the texts with --texts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "set", choices=("seen", "unseen", "later"), nargs="?", default="seen"
    )
    parser.add_argument("--texts", action="store_true", help="print what went wrong")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from medassist.safety.red_flags import find_red_flags
    from tests.safety.value_cases import read, satisfied

    wrong: Counter[str] = Counter()
    cases: Counter[str] = Counter()
    anything = 0
    for case in read(args.set):
        found = {flag.id for flag in find_red_flags(case.text)}
        cases[case.kind] += 1
        anything += bool(case.wanted and found)
        if not satisfied(case, found):
            wrong[case.kind] += 1
            if args.texts:
                print(f"{case.kind}: {case.text} -> {sorted(found) or 'nothing'}")
    positive = sum(n for kind, n in cases.items() if not kind.startswith("negative"))
    missed = sum(n for kind, n in wrong.items() if not kind.startswith("negative"))
    silent = cases.total() - positive
    disturbed = wrong.total() - missed
    print(f"found     {positive - missed} of {positive}; any flag {anything}")
    print(f"disturbed {disturbed} of {silent} texts to stay silent")
    for kind, n in sorted(cases.items()):
        print(f"  {wrong[kind]:3} wrong of {n:3}  {kind}")


if __name__ == "__main__":
    main()
