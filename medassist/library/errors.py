"""What goes wrong in the library of models, in sentences."""

from __future__ import annotations

from medassist.core.errors import MedassistError


class LibraryError(MedassistError):
    """A model or pair cannot be listed, imported or kept; the message says why."""
