"""A chat template reduced to the fixed texts around turns, as Go can express it.

Conversations are those that Ollama gives to a template: turns of the system, the user
and the assistant, no two of the same role in a row (it joins them). Blank turns are
left out of what is promised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from convert.go_template.source import Conversation
from medassist.core.values import Role

Trim = Literal["no", "both", "left", "right"]
"""Ends at which a template strips a text of white space."""


def trimmed(text: str, trim: Trim) -> str:
    """`text` trimmed as the template trims it."""
    match trim:
        case "both":
            return text.strip()
        case "left":
            return text.lstrip()
        case "right":
            return text.rstrip()
        case "no":
            return text


@dataclass(frozen=True)
class TurnAffixes:
    """Text before and after a turn, and how the turn is trimmed."""

    before: str
    after: str
    trim: Trim = "no"

    def write(self, text: str) -> str:
        """The text with what stands around it."""
        return self.before + trimmed(text, self.trim) + self.after


@dataclass(frozen=True)
class SystemTurn:
    """The system text is a turn of its own."""

    first: TurnAffixes
    """At the start of a conversation."""
    later: TurnAffixes
    """Later on; most templates make no difference."""


@dataclass(frozen=True)
class SystemInQuestion:
    """The system text stands inside the user's turn."""

    around: TurnAffixes
    """Between what opens the question and the question itself."""
    where: Literal["first", "last"]
    """Question that this is about."""
    question_trim: Trim
    """Trimming of the question behind it."""


@dataclass(frozen=True)
class SystemLeftOut:
    """The template writes no system text."""


@dataclass(frozen=True)
class TurnTemplate:
    """A chat template as fixed texts around turns."""

    opening: str
    """Before everything, where the conversation does not open with a system turn of
    its own: a default system prompt, as a rule."""
    system: SystemTurn | SystemInQuestion | SystemLeftOut
    user: TurnAffixes
    assistant: TurnAffixes
    asks: str
    """Text after the last turn, where the answer is to begin."""

    def render(self, turns: Conversation) -> str:
        """The prompt for `turns`, without the begin token that the runtime writes.

        Where the last turn is the assistant's, it is left open, to be gone on with.
        """
        told = "\n\n".join(text for role, text in turns if role == "system")
        parts: list[str] = []
        asked = False
        if not (isinstance(self.system, SystemTurn) and turns[0][0] == "system"):
            parts.append(self.opening)
        for index, (role, text) in enumerate(turns):
            last = index == len(turns) - 1
            match role:
                case "system":
                    parts.append(self._system(text, index))
                case "user":
                    parts.append(self._question(text, told, first=not asked, last=last))
                    asked = True
                case "assistant":
                    whole = self.assistant.write(text)
                    parts.append(
                        whole.removesuffix(self.assistant.after) if last else whole
                    )
        return "".join(parts) + ("" if turns[-1][0] == "assistant" else self.asks)

    def _system(self, text: str, index: int) -> str:
        if not isinstance(self.system, SystemTurn):
            return ""
        return (self.system.later if index else self.system.first).write(text)

    def _question(self, text: str, told: str, *, first: bool, last: bool) -> str:
        system = self.system
        if (
            told
            and isinstance(system, SystemInQuestion)
            and (first if system.where == "first" else last)
        ):
            inside = system.around.write(told)
            text = inside + trimmed(text, system.question_trim)
        else:
            text = trimmed(text, self.user.trim)
        return self.user.before + text + self.user.after


__all__ = [
    "Conversation",
    "Role",
    "SystemInQuestion",
    "SystemLeftOut",
    "SystemTurn",
    "Trim",
    "TurnAffixes",
    "TurnTemplate",
    "trimmed",
]
