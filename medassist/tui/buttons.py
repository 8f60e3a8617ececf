"""The buttons below a dialog."""

from __future__ import annotations

from textual.widgets import Button


def button(
    label: str, id: str, action: str | None = None, *, primary: bool = False
) -> Button:
    """A button of one line.

    Args:
        label: What it says.
        id: Its name in the styles.
        action: What it does; without one its screen is told that it was pressed.
        primary: It stands out.
    """
    variant = "primary" if primary else "default"
    return Button(label, variant, id=id, action=action, compact=True)
