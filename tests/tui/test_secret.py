from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Input

from medassist.tui.screens.lock import LockScreen
from medassist.tui.screens.passphrase import Passphrase
from medassist.tui.widgets.secret import Secret

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


async def do_nothing(_: object) -> str:
    return ""


@pytest.mark.parametrize("kind", ["new", "open", "change", "lock"])
async def test_each_field_for_a_passphrase_is_such_a_field(kind: str) -> None:
    class Shows(App[None]):
        def on_mount(self) -> None:
            if kind == "lock":
                self.push_screen(LockScreen(True, False, do_nothing, ""))
            else:
                self.push_screen(Passphrase(kind, do_nothing))  # pyright: ignore[reportArgumentType]

        def get_theme_variable_defaults(self) -> dict[str, str]:
            return {"quiet": "#888888", "warn": "#888888"}

    app = Shows()
    async with app.run_test() as pilot:
        await pilot.pause()
        fields = list(app.screen.query(Input))
        assert fields
        assert {type(field) for field in fields} == {Secret}
