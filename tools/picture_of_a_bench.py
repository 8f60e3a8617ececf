"""Draw docs/bench.svg: what a result of `medassist bench` says of quality and size.

    .venv/bin/python -m tools.picture_of_a_bench RESULT.jsonl

It is the chart of the page that `medassist bench --html` writes, with its colours,
light or dark as the reader's screen is; it refers to nothing outside itself.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from medassist.bench import charts
from medassist.bench.exam_verdict import sat, verdicts
from medassist.bench.result_rows import rows
from medassist.bench.results import read_results
from medassist.report.charts.scatter import draw_scatter
from medassist.report.elements import Scatter
from medassist.report.page import TEMPLATES

TO = Path(__file__).parents[1] / "docs" / "bench.svg"
NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'
BOX = re.compile(r'viewBox="([-\d.]+) ([-\d.]+) ([-\d.]+) ([-\d.]+)"')
STYLES = re.compile(
    r"^:root \{.*?^\}|^@media \(prefers-color-scheme: dark\) \{.*?^\}|^svg [^\n]*",
    re.DOTALL | re.MULTILINE,
)
EDGE = 12.0


def main() -> None:
    """Read the command line, draw, and say where the picture is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("--to", type=Path, default=TO)
    wanted = parser.parse_args()
    lines = read_results(wanted.result)
    reference = next(
        (str(line.test.get("reference")) for line in lines if line.kind == "run"), ""
    )
    mark = next(
        (line.model.sha256 for line in lines if line.model and line.row == reference),
        None,
    )
    chart = charts.quality_by_size(rows(lines), verdicts(sat(lines), mark))
    if not isinstance(chart, Scatter):
        sys.exit(f"{wanted.result} has neither exams nor a text's quality to draw.")
    picture = alone(draw_scatter(chart, 1))
    wanted.to.write_text(picture, encoding="utf-8")
    print(f"{wanted.to}: {len(picture):,} characters")


def alone(svg: str) -> str:
    """`svg` of the page as a file of its own, with its colours and a ground."""
    found = BOX.search(svg)
    if found is None:
        sys.exit("The picture has no size.")
    left, top, width, height = map(float, found.groups())
    place = left - EDGE, top - EDGE, width + 2 * EDGE, height + 2 * EDGE
    box = 'viewBox="{:g} {:g} {:g} {:g}"'.format(*place)
    styles = "\n".join(
        found[0]
        for found in STYLES.finditer((TEMPLATES / "report.css").read_text("utf-8"))
        if not found[0].startswith("svg {")
    )
    font = "svg { font: 13px system-ui, sans-serif; }"
    ground = (
        f'<rect x="{place[0]:g}" y="{place[1]:g}" width="{place[2]:g}" '
        f'height="{place[3]:g}" style="fill: var(--paper)"/>'
    )
    svg = svg.replace(found[0], f'{NAMESPACE} width="{place[2]:g}" {box}', 1)
    head, inside = svg.split(">", 1)
    return f"{head}>\n<style>\n{font}\n{styles}\n</style>\n{ground}{inside}\n"


if __name__ == "__main__":
    main()
