"""Treatment of a system turn where a model's template refuses one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Turn = tuple[Literal["system", "user", "assistant"], str]


def without_system(turns: Iterable[Turn]) -> list[Turn]:
    """Turns of role and content with the system's text before the first question.

    As the makers of models that know no system turn advise (Gemma). Training and
    answering do the same, so that a model is asked in the words it was taught in.
    """
    folded: list[Turn] = []
    pending = ""
    for role, content in turns:
        if role == "system":
            pending += content + "\n\n"
        elif role == "user" and pending:
            folded.append((role, pending + content))
            pending = ""
        else:
            folded.append((role, content))
    if pending:
        folded.append(("user", pending.strip()))
    return folded
