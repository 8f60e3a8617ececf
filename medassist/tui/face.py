"""Protocol for what the parts of the screen need from the app.

Flows, dialogs and screens are written against `Face`: none of them names the app or
the consult screen, so that each can be read, tested and shown by itself.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from textual.dom import DOMNode
from textual.screen import Screen, ScreenResultCallbackType

if TYPE_CHECKING:
    from medassist.core.values import Mode
    from medassist.session.choice import Choice
    from medassist.session.pair import Pair
    from medassist.settings import Settings
    from medassist.tui.keys import Keymap

Result = TypeVar("Result")


class Face(Protocol):
    """The app, as seen by the parts of its screens."""

    told_of_language: bool
    """It was said that identifiers are missed in other languages than English."""

    @property
    def settings_now(self) -> Settings | None:
        """The settings; `None` until they have been read, after the first frame."""
        ...

    @property
    def keymap(self) -> Keymap:
        """The current keys."""
        ...

    @property
    def mode(self) -> Mode:
        """Way in which the panes share the processor."""
        ...

    async def settings(self) -> Settings:
        """The user's settings with what the command line said; read once."""
        ...

    def keep(self, name: str, value: int | str | bool) -> None:
        """Change the setting `name` to `value` and save it."""
        ...

    def choose_mode(self, mode: Mode) -> None:
        """Set how the panes share the processor."""
        ...

    def new_pair(self, choice: Choice) -> Pair:
        """A pair of the chosen models, not loaded yet."""
        ...

    def say(
        self, sentence: str, warning: bool = False, seconds: float | None = None
    ) -> None:
        """Tell the user something that needs no answer."""
        ...

    def run_command(self, name: str) -> bool:
        """Do what the command `name` of the consult screen does; whether it is one."""
        ...

    def run_worker(
        self, work: Coroutine[Any, Any, object], *, group: str, exclusive: bool = False
    ) -> object:
        """Run `work` in the background; alone in its group if `exclusive`."""
        ...

    def copy_and_tell(self, text: str, what: str) -> None:
        """Copy `text` and say how it went."""
        ...

    def forget_copied(self) -> None:
        """Clear the clipboard, if it still holds what was copied here."""
        ...

    def clear_notifications(self) -> None:
        """Remove all notifications."""
        ...

    def push_screen(
        self,
        screen: Screen[Result],
        callback: ScreenResultCallbackType[Result] | None = None,
    ) -> object:
        """Show `screen` on top; `callback` receives its result."""
        ...

    async def push_screen_wait(self, screen: Screen[Result]) -> Result:
        """Show `screen` on top, in a worker, and return its result."""
        ...


def face(node: DOMNode) -> Face:
    """The app that shows `node`."""
    return cast("Face", node.app)  # pyright: ignore[reportUnknownMemberType]
