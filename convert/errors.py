"""What can go wrong in a conversion. Every message is a sentence for the user."""

from __future__ import annotations

from medassist.core.errors import MedassistError


class ConvertError(MedassistError):
    """Something cannot be converted; the message says what, why, and what to do."""


class NeedsMerging(ConvertError):
    """A GGUF adapter cannot hold this adapter; merged into its base it is exact."""
