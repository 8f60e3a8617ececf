"""The report of `medassist doctor`, for people and for programs."""

from __future__ import annotations

import json
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from medassist import __version__
from medassist.core.clean import clean_line
from medassist.doctor.examine import examine
from medassist.doctor.finding import Finding, hidden

WIDTH = 80
MARKS = {"ok": "ok", "note": "note", "wrong": "WRONG"}
INDENT = 9


def run(clipboard: Sequence[str], *, as_json: bool) -> int:
    """Examine, print, and return the exit code: 1 where something is wrong.

    Args:
        clipboard: the programs that would be tried for copying, the best first.
        as_json: print one object instead of lines.
    """
    found = [_clean(finding) for finding in examine(clipboard)]
    write = sys.stdout.write
    if as_json:
        write(_object(found) + "\n")
    else:
        write("\n".join(_lines(found)) + "\n")
    return int(any(finding.level == "wrong" for finding in found))


def _clean(finding: Finding) -> Finding:
    # Names of files and settings come from outside.
    text, do = (hidden(clean_line(t)) for t in (finding.text, finding.do))
    return Finding(finding.part, finding.level, text, do)


def _object(found: Sequence[Finding]) -> str:
    count = Counter(finding.level for finding in found)
    return json.dumps(
        {
            "version": __version__,
            "wrong": count["wrong"],
            "notes": count["note"],
            "findings": [asdict(finding) for finding in found],
        },
        indent=2,
        ensure_ascii=False,
    )


def _lines(found: Sequence[Finding]) -> Iterator[str]:
    part = ""
    for finding in found:
        if finding.part != part:
            part = finding.part
            yield part if part == found[0].part else f"\n{part}"
        mark = f"  {MARKS[finding.level]:<{INDENT - 2}}"
        yield textwrap.fill(
            finding.text, WIDTH, initial_indent=mark, subsequent_indent=" " * INDENT
        )
        if finding.do:
            # On one line: a command that is copied must stay whole.
            yield f"{' ' * INDENT}-> {finding.do}"
    yield ""
    yield _sum(Counter(finding.level for finding in found))


def _sum(count: Counter[str]) -> str:
    wrong, notes = count["wrong"], count["note"]
    said = f"{wrong} thing{'s are' if wrong != 1 else ' is'} wrong"
    if not wrong:
        said = "Nothing is wrong"
    return f"{said}; {notes} note{'s' * (notes != 1)}." if notes else f"{said}."
