"""The pair that comes with the program: a small base and adapters on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medassist.core.run_folder import CARD

if TYPE_CHECKING:
    from medassist.core.values import PairFiles

FOLDER = Path(__file__).parent
STARTER_NOTICE = (
    "The starter pair is a demonstration by a very small model: it makes things up "
    "and is not for clinical use."
)


def starter_pair() -> PairFiles:
    """The base and the activated adapter that lie in the package."""
    # Pydantic costs 0.14 s, which the first frame does not wait for.
    from medassist.core.values import PairFiles

    return PairFiles(
        base=FOLDER / "base-q8_0.gguf", adapter=FOLDER / "adapter-activated.gguf"
    )


def starter_card() -> Path:
    """The card of the starter pair."""
    return FOLDER / CARD
