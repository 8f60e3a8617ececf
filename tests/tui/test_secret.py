from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widgets import Input

from medassist.tui.dialogs.passphrase import Passphrase
from medassist.tui.dialogs.secret import Secret
from medassist.tui.keys import Keymap
from medassist.tui.screens.lock import LockScreen
from tests.tui.page import until

WORDS = "four words of mine"


class FieldApp(App[None]):
    def __init__(self, field: Input) -> None:
        super().__init__()
        self.field = field
        self.copied: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.field

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)


async def copied(field: Input) -> tuple[list[str], str]:
    """What of `field` reaches the clipboard, and what stays in it after a cut."""
    app = FieldApp(field)
    async with app.run_test() as pilot:
        field.value = WORDS
        field.focus()
        await pilot.press("ctrl+a", "shift+home", "ctrl+c")
        field.action_select_all()
        await pilot.press("ctrl+c", "ctrl+x")
    return app.copied, field.value


async def test_a_passphrase_cannot_be_copied_or_cut_to_the_clipboard() -> None:
    assert await copied(Secret()) == ([], "")


async def test_of_a_plain_field_it_can() -> None:
    found, left = await copied(Input(password=True))
    assert WORDS in found and left == ""


async def do_nothing(_: object) -> None:
    return None


async def refuse_nothing(_: object) -> str:
    return ""


class ScreenApp(App[int]):
    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self.shown = screen

    def on_mount(self) -> None:
        self.push_screen(self.shown)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"quiet": "#888888", "warn": "#888888"}


SCREENS: dict[str, Callable[[], Screen[Any]]] = {
    "new": lambda: Passphrase("new", do_nothing),
    "open": lambda: Passphrase("open", do_nothing),
    "change": lambda: Passphrase("change", do_nothing),
    "lock": lambda: LockScreen(True, False, refuse_nothing, Keymap({})),
}


@pytest.mark.parametrize("kind", SCREENS)
async def test_each_field_for_a_passphrase_is_such_a_field(kind: str) -> None:
    app = ScreenApp(SCREENS[kind]())
    async with app.run_test() as pilot:
        await pilot.pause()
        fields = list(app.screen.query(Input))
        assert fields
        assert {type(field) for field in fields} == {Secret}


async def test_what_is_typed_right_behind_tab_goes_into_the_next_field() -> None:
    app = ScreenApp(SCREENS["new"]())
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(app.screen.query(Input)) == 2)
        first, second = app.screen.query(Input)
        first.focus()
        await until(pilot, lambda: first.has_focus)
        for key in (*"old", "tab", *"new"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: len(first.value) + len(second.value) == 6)
        assert (first.value, second.value) == ("old", "new")
