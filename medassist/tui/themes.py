"""The light, the dark and the high-contrast theme.

Textual's own can be chosen too; what they lack is made of what they have.
"""

from __future__ import annotations

from typing import Final

from textual.color import Color
from textual.theme import Theme

DARK: Final = "medassist-dark"
LIGHT: Final = "medassist-light"
CONTRAST: Final = "medassist-contrast"

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

_CONTRAST = Theme(
    name=CONTRAST,
    dark=True,
    primary="#8cc8ff",
    secondary="#9be8b0",
    accent="#8cc8ff",
    foreground="#ffffff",
    background="#000000",
    surface="#0c0c0c",
    panel="#1c1c1c",
    success="#9be8b0",
    warning="#ffd75f",
    error="#ff9d94",
    text_alpha=1.0,
    variables={
        "quiet": "#d0d0d0",
        "pane-base": "#8cc8ff",
        "pane-tuned": "#9be8b0",
        "block-cursor-background": "#8cc8ff",
        "block-cursor-foreground": "#000000",
        "footer-background": "#000000",
        "footer-item-background": "#000000",
        "footer-description-background": "#000000",
        "footer-key-background": "#000000",
        "footer-key-foreground": "#8cc8ff",
        "footer-description-foreground": "#d0d0d0",
        "scrollbar": "#808080",
        "scrollbar-hover": "#a0a0a0",
        "scrollbar-active": "#8cc8ff",
        "scrollbar-background": "#000000",
        "scrollbar-background-hover": "#000000",
        "scrollbar-background-active": "#000000",
    },
)

THEMES: Final = (_DARK, _LIGHT, _CONTRAST)


def other(theme: Theme) -> str:
    """A light theme for a dark one, and a dark one for a light one."""
    return LIGHT if theme.dark else DARK


def missing(theme: Theme) -> dict[str, str]:
    """Variables that our screens want of a theme beyond what Textual's own have."""
    colours = theme.to_color_system().generate()
    text, ground = (Color.parse(colours[name]) for name in ("foreground", "background"))
    in_terminal = text.ansi is not None or ground.ansi is not None
    return {
        "quiet": colours["foreground"] if in_terminal else text.blend(ground, 0.3).hex,
        "pane-base": colours["primary"],
        "pane-tuned": colours["secondary"],
    }
