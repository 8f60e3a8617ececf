"""Figures side by side: medians, their ratio, and what was aimed at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Comparison:
    """Ours against a reference, measured in turn.

    Attributes:
        name: what is compared.
        ours: the figure of each run.
        reference: the other's figure of each run, in the same order.
        unit: of both.
        aim: what the ratio should be, as (">=", 1.15).
    """

    name: str
    ours: Sequence[float]
    reference: Sequence[float]
    unit: str
    aim: tuple[str, float] | None = None

    @property
    def ratio(self) -> float:
        """The median of the ratios run by run, which drift of the machine spares."""
        pairs = zip(self.ours, self.reference, strict=True)
        return median(a / b for a, b in pairs)

    def row(self) -> str:
        verdict = ""
        if self.aim is not None:
            sign, goal = self.aim
            met = self.ratio >= goal if sign == ">=" else self.ratio <= goal
            verdict = f"{sign} {goal:<5g} {'met' if met else 'MISSED'}"
        ours, reference = median(self.ours), median(self.reference)
        return (
            f"{self.name:<52} {ours:>9.3f} {reference:>9.3f} {self.unit:<6} "
            f"{self.ratio:>7.3f}  {verdict}"
        )


HEADING = f"{'(medians)':<52} {'ours':>9} {'beside':>9} {'unit':<6} {'ratio':>7}  aim"


def show(title: str, rows: Sequence[Comparison]) -> None:
    """Print a table of comparisons."""
    print(f"\n{title}\n{HEADING}")
    for row in rows:
        print(row.row())
