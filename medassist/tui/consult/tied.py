"""Lines in which no amount is parted from its unit, nor from the sign before it.

"60" at the end of a line and "mg/kg" on the next one are read as two things, and so are
"<" and "45". Textual breaks a line at any space, a no-break space too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from rich.cells import cell_len
from rich.segment import Segment
from textual.content import Content
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual
from textual.widgets import Static

if TYPE_CHECKING:
    from textual.css.styles import RulesMap

TIE: Final = "\ufdd0"
"""Stands for a space within an amount while lines are broken; no text may hold it."""
_SIGN: Final = re.compile(r"[<>=≤≥≈~±]\s$")
_SPACE: Final = re.compile(r"[^\S\n]")


@lru_cache(maxsize=512)
def tied(text: str, width: int) -> str:
    """`text` with ties within each amount that has room in a line of `width` cells.

    It is as long as before.
    """
    pieces: list[str] = []
    at = 0
    for start, end in _amounts(text):
        amount = text[start:end]
        pieces.append(text[at:start])
        whole = cell_len(amount) <= width
        pieces.append(_SPACE.sub(TIE, amount) if whole else amount)
        at = end
    return "".join([*pieces, text[at:]])


def _amounts(text: str) -> Iterator[tuple[int, int]]:
    # Imported late: what is drawn first has none.
    from medassist.text.quantities import QUANTITY

    for found in QUANTITY.finditer(text):
        sign = _SIGN.search(text, 0, found.start())
        yield (sign.start() if sign else found.start()), found.end()


def wrapped(content: Content, width: int) -> list[Content]:
    """The lines of `content`, each at most `width` cells wide."""
    lines = Content(tied(content.plain, width), list(content.spans)).wrap(width)
    return [Content(line.plain.replace(TIE, " "), list(line.spans)) for line in lines]


class Tied(Visual):
    """Draws `content`, its amounts unparted."""

    def __init__(self, content: Content) -> None:
        self._content = content

    def __str__(self) -> str:
        return self._content.plain

    def _at(self, width: int) -> Content:
        return Content(tied(self._content.plain, width), list(self._content.spans))

    def render_strips(
        self, width: int, height: int | None, style: Style, options: RenderOptions
    ) -> list[Strip]:
        strips = self._at(width).render_strips(width, height, style, options)
        return [_untied(strip) for strip in strips]

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return self._content.get_optimal_width(rules, container_width)

    def get_minimal_width(self, rules: RulesMap) -> int:
        return self._content.get_minimal_width(rules)

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self._at(width).get_height(rules, width)


def _untied(strip: Strip) -> Strip:
    segments = [Segment(s.text.replace(TIE, " "), s.style, s.control) for s in strip]
    return Strip(segments, strip.cell_length)


class _Drawn(Protocol):
    @property
    def visual(self) -> Visual: ...


class Unparted:
    """Mixin of a `Static` that parts no amount from its unit.

    No widget: Textual takes the styles of a class from its first base that is one.
    """

    def render(self: _Drawn) -> Visual:
        visual = self.visual
        return Tied(visual) if isinstance(visual, Content) else visual

    def get_selection(self: _Drawn, selection: Selection) -> tuple[str, str] | None:
        visual = self.visual
        return selection.extract(str(visual)), "\n"


class TiedStatic(Unparted, Static):
    """A text that parts no amount from its unit."""
