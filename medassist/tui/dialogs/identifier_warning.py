"""Warns of identifiers before something is saved or exported.

What was found is looked for once and replaced the same way everywhere: the same
person has the same mark in every question and answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from medassist.session.identifier_check import look_for_identifiers

if TYPE_CHECKING:
    from medassist.consult.consultation import Consultation
    from medassist.records.record import WarningGiven
    from medassist.tui.dialogs.identifiers import Occasion
    from medassist.tui.face import Face


@dataclass(frozen=True)
class Decided:
    """The user's decision.

    Attributes:
        warnings: what is remembered of it; empty where nothing was found.
        texts: each text, without identifiers where the user chose that.
    """

    warnings: tuple[WarningGiven, ...]
    texts: Mapping[str, str]

    def redact(self, text: str) -> str:
        """`text` as the user wants it written."""
        return self.texts.get(text, text)


async def warn(face: Face, texts: Sequence[str], occasion: Occasion) -> Decided | None:
    """Warn of possible identifiers in `texts`, if there are any.

    Where the rules cannot read the texts the user is told that too.

    Returns:
        What was decided; `None`: not to go on.
    """
    from medassist.records.record import WarningGiven, now

    looked = await asyncio.to_thread(look_for_identifiers, texts)
    if not looked.found and not (looked.foreign and _is_news(face, occasion)):
        return Decided((), {})
    outcome = await _ask(face, looked.whole, occasion)
    if outcome is None:
        return None
    warnings = tuple(
        WarningGiven(kind, count, occasion, outcome, now())
        for kind, count in looked.counts.items()
    )
    replaced = (
        dict(zip(texts, looked.without, strict=True)) if outcome == "replaced" else {}
    )
    return Decided(warnings, replaced)


def _is_news(face: Face, occasion: Occasion) -> bool:
    """Whether to ask where nothing was found, in a text that the rules cannot read.

    Whatever leaves the computer is asked about each time. Of what is saved, question by
    question, the user is told once.
    """
    if occasion == "saving" and face.told_of_language:
        return False
    face.told_of_language = True
    return True


async def _ask(
    face: Face, text: str, occasion: Occasion
) -> Literal["kept", "replaced"] | None:
    from medassist.tui.dialogs.identifiers import warn_of_identifiers

    match await warn_of_identifiers(face, text, occasion):
        case "replace":
            return "replaced"
        case "keep":
            return "kept"
        case _:
            return None


async def warn_of_consultation(
    face: Face, consultation: Consultation
) -> tuple[WarningGiven, ...] | None:
    """Warn of identifiers in a consultation that is going to be saved.

    Where the user wants identifiers replaced, they are replaced in it. `None`: it is
    not to be saved.
    """
    turns = list(dict.fromkeys(t for branch in consultation.branches for t in branch))
    answers = [a for turn in turns for pane in turn.panes for a in turn.answers(pane)]
    written = [text for a in answers for text in (a.text, a.thought)]
    texts = dict.fromkeys([t.question for t in turns] + written)
    decided = await warn(face, [text for text in texts if text.strip()], "saving")
    if decided is None:
        return None
    for turn in turns:
        turn.question = decided.redact(turn.question)
    for answer in answers:
        if answer.over:
            answer.text = decided.redact(answer.text)
            answer.thought = decided.redact(answer.thought)
    return decided.warnings
