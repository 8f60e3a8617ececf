"""A finding of `medassist doctor`: text, severity and advice."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        part: what was looked at.
        level: `ok`; `note`: worth knowing, the program works; `wrong`: something does
            not work, or somebody else can read what they should not.
        text: a sentence.
        do: what the user can do about it; often a command.
    """

    part: str
    level: Level
    text: str
    do: str = ""


def brief(path: Path) -> str:
    """`path` with the user's home as ~, so that reports can be shared."""
    try:
        inside = path.relative_to(Path.home())
    except (ValueError, RuntimeError):
        return str(path)
    return f"~/{inside}" if inside.parts else "~"


def hidden(text: str) -> str:
    """`text` with every mention of the user's home as ~."""
    home = str(Path.home())
    return text.replace(f"{home}/", "~/") if len(home) > 1 else text


def typed(path: Path) -> str:
    """`path` quoted for a shell."""
    shown = brief(path)
    if shown.startswith("~/"):
        return f"~/{shlex.quote(shown[2:])}"
    return "~" if shown == "~" else shlex.quote(shown)


def listed(words: Iterable[str]) -> str:
    """A list of words in a sentence: `a, b and c`."""
    all_of_them = list(words)
    if len(all_of_them) < 2:
        return "".join(all_of_them)
    return f"{', '.join(all_of_them[:-1])} and {all_of_them[-1]}"
