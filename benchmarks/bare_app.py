"""The reference for the start: the least Textual app with two panes and an input."""

from textual.app import App, ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Markdown, TextArea


class BareApp(App[None]):
    """Two panes of Markdown and a text area."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield VerticalScroll(Markdown("left pane"))
            yield VerticalScroll(Markdown("right pane"))
        yield TextArea()


if __name__ == "__main__":
    BareApp().run()
