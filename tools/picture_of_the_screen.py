"""Draw docs/screen.svg: the consult screen with two answers of the starter pair.

    .venv/bin/python tools/picture_of_the_screen.py

The program runs without a terminal and in a home of its own, so that nobody's settings
shape the picture. Question and seed are fixed: the same pair writes the same answers.
The picture refers to nothing outside itself.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from medassist.tui.app import ConsultApp

QUESTION = "What are the symptoms of asthma?"
SIZE = (110, 32)
SETTINGS = """\
intended_use_accepted = {accepted}
theme = "{theme}"
[sampling]
seed = {seed}
max_tokens = 200
"""
PATIENCE_S = 300.0
FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'


def main() -> None:
    """Read the command line, draw, and say where the picture is."""
    from medassist.intended_use import INTENDED_USE_VERSION
    from medassist.starter.open_base import SMOLLM2

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--theme", default="medassist-dark")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "screen.svg")
    wanted = parser.parse_args()
    base = SMOLLM2.file
    with tempfile.TemporaryDirectory() as home:
        os.environ["MEDASSIST_HOME"] = home
        if base.is_file():
            SMOLLM2.folder.mkdir(mode=0o700, parents=True)
            SMOLLM2.file.symlink_to(base)
        settings = Path(home) / "config" / "settings.toml"
        settings.parent.mkdir(mode=0o700)
        text = SETTINGS.format(
            accepted=INTENDED_USE_VERSION, theme=wanted.theme, seed=wanted.seed
        )
        settings.write_text(text)
        picture = self_contained(asyncio.run(draw(wanted.question)))
    wanted.to.parent.mkdir(exist_ok=True)
    wanted.to.write_text(picture, encoding="utf-8")
    print(f"{wanted.to}: {len(picture):,} characters")


async def draw(question: str) -> str:
    """The screen as SVG, once both panes have answered `question`."""
    from medassist.tui.app import ConsultApp

    app = ConsultApp()
    async with app.run_test(size=SIZE) as pilot:
        async with asyncio.timeout(PATIENCE_S):
            await until_ready(app, pilot)
            app.consult.composer.text = question
            await pilot.press("enter")
            await until_answered(app, pilot)
        return app.export_screenshot(title="medassist")


async def until_ready(app: ConsultApp, pilot: Pilot[int]) -> None:
    pair = app.consult.session.pair
    while pair.state in ("starting", "loading"):
        await pilot.pause(0.05)
    if pair.state != "ready":
        sys.exit(f"The starter pair could not be loaded: {pair.trouble}")


async def until_answered(app: ConsultApp, pilot: Pilot[int]) -> None:
    consultation = app.consult.session.consultation
    # What stands below both headers is drawn a moment after the answers are there.
    while not (
        consultation.turns
        and consultation.over
        and all(w.is_finished for w in app.workers if w.group in ("answer", "mark"))
    ):
        await pilot.pause(0.05)
    for pane in app.consult.session.pair.panes:
        answer = consultation.turns[-1].shown(pane)
        if answer is None or answer.state != "finished" or not answer.text.strip():
            failure = answer.failure if answer else ""
            sys.exit(f"The pane {pane!r} has not answered. {failure}")
    await pilot.pause()


def self_contained(svg: str) -> str:
    """`svg` with fonts of the reader's own computer, and without web addresses."""
    svg = re.sub(r"\s*@font-face\s*{[^}]*}", "", svg)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", FONTS)
    # Some programs drop the spaces at the ends of a text without it.
    svg = svg.replace("<text ", '<text xml:space="preserve" ')
    svg = "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
    outside = re.findall(r"url\((?!#)[^)]*\)|\w+://[^\s\"']*|Fira", svg)
    if outside != [NAMESPACE.split('"')[1]]:
        sys.exit(f"The picture refers to something outside: {', '.join(outside)}")
    return svg


if __name__ == "__main__":
    main()
