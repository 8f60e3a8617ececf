from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.color import Color
from textual.screen import Screen

import medassist.tui
from medassist.intended_use import INTENDED_USE_VERSION
from medassist.session.choice import Choice
from medassist.tui import keys, themes
from medassist.tui.app import ConsultApp
from medassist.tui.bench.app import BenchApp
from medassist.tui.consult.screen import ConsultScreen
from medassist.tui.dialogs.flag_details import FlagDetails
from medassist.tui.dialogs.identifiers import IdentifierWarning
from medassist.tui.dialogs.intended_use import IntendedUse
from medassist.tui.dialogs.pane_settings import PaneSettingsDialog
from medassist.tui.dialogs.passphrase import Passphrase
from medassist.tui.dialogs.verdict import VerdictPanel
from medassist.tui.screens.help import Help
from medassist.tui.screens.history import History
from medassist.tui.screens.lock import LockScreen
from medassist.tui.screens.models import ModelsScreen
from medassist.tui.screens.prompt_library import PromptLibrary
from tests.stubs.engine import FakeEngines
from tests.tui.page import app_with, opened


def settings(home: Path) -> Path:
    return home / "config" / "settings.toml"


ON_TOP: dict[keys.Place, list[type[Screen[Any]] | type[BenchApp]]] = {
    "text": [FlagDetails, IdentifierWarning, IntendedUse],
    "history": [History],
    "models": [ModelsScreen],
    "prompts": [PromptLibrary],
    "verdict": [VerdictPanel],
    "identifiers": [IdentifierWarning],
    "asked": [PaneSettingsDialog],
    "passphrase": [Passphrase],
    "lock": [LockScreen],
    "bench": [BenchApp],
}


def test_where_it_holds_every_key_is_given_once() -> None:
    assert keys.Keymap({}).problems == []
    assert len({command.id for command in keys.COMMANDS}) == len(keys.COMMANDS)


def test_every_key_of_the_program_stands_in_the_table() -> None:
    ids = {command.id for command in keys.COMMANDS}
    folder = Path(medassist.tui.__file__).parent
    found: set[object] = set()
    for file in folder.rglob("*.py"):
        module = import_module(
            ".".join(("medassist.tui", *file.relative_to(folder).with_suffix("").parts))
        )
        found |= {x for x in vars(module).values() if isinstance(x, type)}
    ours = [x for x in found if x.__module__.startswith("medassist.tui")]
    bound = [(x, b) for x in ours for b in vars(x).get("BINDINGS", ())]
    assert len(bound) > len(keys.COMMANDS)
    assert [(x, b) for x, b in bound if getattr(b, "id", None) not in ids] == []


def test_no_key_is_one_that_old_terminals_take_for_another() -> None:
    given = {key for command in keys.COMMANDS for key in command.key.split(",")}
    assert not given & {"ctrl+i", "ctrl+m", "ctrl+h", "ctrl+[", "shift+enter"}
    # Alt with a letter is sent as Esc and the letter: b and f are the word left and
    # right; O and [ begin what other keys send.
    alt = {key.removeprefix("alt+") for key in given if key.startswith("alt+")}
    taken = {s[1] for s in ANSI_SEQUENCES_KEYS if len(s) == 2 and s[0] == "\x1b"}
    assert not alt & (taken | {"O", "["})


async def test_every_command_of_the_table_can_be_carried_out(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    consult = app.consult
    nodes = {"composer": consult.composer, "screen": consult, "app": app}
    nodes["search"] = consult.search
    for command in keys.COMMANDS:
        if command.place in nodes:
            assert callable(_what_does(command, nodes[command.place]))
        for screen in ON_TOP.get(command.place, ()):
            of = ModelsScreen(Choice(), Choice()) if screen is ModelsScreen else screen
            assert callable(_what_does(command, of))
            bound = [getattr(binding, "id", None) for binding in screen.BINDINGS]
            assert command.id in bound
    places = {command.place for command in keys.COMMANDS}
    assert places == {*nodes, *ON_TOP, "dialog"}


def _what_does(command: keys.Command, of: object) -> object:
    part, _, work = command.action.partition("(")[0].rpartition(".")
    whose = {"": of, "app": ConsultApp, "screen": ConsultScreen}
    if part in whose:
        return getattr(whose[part], f"action_{work}")
    return getattr(getattr(of, part), work)


async def test_the_palette_lists_every_command_with_its_key(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        listed = {c.title: c.help for c in page.app.get_system_commands(page.screen)}
        commands = [c for c in keys.COMMANDS if c.place in keys.CONSULT]
        for command in commands:
            if command.id != "palette":
                assert listed[command.title].startswith(keys.display(command.key))
        assert len(listed) == len(commands) - 1


async def test_a_command_can_be_found_and_carried_out_in_the_palette(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.press("ctrl+p")
        await page.until_seen("Search for commands")
        await page.press(*"in turn")
        await page.until_seen("one answer after the other")
        await page.press("enter", "enter")
        await page.until_seen("not saved · asked in turn")


async def test_the_help_names_every_command_and_its_key(engines: FakeEngines) -> None:
    async with opened(engines, size=(120, 300)) as page:
        await page.press("f1")
        await page.until_seen("settings.toml")
        shown = page.seen
        for command in keys.COMMANDS:
            line = f"{keys.display(command.key):<10}{command.title}."
            assert line in shown, line
            assert command.id in shown
        await page.press("f1")
        await page.until(lambda: not isinstance(page.screen, Help))


async def test_a_key_can_be_given_to_another_command(
    home: Path, engines: FakeEngines
) -> None:
    with settings(home).open("a") as file:
        file.write('[keys]\nsend = "f7"\nquit = "ctrl+x"\nhelp = "f1,f6"\n')
    async with opened(engines) as page:
        await page.press("a", "enter", "b")
        await page.until(lambda: page.consult.composer.text == "a\nb")
        await page.press("f7")
        await page.until_answered()
        await page.press("f6")
        await page.until_on_top(Help)
        await page.until_seen("F7")
        await page.press("escape", "ctrl+q")
        await page.pause()
        assert page.screen is page.consult
        await page.press("ctrl+x")
        await page.until_seen("Press ^x again to quit.")
        await page.press("ctrl+x")
        await page.until(lambda: page.app._exit)


async def test_a_key_of_a_screen_on_top_can_be_given_to_another_command(
    home: Path, engines: FakeEngines
) -> None:
    with settings(home).open("a") as file:
        file.write('[keys]\nback = "f7"\nverdict_1 = "z"\n')
    async with opened(engines) as page:
        assert "stands for" not in page.told
        await page.ask("One?")
        await page.press("f1")
        await page.until_on_top(Help)
        await page.press("escape")
        await page.pause()
        assert isinstance(page.screen, Help)
        await page.press("f7")
        await page.until_back()
        await page.press("f8")
        await page.until_on_top(VerdictPanel)
        await page.press("z", "enter")
        turn = page.turns[0]
        await page.until(lambda: turn.verdicts)
        assert turn.verdicts[0].choice == "A"


async def test_a_wrong_name_or_a_key_given_twice_is_said(
    home: Path, engines: FakeEngines
) -> None:
    with settings(home).open("a") as file:
        file.write('[keys]\nsned = "f7"\ncopy = "f5"\nmodels_import = "c,f1"\n')
    async with opened(engines) as page:
        await page.until_told("'sned', which is no command")
        assert "The key f5 stands for regenerate and copy" in page.told
        assert "The key c stands for models_import and models_check" in page.told
        assert "The key f1 stands for help and models_import" in page.told
        assert page.told.count("stands for") == 3


async def test_a_broken_settings_file_is_said_and_left_as_it_is(
    home: Path, engines: FakeEngines
) -> None:
    settings(home).write_text(
        f"intended_use_accepted = {INTENDED_USE_VERSION}\nmode = 'sideways'\n"
    )
    async with opened(engines) as page:
        await page.until(lambda: "line 2" in page.told and "mode" in page.told)
        await page.press("f12")
        await page.app.workers.wait_for_complete()
    assert "sideways" in settings(home).read_text()


async def test_the_theme_is_switched_and_remembered(
    home: Path, engines: FakeEngines
) -> None:
    async with opened(engines) as page:
        assert page.app.theme == themes.DARK
        await page.press("f12")
        await page.until(lambda: page.app.theme == themes.LIGHT)
        await page.until(lambda: "medassist-light" in settings(home).read_text())
    assert app_with(engines).theme == themes.LIGHT


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2: 4.5 is asked for text."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    def linear(value: int) -> float:
        part = value / 255
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    rgb = Color.parse(colour).rgb
    return sum(
        w * linear(v) for w, v in zip((0.2126, 0.7152, 0.0722), rgb, strict=True)
    )


@pytest.mark.parametrize("theme", themes.THEMES, ids=lambda theme: theme.name)
def test_text_can_be_read_on_every_ground_of_the_theme(theme: themes.Theme) -> None:
    quiet, *panes = (
        theme.variables[name] for name in ("quiet", "pane-base", "pane-tuned")
    )
    inks = [theme.foreground, theme.primary, theme.warning, theme.error, quiet, *panes]
    for ground in (theme.background, theme.surface, theme.panel):
        for ink in inks:
            assert ink and ground
            assert contrast(ink, ground) >= 4.5, (ink, ground)


async def test_the_intended_use_is_shown_once(home: Path, engines: FakeEngines) -> None:
    settings(home).unlink()
    async with opened(engines, ready=False) as page:
        await page.until_seen("It is not a medical device.")
        await page.until(lambda: page.session.pair.state == "ready")
        await page.push("#accept")
        await page.until(lambda: not isinstance(page.screen, IntendedUse))
        await page.ask("One?")
        await page.app.workers.wait_for_complete()
    again = app_with(engines)
    async with opened(again) as page:
        assert not isinstance(again.screen, IntendedUse)


async def test_who_does_not_accept_the_intended_use_leaves(
    home: Path, engines: FakeEngines
) -> None:
    settings(home).unlink()
    async with opened(engines, size=(80, 24), ready=False) as page:
        await page.until_seen("Before you begin")
        await page.press("escape")
        await page.until(lambda: page.app._exit)
    assert app_with(engines)._accepted == 0


async def test_a_slash_lists_the_commands_and_with_a_name_does_one(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        composer = page.consult.composer
        await page.press("/")
        await page.until_seen("Search for commands")
        assert composer.text == ""
        await page.press("escape")
        await page.until_back()
        await page.send("/figures")
        await page.until_seen("2 threads")
        assert composer.text == ""
        await page.send("/no-such-thing")
        await page.until_told("/no-such-thing is no command; ^p lists them.")
        assert page.turns == [] and composer.text == "/no-such-thing"
        await page.send("/etc/hosts is what?")
        await page.until_answered()


@pytest.mark.parametrize("theme", ["medassist-contrast", "nord", "textual-light"])
async def test_another_theme_is_drawn_kept_and_changed_to_light_or_dark(
    home: Path, engines: FakeEngines, theme: str
) -> None:
    async with opened(engines) as page:
        page.app.theme = theme
        await page.ask("One?")
        await page.app.workers.wait_for_complete()
        was_dark = page.app.current_theme.dark
    again = app_with(engines)
    assert again.theme == theme
    async with opened(again) as page:
        await page.press("f12")
        await page.until(lambda: page.app.current_theme.dark is not was_dark)


def test_a_theme_that_is_not_there_is_the_usual_one(
    home: Path, engines: FakeEngines
) -> None:
    with settings(home).open("a") as file:
        file.write('theme = "no-such-theme"\n')
    assert app_with(engines).theme == themes.DARK


@pytest.mark.parametrize("width", [60, 71, 80, 93, 110])
async def test_no_key_at_the_bottom_is_cut_off(
    engines: FakeEngines, width: int
) -> None:
    def cut_off() -> list[str]:
        keys_shown = page.screen.query("FooterKey")
        assert len(keys_shown) > 3
        return [str(k.render()) for k in keys_shown if k.virtual_region.right > width]

    async with opened(engines, size=(width, 20)) as page:
        await page.until_seen("f1 help")
        assert cut_off() == []
        await page.press("ctrl+f")
        await page.until_seen("next place")
        assert cut_off() == []
        await page.press("escape", "ctrl+g")
        await page.until_seen("f by file")
        assert cut_off() == []
        await page.press("escape")
        await page.until_back()
        await page.pilot.resize_terminal(130, 20)
        await page.until_seen("^o history")


def test_what_the_palette_says_of_a_command_stands_by_itself() -> None:
    for command in keys.COMMANDS:
        if command.place in keys.CONSULT:
            assert not command.about.startswith(("The other way", "The same"))


@pytest.mark.parametrize("width", [60, 80])
async def test_a_narrow_window_still_says_how_to_stop_get_help_and_leave(
    engines: FakeEngines, width: int
) -> None:
    async with opened(engines, size=(width, 20)) as page:
        await page.until_seen("help")
        line = page.seen.splitlines()[-1]
        for short in ("send", "stop", "again", "^q quit", "^p menu", "f1 help"):
            assert short in line
