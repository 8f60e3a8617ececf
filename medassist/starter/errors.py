"""What goes wrong with the base of the default pair."""

from __future__ import annotations

from medassist.core.errors import MedassistError


class StarterError(MedassistError):
    """The base could not be brought here or taken away; the message says why."""
