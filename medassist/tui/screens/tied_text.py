"""Rich's text, its amounts not parted from their units."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.containers import Lines
from rich.text import Text

from medassist.tui.consult.tied import TIE, tied


class TiedText(Text):
    """Text that `medassist.tui.consult.tied` breaks into lines."""

    def wrap(self, console: Console, width: int, **options: Any) -> Lines:
        text = self.copy()
        text.plain = tied(self.plain, width)
        lines = text.wrap(console, width, **options)
        for line in lines:
            line.plain = line.plain.replace(TIE, " ")
        return lines
