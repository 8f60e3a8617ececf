"""Errors of the model library, each with a sentence for the user."""

from __future__ import annotations

from medassist.core.errors import MedassistError


class LibraryError(MedassistError):
    """A model or pair cannot be listed, imported or kept; the message says why."""
