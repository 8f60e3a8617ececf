"""The notice of `medassist ask` on the intended use, on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from medassist.intended_use import INTENDED_USE, INTENDED_USE_VERSION

if TYPE_CHECKING:
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
