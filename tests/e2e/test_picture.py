from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]


def test_the_picture_of_the_screen_shows_two_answers_and_needs_nothing_from_outside(
    tmp_path: Path,
) -> None:
    target = tmp_path / "screen.svg"
    command = [sys.executable, ROOT / "tools" / "picture_of_the_screen.py"]
    subprocess.run([*command, "--to", target], check=True, timeout=120)
    svg = target.read_text(encoding="utf-8")
    ElementTree.fromstring(svg)
    assert re.findall(r"\w+://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    assert "@font-face" not in svg and "@import" not in svg
    text = unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)", svg)))
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    assert text.count("What are the symptoms of asthma?") == 2
    assert text.count("whole") >= 2
    assert "not for clinical use" in text
