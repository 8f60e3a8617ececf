"""Data sets in; adapter, figures and report out. Needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

# The offline guard comes with the first import of the app's package.
import medassist as medassist

if TYPE_CHECKING:
    from finetune.generate import generate_response as generate_response

__all__ = ["generate_response"]


def __getattr__(name: str) -> object:
    """Imports what needs torch when it is asked for: `import finetune` stays light."""
    if name == "generate_response":
        from finetune.generate import generate_response

        return generate_response
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
