"""Libraries' words that nobody can act on are kept back, and no others."""

from __future__ import annotations

import logging
import subprocess
import sys

from convert.library_noise import MEANINGLESS, keep_back_noise

TALK = """
import warnings
from convert.library_noise import keep_back_noise
from transformers.utils import logging
keep_back_noise()
logging.get_logger("transformers.models.any").warning({meaningless!r} + " (1 > 0)")
logging.get_logger("transformers.models.any").warning("The weights are not all there")
for kind in (FutureWarning, UserWarning):
    warnings.warn_explicit(f"a {{kind.__name__}}", kind, "f.py", 1, "transformers.any")
warnings.warn_explicit("our own", FutureWarning, "g.py", 1, "convert.any")
"""


def test_only_what_means_nothing_is_kept_back():
    program = TALK.format(meaningless=MEANINGLESS[0])
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stderr
    assert MEANINGLESS[0] not in said
    assert "a FutureWarning" not in said
    assert "The weights are not all there" in said
    assert "a UserWarning" in said
    assert "our own" in said


def test_it_is_done_once():
    keep_back_noise()
    handlers = logging.getLogger("transformers").handlers
    before = [len(handler.filters) for handler in handlers]
    keep_back_noise()
    assert [len(handler.filters) for handler in handlers] == before
