"""One consultation and all that is kept with it, as it stands in memory.

The consultation itself is `medassist.consult`'s; what others say about it (red flags
that were shown, verdicts, warnings, hashes) is gathered here, so that it can be saved,
reopened and exported as one thing, whether or not it is ever saved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from medassist.consult.answer import ModelFile
from medassist.consult.consultation import Consultation
from medassist.consult.turn import PaneName, Turn
from medassist.privacy.clean import clean_line

Choice = Literal["A", "B", "tie", "both poor"]
Reason = Literal["accuracy", "completeness", "safety", "style"]
CHOICES: tuple[Choice, ...] = ("A", "B", "tie", "both poor")
TITLE_LENGTH = 80


def now() -> datetime:
    """The time, to the millisecond that the records keep."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


@dataclass(frozen=True)
class FlagShown:
    """A red flag, as it was shown above the answers."""

    rule: str
    """The rule's id."""
    title: str
    text: str
    source: str


@dataclass(frozen=True)
class Verdict:
    """What the clinician thought of a turn."""

    choice: Choice
    side_a: PaneName
    """Which pane stood as A."""
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


@dataclass(frozen=True)
class WarningGiven:
    """That identifiers were found, never which: a kind and how many."""

    kind: str
    count: int
    occasion: Literal["saving", "exporting"]
    outcome: Literal["kept", "replaced"]
    given: datetime


@dataclass(frozen=True)
class Sides:
    """Which pane is A, and whether names are hidden."""

    side_a: PaneName = "base"
    blind: bool = False
    revealed: datetime | None = None

    @property
    def hidden(self) -> bool:
        """No name of a model may be shown."""
        return self.blind and self.revealed is None

    def letter(self, pane: PaneName) -> Literal["A", "B"]:
        """The side that `pane` stands on."""
        return "A" if pane == self.side_a else "B"


@dataclass
class Record:
    """A consultation with what is kept beside it. Changed freely, saved by `Recorder`.

    A turn's verdicts are all kept, the oldest first: one given after the names were
    seen does not take the place of the blind one.
    """

    consultation: Consultation = field(default_factory=Consultation)
    title: str = ""
    """The user's own; empty: the first question stands for it."""
    created: datetime = field(default_factory=now)
    sides: Sides = Sides()
    signed_off: datetime | None = None
    """When the user signed it off as reviewed; what is added later takes it back."""
    flags: dict[Turn, tuple[FlagShown, ...]] = field(
        default_factory=dict["Turn", "tuple[FlagShown, ...]"]
    )
    verdicts: dict[Turn, tuple[Verdict, ...]] = field(
        default_factory=dict["Turn", "tuple[Verdict, ...]"]
    )
    warnings: tuple[WarningGiven, ...] = ()
    hashes: dict[ModelFile, str] = field(default_factory=dict["ModelFile", "str"])
    """The sha256 of the models' files, as far as computed."""

    @property
    def heading(self) -> str:
        """The title, or the beginning of the first question."""
        if self.title.strip():
            return clean_line(self.title)[:TITLE_LENGTH]
        first = self.consultation.turns[0].question if self.consultation.turns else ""
        line = clean_line(first)
        if len(line) <= TITLE_LENGTH:
            return line
        return line[: TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"

    def judge(self, turn: Turn, verdict: Verdict) -> None:
        """Add a verdict on `turn`."""
        self.verdicts[turn] = (*self.verdicts.get(turn, ()), verdict)
