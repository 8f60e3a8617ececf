"""The comparisons of each user whose sides are remembered, in memory alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from medassist.consult.sides import Sides
from medassist.core.values import PaneName
from medassist.serve.errors import Refusal
from medassist.serve.served_pair import ServedPair

MOST_KEPT: Final = 64
"""Comparisons of one user whose sides are remembered."""


@dataclass(frozen=True)
class ServedComparison:
    """Comparison under way: the pane on each side, and what answered."""

    sides: Sides
    panes: tuple[PaneName, ...]
    provenance: Mapping[PaneName, Mapping[str, Any]]

    def label(self, pane: PaneName) -> str:
        """Name of a pane for the client."""
        return self.sides.letter(pane) if self.sides.blind else pane

    def revealed(self) -> dict[str, Any]:
        """Model on each side."""
        return {
            "sides": {self.sides.letter(pane): pane for pane in self.panes},
            "provenance": dict(self.provenance),
        }


def comparison_of(source: ServedPair, sides: Sides) -> ServedComparison:
    """A comparison of what answers now."""
    panes: tuple[PaneName, ...] = tuple(model.pane for model in source.models)
    return ServedComparison(
        sides, panes, {pane: source.provenance(pane) for pane in panes}
    )


@dataclass
class KeptComparisons:
    """The comparisons whose sides are remembered, of each user the newest."""

    _by_user: dict[str, OrderedDict[str, ServedComparison]] = field(
        default_factory=dict[str, "OrderedDict[str, ServedComparison]"]
    )

    def keep(self, user: str, id: str, comparison: ServedComparison) -> None:
        """Remember `comparison` of `user` by its id."""
        mine = self._by_user.setdefault(user, OrderedDict())
        mine[id] = comparison
        while len(mine) > MOST_KEPT:
            mine.popitem(last=False)

    def of(self, user: str, id: str) -> ServedComparison:
        """The comparison of that id.

        Raises:
            Refusal: `user` has none, or not any more.
        """
        found = self._by_user.get(user, OrderedDict[str, ServedComparison]()).get(id)
        if found is None:
            raise Refusal(404, "not_found", "There is no such comparison of yours.")
        return found
