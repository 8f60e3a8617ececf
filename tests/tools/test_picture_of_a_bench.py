from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from medassist.bench.results import Figure, ResultsFile
from medassist.exams.perplexity import PPL, PPL_RATIO
from tests.bench.lines import line, model, speed

ROOT = Path(__file__).parents[2]
EVIL = 'Q4"><script>&'


def draw(file: Path, to: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.picture_of_a_bench", file, "--to", to]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_picture_shows_every_file_and_needs_nothing_from_outside(tmp_path):
    file, to = tmp_path / "r.jsonl", tmp_path / "bench.svg"
    with ResultsFile(file) as results:
        for name, size, ratio in (("F16", 9_000_000, None), (EVIL, 4_000_000, 1.1)):
            figures = {PPL: Figure(value=20.0, low=19.0, high=21.0)}
            if ratio:
                figures[PPL_RATIO] = Figure(value=ratio, low=1.05, high=1.15)
            results.append(
                line("quality", model(name, size), {"text": "t"}, figures=figures)
            )
    done = draw(file, to)
    assert done.returncode == 0, done.stderr
    svg = to.read_text("utf-8")
    root = ElementTree.fromstring(svg)
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "F16" in texts and EVIL in texts
    assert "prefers-color-scheme: dark" in svg
    assert re.findall(r"\w+://[^\s\"']*", svg) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in svg


def test_a_result_without_quality_gives_a_sentence(tmp_path):
    file, to = tmp_path / "r.jsonl", tmp_path / "bench.svg"
    with ResultsFile(file) as results:
        results.append(speed(model("F16"), [10.0])[0])
    done = draw(file, to)
    assert done.returncode == 1 and "neither exams nor a text" in done.stderr
    assert not to.exists()
