"""One consultation with all that is saved of it, in memory.

The consultation itself is `medassist.consult`'s; what others say about it (red flags
that were shown, verdicts, warnings, hashes) is gathered here, so that it can be saved,
reopened and exported as one thing, whether or not it is ever saved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from medassist.consult.answer import ModelFile
from medassist.consult.consultation import Consultation
from medassist.consult.sides import Sides
from medassist.consult.turn import Turn
from medassist.consult.verdict import Verdict, now
from medassist.core.clean import clean_line

TITLE_LENGTH = 80


@dataclass(frozen=True)
class FlagShown:
    """A red flag as it was shown."""

    rule: str
    """The rule's id."""
    title: str
    text: str
    source: str


@dataclass(frozen=True)
class WarningGiven:
    """A warning of identifiers: their kind and number, never their text."""

    kind: str
    count: int
    occasion: Literal["saving", "exporting"]
    outcome: Literal["kept", "replaced"]
    given: datetime


@dataclass
class Record:
    """A consultation with everything saved with it; mutable, saved by `Recorder`.

    A turn's verdicts are all kept, the oldest first: one given after the names were
    seen does not take the place of the blind one.
    """

    consultation: Consultation = field(default_factory=Consultation)
    title: str = ""
    """The user's own; empty: the first question stands for it."""
    created: datetime = field(default_factory=now)
    signed_off: datetime | None = None
    """Time at which the user signed it off; a later addition takes it back."""
    flags: dict[Turn, tuple[FlagShown, ...]] = field(
        default_factory=dict["Turn", "tuple[FlagShown, ...]"]
    )
    warnings: tuple[WarningGiven, ...] = ()
    hashes: dict[ModelFile, str] = field(default_factory=dict["ModelFile", "str"])
    """The sha256 of the models' files, as far as computed."""

    @property
    def sides(self) -> Sides:
        """Sides of the panes, and whether names are hidden."""
        return self.consultation.sides

    @sides.setter
    def sides(self, sides: Sides) -> None:
        self.consultation.sides = sides

    @property
    def verdicts(self) -> dict[Turn, tuple[Verdict, ...]]:
        """All verdicts by turn, the oldest first."""
        turns = self.consultation.turns
        return {turn: turn.verdicts for turn in turns if turn.verdicts}

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
        turn.judge(verdict)
