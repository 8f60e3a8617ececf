"""The figures of every rule set in one command: red flags, doses, identifiers.

    .venv/bin/python tools/score_safety.py

It prints what `score_red_flags.py` (both thirds) and `score_identifiers.py` print, and
how much of the table of doses stands on a page that was read. 1 where an aim is missed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONG = 2_000  # characters of the answer that is timed
ANSWER = (
    "Give metformin 500 mg orally twice daily and enoxaparin 1 mg/kg sc every 12 "
    "hours; see NICE NG28. Avoid it if eGFR is below 30. "
)


def main() -> int:
    """Print all figures."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
    import score_identifiers
    import score_red_flags

    failed = False
    print("Red flags")
    for name in ("red_flags.jsonl", "red_flags_unseen.jsonl"):
        text = (score_red_flags.CASES / name).read_text(encoding="utf-8")
        cases = [json.loads(line) for line in text.splitlines()]
        failed |= bool(score_red_flags.report(name, cases, texts=False))
    print("\nDoses and sources in answers")
    doses()
    print("\nIdentifiers")
    sys.argv[1:] = []
    failed |= bool(score_identifiers.main())
    return int(failed)


def doses() -> None:
    """Print how much of the table has a source, and the time of a review."""
    from medassist.safety.drug_names import drugs
    from medassist.safety.review import dose_marks, review

    sourced = [drug for drug in drugs() if drug.sourced]
    print(f"rows of the table            {len(drugs())}")
    print(f"with a page that was read    {len(sourced)}; only these warn")
    renal = sum(drug.row.renal for drug in sourced)
    print(f"of them asking for the kidneys {renal}")
    text = (ANSWER * (LONG // len(ANSWER) + 1))[:LONG]
    taken: list[float] = []
    for _ in range(20):
        start = time.process_time()
        review("70F", text, text)
        dose_marks(text)
        taken.append(time.process_time() - start)
    print(f"a {LONG}-character answer full of doses  {1e3 * min(taken):.2f} ms of CPU")


if __name__ == "__main__":
    raise SystemExit(main())
