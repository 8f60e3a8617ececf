"""Count what a typed question passes through until its answer is on the screen.

Counted are our own functions that run from Enter in the composer to the first text of
an answer in a pane, each once, and the files that they stand in; the engines are the
tests' stand-ins. Drawing that happens meanwhile counts as well: it is what a reader
meets who follows a question through the code. `--list` names them in their order.

    .venv/bin/python -m tools.count_hops
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = f"{ROOT / 'medassist'}{os.sep}"
PATIENCE = 30_000
"""Milliseconds that the first text of an answer may take."""
NO_FUNCTIONS = {
    *("<module>", "<lambda>", "<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"),
}


class Passed:
    """The functions of ours that were entered, in the order of their first call."""

    def __init__(self) -> None:
        self.functions: dict[CodeType, None] = {}

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        ours = event == "call" and code.co_filename.startswith(PACKAGE)
        if ours and code.co_name not in NO_FUNCTIONS:
            self.functions.setdefault(code)

    @property
    def files(self) -> set[str]:
        return {code.co_filename for code in self.functions}


async def passed() -> Passed:
    """Ask one question and note what it passes through."""
    from medassist.tui import app
    from tests.stubs.engine import FakeEngines
    from tests.tui.page import opened

    app.LOOK_S = 3600.0  # whether nobody is there is no part of a question's road
    found = Passed()
    async with opened(FakeEngines(), size=(120, 40)) as page:
        page.consult.composer.text = "What helps against a cough?"
        page.consult.composer.focus()
        await page.pause()
        sys.setprofile(found)
        try:
            page.app.simulate_key("enter")
            for _ in range(PATIENCE):
                if _answer_is_seen(page.app):
                    break
                await asyncio.sleep(0.001)
            else:
                raise RuntimeError("no answer was drawn")
        finally:
            sys.setprofile(None)
    return found


def _answer_is_seen(app: object) -> bool:
    from tests.tui.page import seen

    before = sys.getprofile()
    sys.setprofile(None)
    try:
        return "model answers" in seen(app.screen)  # type: ignore[attr-defined]
    finally:
        sys.setprofile(before)


def main() -> None:
    """Print the two counts."""
    from medassist.intended_use import INTENDED_USE_VERSION

    with tempfile.TemporaryDirectory() as home:
        os.environ["MEDASSIST_HOME"] = home
        settings = Path(home) / "config" / "settings.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text(f"intended_use_accepted = {INTENDED_USE_VERSION}\n")
        found = asyncio.run(passed())
    if "--list" in sys.argv:
        for code in found.functions:
            print(f"{Path(code.co_filename).relative_to(ROOT)}: {code.co_qualname}")
    print(f"{len(found.functions)} functions in {len(found.files)} files")


if __name__ == "__main__":
    main()
