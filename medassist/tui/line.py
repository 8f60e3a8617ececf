"""A one-line label that is redrawn only when its text has changed."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Line(Static):
    """Text without markup: what it shows may come from a model file."""

    DEFAULT_CSS = """
    Line { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(
        self, text: str = "", *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(text, markup=False, id=id, classes=classes)
        self._said: str | Content = text

    @property
    def text(self) -> str:
        """Text of the line."""
        said = self._said
        return said if isinstance(said, str) else said.plain

    def say(self, text: str | Content) -> None:
        """Say `text` from now on."""
        if text != self._said:
            self._said = text
            self.update(text, layout=self.styles.is_auto_height)
