"""The light and the dark theme, with high contrast."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

DARK: Final = "medassist-dark"
LIGHT: Final = "medassist-light"

_DARK = Theme(
    name=DARK,
    dark=True,
    primary="#82b4da",
    secondary="#93c7a8",
    accent="#82b4da",
    foreground="#d5dbe1",
    background="#12171d",
    surface="#181f27",
    panel="#212a34",
    success="#93c7a8",
    warning="#d8b676",
    error="#e39a90",
    text_alpha=1.0,
    variables={
        "quiet": "#95a2af",
        "pane-base": "#82b4da",
        "pane-tuned": "#93c7a8",
        "block-cursor-background": "#82b4da",
        "block-cursor-foreground": "#12171d",
        "footer-background": "#12171d",
        "footer-item-background": "#12171d",
        "footer-description-background": "#12171d",
        "footer-key-background": "#12171d",
        "footer-key-foreground": "#82b4da",
        "footer-description-foreground": "#95a2af",
        "scrollbar": "#3a4652",
        "scrollbar-hover": "#566371",
        "scrollbar-active": "#82b4da",
        "scrollbar-background": "#12171d",
        "scrollbar-background-hover": "#12171d",
        "scrollbar-background-active": "#12171d",
    },
)

_LIGHT = Theme(
    name=LIGHT,
    dark=False,
    primary="#1d5c87",
    secondary="#27613f",
    accent="#1d5c87",
    foreground="#20262c",
    background="#fbfaf7",
    surface="#f1efe9",
    panel="#e5e2da",
    success="#27613f",
    warning="#754d00",
    error="#9b2a20",
    text_alpha=1.0,
    variables={
        "quiet": "#59626b",
        "pane-base": "#1d5c87",
        "pane-tuned": "#27613f",
        "block-cursor-background": "#1d5c87",
        "block-cursor-foreground": "#fbfaf7",
        "footer-background": "#fbfaf7",
        "footer-item-background": "#fbfaf7",
        "footer-description-background": "#fbfaf7",
        "footer-key-background": "#fbfaf7",
        "footer-key-foreground": "#1d5c87",
        "footer-description-foreground": "#59626b",
        "scrollbar": "#c3beb2",
        "scrollbar-hover": "#a39d8f",
        "scrollbar-active": "#1d5c87",
        "scrollbar-background": "#fbfaf7",
        "scrollbar-background-hover": "#fbfaf7",
        "scrollbar-background-active": "#fbfaf7",
    },
)

THEMES: Final = (_DARK, _LIGHT)


def other(theme: str) -> str:
    """The other theme."""
    return DARK if theme == LIGHT else LIGHT
