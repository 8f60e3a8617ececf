"""Errors of fine-tuning. Every message is a sentence for the user."""

from __future__ import annotations

from pathlib import Path

from medassist.core.errors import MedassistError


class FinetuneError(MedassistError):
    """Something failed; the message says what, where, and what to do."""


class Interrupted(FinetuneError):
    """The user stopped a training; `checkpoint` holds what was learned."""

    exit_code = 130

    def __init__(self, message: str, checkpoint: Path) -> None:
        super().__init__(message)
        self.checkpoint = checkpoint
