"""Model names without paths of this computer."""

from __future__ import annotations

import re
from pathlib import Path

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def is_hub_id(name: str) -> bool:
    """Whether a base's name is a Hub id rather than a folder."""
    return _HUB_ID.fullmatch(name) is not None and not (
        name.startswith(".") or Path(name).is_dir()
    )


def base_name(name: str) -> str:
    """A base's public name: its Hub id, or its folder's last name.

    A whole path would tell of the computer that trained, and of nothing else.
    """
    if is_hub_id(name):
        return name
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2] or name
