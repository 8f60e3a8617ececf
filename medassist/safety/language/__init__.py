"""In which language a text, or a part of it, is written.

The rules read English, and German, French and Spanish less well. What is read less well
or not at all must not pass as harmless: the notice is shown beside the answers.
"""

from __future__ import annotations

from typing import Final

from medassist.safety.language.spoken import Spoken

NOTICE: Final = (
    "Not English, or not all of it: the rules for red flags read German, French and "
    "Spanish less well, and any other language not at all. That nothing is flagged "
    "means little here. In an emergency call the local emergency number."
)
"""Beside a question of which the rules read a part less well than English, or not."""
SHORT_NOTICE: Final = "Not English: the rules miss more red flags here, or all."
"""The same, where there is one line."""
BELOW_FLAGS: Final = "Not English: there may be further red flags, missed by the rules."
"""The same, where some were raised nevertheless."""
IDENTIFIERS_NOTICE: Final = (
    "This is not English, or not all of it. The rules for identifiers read English "
    "best, German, French and Spanish less well, and miss most in any other language."
)
"""Before a text is saved or exported that the rules cannot read."""


def spoken(text: str) -> Spoken:
    """See `medassist.safety.language.english`.

    The tables are read at the first call, so that the start of the program does not
    wait for them.
    """
    from medassist.safety.language import english

    return english.spoken(text)


def whose_rules(text: str) -> tuple[str, ...]:
    """The languages whose rules read `text`."""
    from medassist.safety.language import english

    return english.whose_rules(text)


def is_foreign(text: str) -> bool:
    """Whether `text`, or one of its sentences, is in another language than English."""
    return spoken(text).foreign
