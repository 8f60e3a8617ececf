"""Languages that a text was found to be written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ENGLISH: Final = "english"


@dataclass(frozen=True, slots=True)
class Spoken:
    """In which languages a text is written, as far as it matters to rules.

    Attributes:
        rules: The languages whose rules read it.
        foreign: It, or one of its sentences, is not English.
    """

    rules: tuple[str, ...]
    foreign: bool
