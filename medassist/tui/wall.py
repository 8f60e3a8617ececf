"""Removes control sequences from every line drawn on the terminal.

Names of files, prompts, pairs, models and records come from outside, and messages of
errors quote them. Each place that shows one cleans it; this stands behind all of them,
where Textual turns the screen's lines into what the terminal is sent.
"""

from __future__ import annotations

import re
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from textual.strip import Strip

from medassist.core.clean import HIDDEN

_OBEYED: Final = re.compile(f"[\\t\\r\\n\\u2028\\u2029{HIDDEN}]")
_render = Strip.render


def build() -> None:
    """Filter every line of the screen from now on."""
    Strip.render = _walled  # pyright: ignore[reportAttributeAccessIssue]


def _walled(strip: Strip, console: Console) -> str:
    if any(_OBEYED.search(segment.text) for segment in strip):
        strip = Strip([_harmless(segment) for segment in strip])
    return _render(strip, console)


def _harmless(segment: Segment) -> Segment:
    """The same without what is obeyed, and as wide: the line was laid out with it."""
    text, style, control = segment
    text = _OBEYED.sub(lambda found: " " * cell_len(found.group()), text)
    return Segment(text, style, control)
