"""What the red-flag rules find in the cases: misses, false alarms, extra flags, time.

    .venv/bin/python tools/score_red_flags.py             # those the rules saw
    .venv/bin/python tools/score_red_flags.py --unseen    # the third kept back

A miss: an expected flag was not raised. A false alarm: a text with no expected flag
raised one. Extra: a further flag on a text that has one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CASES = ROOT / "tests" / "safety" / "cases"
LONG = 2_000  # characters of the text that is timed


def main() -> int:
    """Print the figures; 1 where the aims are missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--unseen", action="store_true", help="the third kept back")
    parser.add_argument("--texts", action="store_true", help="print what went wrong")
    args = parser.parse_args()
    name = "red_flags_unseen.jsonl" if args.unseen else "red_flags.jsonl"
    lines = (CASES / name).read_text(encoding="utf-8").splitlines()
    sys.path.insert(0, str(ROOT))
    return report(name, [json.loads(line) for line in lines], texts=args.texts)


def report(name: str, cases: list[dict[str, Any]], *, texts: bool) -> int:
    """Print the figures of `cases`; 1 where the aims are missed."""
    from medassist.safety.red_flags import find_red_flags

    find_red_flags("the rules are read here")
    misses: list[str] = []
    alarms: list[str] = []
    extra: Counter[str] = Counter()
    by_kind: dict[tuple[str, str], list[int]] = {}
    times: list[float] = []
    expected = silent = 0
    for case in cases:
        start = time.perf_counter()
        found = {flag.id for flag in find_red_flags(case["text"])}
        times.append(time.perf_counter() - start)
        wanted = set(case["flags"])
        kind = "positive" if wanted else case["why"]
        tally = by_kind.setdefault((case["field"], kind), [0, 0])
        tally[1] += 1
        shown = f"  {case['text']}" if texts else ""
        if wanted:
            expected += len(wanted)
            lost = wanted - found
            tally[0] += bool(lost)
            misses += [f"{case['id']} {flag}{shown}" for flag in sorted(lost)]
            extra.update(found - wanted)
        else:
            silent += 1
            tally[0] += bool(found)
            if found:
                raised = ", ".join(sorted(found))
                alarms.append(f"{case['id']} ({kind}) {raised}{shown}")
    print(f"{name}: {len(cases)} cases")
    print(f"misses        {len(misses)} of {expected} flags expected")
    share = 100 * len(alarms) / silent if silent else 0.0
    print(
        f"false alarms  {len(alarms)} of {silent} texts to stay silent ({share:.1f} %)"
    )
    many = sum(extra.values())
    print(f"extra flags   {many} on {len(cases) - silent} texts that have a flag")
    print(
        f"time a case   median {1e3 * statistics.median(times):.2f} ms, "
        f"most {1e3 * max(times):.2f} ms; {LONG} characters {long_text(cases):.2f} ms"
    )
    print("by field and kind (wrong / cases):")
    for (field, kind), (wrong, n) in sorted(by_kind.items()):
        if wrong:
            print(f"  {field}, {kind}: {wrong}/{n}")
    for title, rows in (("misses", misses), ("false alarms", alarms)):
        if rows:
            print(f"{title}:", *rows, sep="\n  ")
    if extra:
        most = ", ".join(f"{flag} {n}" for flag, n in extra.most_common(12))
        print(f"extra, most often: {most}")
    return int(bool(misses) or share > 5)


def long_text(cases: list[dict[str, Any]]) -> float:
    """Milliseconds for a text of `LONG` characters made of the cases; the median."""
    from medassist.safety.red_flags import find_red_flags

    text = " ".join(case["text"] for case in cases)
    times: list[float] = []
    for first in range(0, min(len(text) - LONG, 20 * LONG), LONG):
        start = time.perf_counter()
        find_red_flags(text[first : first + LONG])
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


if __name__ == "__main__":
    raise SystemExit(main())
