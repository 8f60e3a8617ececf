"""Reads and changes the card.json of the run that a file belongs to.

A card is one for people too: that it is missing or broken stops no work, and is said.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from medassist.core.card import Card, CardError, read_card, write_card


def write_on_card(file: Path | None, change: Callable[[Card], Card]) -> list[str]:
    """Put the card in `file`, changed, in its place; without a card do nothing.

    Returns:
        What could not be done, for the user.
    """
    if file is None or not file.is_file():
        return []
    try:
        card = read_card(file)
        changed = change(card)
        if changed != card:
            write_card(changed, file)
    except (CardError, OSError) as error:
        return [f"nothing was written on the card: {error}"]
    return []
