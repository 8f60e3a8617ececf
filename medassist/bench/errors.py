"""Errors of measurements. Every message is a sentence for the user."""

from __future__ import annotations

from medassist.core.errors import MedassistError


class BenchError(MedassistError):
    """A measurement cannot be made; the message says why and what to do."""


class UsageError(BenchError):
    """The request itself cannot be measured."""

    exit_code = 2
