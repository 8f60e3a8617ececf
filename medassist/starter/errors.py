"""Errors of downloading and removing the default pair's base."""

from __future__ import annotations

from medassist.core.errors import MedassistError


class StarterError(MedassistError):
    """The base could not be downloaded or removed; the message says why."""
