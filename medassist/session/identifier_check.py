"""Identifiers in several texts, looked for as in one.

So the same person has the same mark in every question and answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medassist.safety.identifiers import Identifier

_BETWEEN = "\n\n\x1e\n\n"
"""Stands between two texts while they are looked at as one."""


@dataclass(frozen=True)
class LookedFor:
    """Result of a search for identifiers.

    Attributes:
        whole: the texts as one; the spans of `found` are of this.
        found: what may tell who the patient is.
        without: each text with a mark in place of what was found.
        foreign: the rules cannot read all of it.
    """

    whole: str
    found: tuple[Identifier, ...]
    without: tuple[str, ...]
    foreign: bool

    @property
    def by_text(self) -> tuple[tuple[tuple[int, int, Identifier], ...], ...]:
        """Findings in each text, with their start and end there."""
        places: list[tuple[tuple[int, int, Identifier], ...]] = []
        start = 0
        for text in self.whole.split(_BETWEEN):
            end = start + len(text)
            places.append(
                tuple(
                    (max(0, one.span[0] - start), min(end, one.span[1]) - start, one)
                    for one in self.found
                    if one.span[0] < end and one.span[1] > start
                )
            )
            start = end + len(_BETWEEN)
        return tuple(places)

    @property
    def counts(self) -> Counter[str]:
        """Number of findings of each kind."""
        return Counter(one.kind for one in self.found)


def look_for_identifiers(texts: Sequence[str]) -> LookedFor:
    """Look at `texts`. Takes the time of the rules: for a thread."""
    from medassist.safety.identifiers import find_identifiers, replace
    from medassist.safety.language import is_foreign

    whole = _BETWEEN.join(text.replace("\x1e", " ") for text in texts)
    found = tuple(
        one
        for one in find_identifiers(whole)
        if _BETWEEN.strip(" \n") not in whole[one.span[0] : one.span[1]]
    )
    without = tuple(replace(whole, found).split(_BETWEEN))
    return LookedFor(whole, found, without, is_foreign(whole))
