"""Red flags: danger signs in a question, found by rules before any model speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medassist.safety.red_flags.find import RedFlag

__all__ = ["find_red_flags"]


def find_red_flags(text: str) -> tuple[RedFlag, ...]:
    """The red flags of `text`; see `medassist.safety.red_flags.find`.

    The rules are read at the first call (some tens of milliseconds), so that the start
    of the program does not wait for them.
    """
    from medassist.safety.red_flags import find

    return find.find_red_flags(text)
