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
    """The program, as a part of its screen sees it."""

    told_of_language: bool
    """It was said that identifiers are missed in other languages than English."""

    @property
    def settings_now(self) -> Settings | None:
        """The settings; `None` until they have been read, after the first frame."""
        ...

    @property
    def keymap(self) -> Keymap:
        """The keys as they are now."""
        ...

    @property
    def mode(self) -> Mode:
        """How the panes share the processor."""
        ...

    async def settings(self) -> Settings:
        """The user's settings with what the command line said; read once."""
        ...

    def keep(self, name: str, value: int | str | bool) -> None:
        """Have the setting `name` be `value` from now on, the next time too."""
        ...

    def choose_mode(self, mode: Mode) -> None:
        """Have the panes share the processor so from now on."""
        ...

    def new_pair(self, choice: Choice) -> Pair:
        """A pair of the models that the user has chosen, not loaded yet."""
        ...

    def say(
        self, sentence: str, warning: bool = False, seconds: float | None = None
    ) -> None:
        """Tell the user something that needs no answer."""
        ...

    def run_worker(
        self, work: Coroutine[Any, Any, object], *, group: str, exclusive: bool = False
    ) -> object:
        """Have `work` run in the background; alone in its group if `exclusive`."""
        ...

    def copy_and_tell(self, text: str, what: str) -> None:
        """Copy `text` and say how it went."""
        ...

    def forget_copied(self) -> None:
        """Take off the clipboard what was copied here, if it is still there."""
        ...

    def clear_notifications(self) -> None:
        """Take away what was said in passing."""
        ...

    def push_screen(
        self,
        screen: Screen[Result],
        callback: ScreenResultCallbackType[Result] | None = None,
    ) -> object:
        """Show `screen` on top; `callback` is given what it is dismissed with."""
        ...

    async def push_screen_wait(self, screen: Screen[Result]) -> Result:
        """Show `screen` on top, in a worker; what it is dismissed with."""
        ...


def face(node: DOMNode) -> Face:
    """The face that shows `node`."""
    return cast("Face", node.app)  # pyright: ignore[reportUnknownMemberType]
