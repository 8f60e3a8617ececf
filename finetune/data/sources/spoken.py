"""Turns with a speaker's name and a colon before each, as `Patient: I cough`.

As a transcript in one text, or as a list with a text for each turn (MedDialog).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Turn = dict[str, str]
_PAIRS = (
    *(("human", "assistant"), ("user", "assistant"), ("user", "bot")),
    *(("patient", "doctor"), ("patient", "physician"), ("patient", "clinician")),
    *(("client", "therapist"), ("client", "counselor"), ("client", "counsellor")),
    *(("customer", "agent"), ("person", "ai")),
)
"""Who asks and who answers; names of other pairs within a text are part of it."""
_ASKS = frozenset(asks for asks, _ in _PAIRS)
_NAMES = "|".join(sorted({name for pair in _PAIRS for name in pair}))
_LABEL = re.compile(rf"[#\s]*({_NAMES})[ \t]*:[ \t]*", re.IGNORECASE)


def spoken_text(text: str) -> list[Turn] | None:
    """The turns of a transcript, each from the beginning of a line on; none of others.

    A line `Patient: I cough.` is a user's turn, and `Doctor: Rest.` an assistant's.
    """
    first = _LABEL.match(text)
    if first is None:
        return None
    begins = first[1].casefold()
    names = {name for pair in _PAIRS if begins in pair for name in pair}
    label = rf"(?:^|\n)[#\s]*({'|'.join(sorted(names))})[ \t]*:[ \t]*"
    pieces = re.split(label, text, flags=re.IGNORECASE)[1:]
    return [
        _turn(name, said) for name, said in zip(pieces[::2], pieces[1::2], strict=True)
    ]


def spoken_list(texts: Sequence[object]) -> list[Turn] | None:
    """The turns of a list of texts that each begin with a name; none of others."""
    turns: list[Turn] = []
    for text in texts:
        found = _LABEL.match(text) if isinstance(text, str) else None
        if found is None:
            return None
        turns.append(_turn(found[1], found.string[found.end() :]))
    return turns


def _turn(name: str, said: str) -> Turn:
    role = "user" if name.casefold() in _ASKS else "assistant"
    return {"role": role, "content": said.strip()}
