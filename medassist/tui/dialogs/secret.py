"""Input field for a passphrase, from which nothing can be copied."""

from __future__ import annotations

from textual.widgets import Input


class Secret(Input):
    """An `Input` that shows dots, and of which nothing can be copied.

    Textual's own password field hands the selection to the clipboard in clear text.
    """

    def __init__(self, *, id: str | None = None, compact: bool = False) -> None:
        super().__init__(password=True, id=id, compact=compact)

    def action_copy(self) -> None:
        """Nothing: a passphrase has no business on the clipboard."""

    def action_cut(self) -> None:
        """Remove the selection without copying it."""
        self.delete_selection()
