"""Checks questions for what identifies a patient, before they leave this computer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from medassist.core.words import plural
from medassist.safety.identifiers import KINDS, find_identifiers
from medassist.safety.identifiers import replace as with_marks
from medassist.safety.language import IDENTIFIERS_NOTICE, is_foreign


@dataclass(frozen=True)
class Leaving:
    """Texts that are about to leave."""

    texts: tuple[str, ...]
    told: str
    """Findings in words; empty, where there are none."""
    doubtful: bool
    """Whether they may still say who the patient is, as far as the rules can see."""


def looked(texts: Sequence[str], *, replace: bool = False) -> Leaving:
    """Look through texts for what identifies a patient.

    Args:
        texts: that would leave.
        replace: put marks in the place of what is found.
    """
    found = [find_identifiers(text) for text in texts]
    every = [one for each in found for one in each]
    lines: list[str] = []
    if every:
        counts = Counter(one.kind for one in every)
        kinds = ", ".join(
            KINDS[kind] + (f" ({n} {plural(n, 'time')})" if n > 1 else "")
            for kind, n in counts.items()
        )
        words = ", ".join(dict.fromkeys(repr(one.text) for one in every))
        after = (
            "Marks are sent in their place"
            if replace
            else "--replace sends marks in their place"
        )
        lines.append(f"this may say who the patient is, by {kinds}: {words}. {after}")
    foreign = any(is_foreign(text) for text in texts)
    if foreign:
        lines.append(IDENTIFIERS_NOTICE)
    if replace:
        texts = [with_marks(t, own) for t, own in zip(texts, found, strict=True)]
    doubtful = foreign or bool(every and not replace)
    return Leaving(tuple(texts), "\n".join(lines), doubtful)
