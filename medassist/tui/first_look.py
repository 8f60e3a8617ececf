"""The few settings that the first frame needs, read before all others.

`medassist.settings` checks every value and says what is wrong; importing it costs a
good part of the time to the first frame. Here a value that is not as expected is
passed over in silence: it is reported when the settings are read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from medassist.core.files import read_text
from medassist.core.paths import SETTINGS, config_dir
from medassist.tui import themes


@dataclass(frozen=True)
class FirstLook:
    """Settings needed for the first frame."""

    theme: str = themes.DARK
    accepted: int = 0
    """The version of the intended use that the user has accepted."""
    mode: Literal["together", "in-turn"] = "together"
    keys: Mapping[str, str] = field(default_factory=dict[str, str])


def file_name() -> str:
    """Name of the settings file for messages."""
    try:
        return str(config_dir() / SETTINGS)
    except OSError:
        return SETTINGS


def look() -> FirstLook:
    """Read these settings; defaults where there are none."""
    try:
        values = tomllib.loads(read_text(config_dir() / SETTINGS))
    except (OSError, ValueError):
        return FirstLook()
    theme: object = values.get("theme")
    accepted: object = values.get("intended_use_accepted")
    return FirstLook(
        theme=theme if isinstance(theme, str) else themes.DARK,
        accepted=accepted if isinstance(accepted, int) else 0,
        mode="in-turn" if values.get("mode") == "in-turn" else "together",
        keys=_keys(values.get("keys")),
    )


def _keys(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    table = cast("dict[str, Any]", value)
    return {name: key for name, key in table.items() if isinstance(key, str) and key}
