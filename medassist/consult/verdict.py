"""A clinician's verdict on the two answers of a turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from medassist.core.values import PaneName

Choice = Literal["A", "B", "tie", "both poor"]
Reason = Literal["accuracy", "completeness", "safety", "style"]
CHOICES: tuple[Choice, ...] = ("A", "B", "tie", "both poor")
REASONS: tuple[Reason, ...] = ("accuracy", "completeness", "safety", "style")


def now() -> datetime:
    """The time, to the millisecond that the records keep."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


@dataclass(frozen=True)
class Verdict:
    """A clinician's verdict on a turn."""

    choice: Choice
    side_a: PaneName
    """Pane that stood as A."""
    blind: bool
    """The names were hidden when it was given."""
    given: datetime
    reasons: tuple[Reason, ...] = ()
    note: str = ""

    @property
    def winner(self) -> PaneName | None:
        """The better pane; `None` for a tie and for two poor answers."""
        match self.choice:
            case "A":
                return self.side_a
            case "B":
                return "tuned" if self.side_a == "base" else "base"
            case _:
                return None
