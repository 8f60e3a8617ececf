"""Value in the place of a label that is not learned."""

from __future__ import annotations

from typing import Final

IGNORED: Final = -100
"""PyTorch's cross entropy passes it over, and so does every model of transformers."""
