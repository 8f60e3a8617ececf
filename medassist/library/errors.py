"""What goes wrong in the library of models, in sentences."""

from __future__ import annotations


class LibraryError(Exception):
    """A model or pair cannot be listed, imported or kept; the message says why."""
