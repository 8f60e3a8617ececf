"""Sides of the panes, A and B, and whether names are hidden."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from medassist.core.values import PaneName

Letter = Literal["A", "B"]


@dataclass(frozen=True)
class Sides:
    """Assignment of panes to sides A and B, and whether names are hidden."""

    side_a: PaneName = "base"
    blind: bool = False
    revealed: datetime | None = None

    @property
    def hidden(self) -> bool:
        """Whether model names are hidden."""
        return self.blind and self.revealed is None

    def letter(self, pane: PaneName) -> Letter:
        """The letter of the side that `pane` is on."""
        return "A" if pane == self.side_a else "B"

    def order(self, panes: Iterable[PaneName]) -> tuple[PaneName, ...]:
        """`panes` as they stand on the screen, A first."""
        return tuple(sorted(panes, key=self.letter))

    def reveal(self, time: datetime) -> Sides:
        """The same sides with the names visible, from `time` on."""
        return replace(self, revealed=time) if self.hidden else self


def drawn() -> Sides:
    """Randomly assigned blind sides, from the system's random numbers."""
    import secrets  # costs what the start of the program has no time for

    return Sides("tuned" if secrets.randbelow(2) else "base", blind=True)
