"""Notices of `medassist ask`: intended use, red flags, language.

All of it goes to standard error; standard output carries the answers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from medassist.intended_use import INTENDED_USE, INTENDED_USE_VERSION

if TYPE_CHECKING:
    from medassist.safety.red_flags.conversation import Raised
    from medassist.settings import Settings


def say_intended_use(settings: Settings, stream: TextIO) -> None:
    """Say the intended use on `stream`, once for each version of it.

    Whoever has accepted this version in the screen has read it. That it was said is
    kept in the settings, and apart from accepting it: the screen asks all the same.
    Where the settings cannot be written it is said again the next time.
    """
    told = max(settings.intended_use_accepted, settings.intended_use_told)
    if told >= INTENDED_USE_VERSION:
        return
    stream.write(f"{INTENDED_USE}\n")
    stream.flush()
    from medassist.core.errors import SettingsError
    from medassist.settings import load_settings, save_settings

    now = {"intended_use_told": INTENDED_USE_VERSION}
    try:
        # As they stand in the file, without what this command line says.
        save_settings(load_settings().model_copy(update=now))
    except SettingsError:
        return


@dataclass(frozen=True)
class CheckedQuestion:
    """What the red-flag rules found in a question.

    Attributes:
        raised: The flags, the most urgent first.
        problem: Why the question was not checked; empty: it was.
        language: That the rules cannot read the question or a part of it; empty: they
            can.
    """

    raised: Sequence[Raised] = ()
    problem: str = ""
    language: str = ""

    @property
    def lines(self) -> Sequence[str]:
        """A line for each flag, and one where something could not be checked."""
        if self.problem:
            return [self.problem]
        flags = (raised.flag for raised in self.raised)
        lines = [f"RED FLAG: {flag.title}. {flag.text}" for flag in flags]
        return [*lines, self.language] if self.language else lines

    @property
    def as_json(self) -> list[dict[str, Any]] | None:
        """The flags for `--json`; `None` where nothing could be checked."""
        if self.problem:
            return None
        return [
            {
                "id": raised.flag.id,
                "title": raised.flag.title,
                "text": raised.flag.text,
                "field": raised.flag.field,
                "words": list(raised.words),
                "source": raised.flag.source,
            }
            for raised in self.raised
        ]
