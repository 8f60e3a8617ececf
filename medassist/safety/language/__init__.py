"""Whether a text, or a part of it, is written in another language than English.

The rules read English alone. What they cannot read must not pass as harmless: where
this says so, the notice is shown beside the answers.
"""

from __future__ import annotations

from typing import Final

NOTICE: Final = (
    "This is not English, or not all of it, and was not checked for red flags: the "
    "rules read English only. That nothing is flagged means nothing here. In an "
    "emergency call the local emergency number."
)
"""Beside a question that the rules cannot read."""
SHORT_NOTICE: Final = "Not English: not checked for red flags."
"""The same, where there is one line."""
IDENTIFIERS_NOTICE: Final = (
    "This is not English, or not all of it. The rules for identifiers read English "
    "best, German, French and Spanish less well, and miss most in any other language."
)
"""Before a text is saved or exported that the rules cannot read."""


def is_foreign(text: str) -> bool:
    """See `medassist.safety.language.english`.

    The tables are read at the first call, so that the start of the program does not
    wait for them.
    """
    from medassist.safety.language import english

    return english.is_foreign(text)
