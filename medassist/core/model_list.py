"""File name and size limit of models.json, the list of models and pairs."""

from __future__ import annotations

from typing import Final

FILE_NAME: Final = "models.json"
MAX_BYTES: Final = 8 * 1024 * 1024
"""Largest file in bytes; a larger one was not written by this program."""
