"""How many planted identifiers the recogniser finds: recall by kind, precision.

    .venv/bin/python tools/score_identifiers.py            # 500 notes of our own
    MEDASSIST_DATA=folder .venv/bin/python tools/score_identifiers.py

With the data sets there, notes of MTS-Dialog and ACI-Bench are scored too. They hold
names and dates of their own, which count as wrong marks here: their precision is a
lower bound.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
STRUCTURED, NAMES = 0.95, 0.85  # the aims


def main() -> int:
    """Print the figures; 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--notes", type=int, default=500)
    parser.add_argument("--wrong", type=int, default=0, help="examples to print")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tests.safety.identifier_notes import own_notes, real_notes, score

    data = Path(os.environ.get("MEDASSIST_DATA", ROOT.parent / "shared" / "data"))
    sets = [("own notes", score(own_notes(args.notes)))]
    held = own_notes(args.notes, carriers="held-back")
    sets.append(("own notes, other wording", score(held)))
    sets.append(("MTS-Dialog and ACI-Bench", score(real_notes(data, args.notes))))
    failed = False
    for title, total in sets:
        if not total.notes:
            print(f"{title}: the data sets are not here")
            continue
        print(f"{title}: {total.notes} notes, {total.planted.total()} planted")
        for kind, n in sorted(total.planted.items()):
            found, right = total.found[kind], total.right_kind[kind]
            print(f"  {kind:10} {found:5}/{n:<5} {found / n:.3f}  right kind {right}")
        structured, names = total.recall(total.structured), total.recall({"NAME"})
        print(f"  structured recall {structured:.3f}, names {names:.3f}")
        for what, right, marked in (
            ("all marks", total.marked_right, total.marked),
            ("sure marks", total.marked_sure_right, total.marked_sure),
        ):
            print(f"  precision, {what}: {right}/{marked} = {right / marked:.3f}")
        for row in (*total.missed[: args.wrong], *total.wrong[: args.wrong]):
            print(f"    {row}")
        if title != "own notes, other wording":
            failed |= structured < STRUCTURED or names < NAMES
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
