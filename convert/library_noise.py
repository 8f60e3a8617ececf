"""Silences warnings of transformers, PEFT and torch that nobody can act on.

Only what is known to mean nothing here is kept back; any other warning of theirs
still reaches the user.
"""

from __future__ import annotations

import logging
import warnings
from functools import cache

LIBRARIES = ("accelerate", "peft", "torch", "transformers")
MEANINGLESS = (
    # Texts are compared whole, whatever length the tokenizer was made for.
    "Token indices sequence length is longer than",
    # How it is computed is read, checked, and said by the converter itself.
    "This model config has set a `rope_parameters['original_max_position_embeddings']`",
)
OF_PEFT = (
    # GPT-2's weights lie (in, out), which PEFT notices itself.
    "fan_in_fan_out is set to",
    # Tied layers of which one is adapted: `merge` and `adapter` look at them.
    r"Model has `tie_word_embeddings=True`",
)


class _Meaningful(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` may tell the user something."""
        return not record.getMessage().startswith(MEANINGLESS)


@cache
def keep_back_noise() -> None:
    """Suppress known meaningless warnings in this process."""
    from transformers.utils import logging as theirs

    theirs.disable_progress_bar()  # ours is shown
    theirs.get_logger()  # it has its handlers from now on
    for handler in logging.getLogger("transformers").handlers:
        handler.addFilter(_Meaningful())
    # What a library will drop one day is its callers' matter, not the user's.
    for kind in (FutureWarning, DeprecationWarning):
        warnings.filterwarnings(
            "ignore", category=kind, module=rf"({'|'.join(LIBRARIES)})\b"
        )
    for message in OF_PEFT:
        warnings.filterwarnings("ignore", message=message, category=UserWarning)
