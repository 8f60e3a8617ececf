"""Asking again while IAM does not know of a new role everywhere yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from finetune.sagemaker.errors import SageMakerError, code_of

ROLE_S = 30.0
"""So long it may take."""
AGAIN_S = 5.0
T = TypeVar("T")


def patiently(ask: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """Result of `ask`, which is asked again while its role cannot be assumed.

    Raises:
        SageMakerError: as `ask` does, for another reason or for too long.
    """
    waited = 0.0
    while True:
        try:
            return ask()
        except SageMakerError as error:
            code = code_of(error.__cause__ or error)
            assumed = code == "ValidationException" and "assum" in str(error).lower()
            if not assumed or waited >= ROLE_S:
                raise
            sleep(AGAIN_S)
            waited += AGAIN_S
