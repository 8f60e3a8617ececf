from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from string import Formatter

import pytest

import medassist
from medassist.consult.verdict_words import NONE_YET
from medassist.tui import keys
from medassist.tui.app import ConsultApp
from medassist.tui.dialogs.identifiers import warn_of_identifiers
from medassist.tui.wording import bench, consult, dialogs, pane, program, screens
from tests.stubs.engine import FakeEngines
from tests.tui.page import app_with, opened

HOME = Path(medassist.__file__).parent
MODULES = {
    "bench": bench,
    "consult": consult,
    "dialogs": dialogs,
    "pane": pane,
    "program": program,
    "screens": screens,
}
A_KEY = re.compile(r"\b(?:ctrl|alt|shift)\+\w|\bF\d{1,2}\b|\bEsc\b|\^[a-z]\b", re.ASCII)


def test_no_text_of_the_screen_names_a_key_that_can_be_changed() -> None:
    files = [*(HOME / "tui").rglob("*.py"), *(HOME / "session").rglob("*.py")]
    files += [HOME / "consult" / "verdict_words.py", HOME / "commands" / "verdicts.py"]
    named = {
        (file.name, text)
        for file in files
        for text in _texts(ast.parse(file.read_text("utf-8")))
        if " " in text and A_KEY.search(text)
    }
    assert named == set()


def _texts(tree: ast.Module) -> Iterator[str]:
    """The texts in the code that are no docstrings."""
    docstrings = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if node not in docstrings:
                yield text
            case _:
                pass


def test_what_stands_in_braces_is_a_command_or_given_where_the_text_is_said() -> None:
    given: dict[tuple[str, str], set[str]] = {}
    for file in (HOME / "tui").rglob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        modules = _aliases(tree)
        for call in ast.walk(tree):
            match call:
                case ast.Call(
                    func=ast.Attribute(
                        value=ast.Attribute(value=ast.Name(id=alias), attr=name),
                        attr="format",
                    ),
                    keywords=fields,
                ) if alias in modules:
                    known = {str(field.arg) for field in fields}
                    assert known == _fields(getattr(MODULES[modules[alias]], name))
                    given[modules[alias], name] = known
    commands = {command.id for command in keys.COMMANDS}
    for module, texts in MODULES.items():
        for name, value in vars(texts).items():
            if name.isupper() and (module, name) not in given:
                for text in _strings(value) - set(pane.PAIR_STATES.values()):
                    assert _fields(text) <= commands, (name, text)
    assert _fields(NONE_YET) <= commands


def _aliases(tree: ast.Module) -> dict[str, str]:
    return {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "medassist.tui.wording"
        for alias in node.names
    }


def _fields(text: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(text) if field}


def _strings(value: object) -> set[str]:
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        return {text for part in value.values() for text in _strings(part)}
    if isinstance(value, tuple):
        return {text for part in value for text in _strings(part)}
    return set()


@pytest.mark.parametrize("module", MODULES)
def test_a_name_that_is_no_command_is_not_passed_over(module: str) -> None:
    assert import_module(f"medassist.tui.wording.{module}") is MODULES[module]
    with pytest.raises(KeyError):
        keys.Keymap({}).name("{no_such_command} does it")


@pytest.fixture
def rebound(home: Path, engines: FakeEngines) -> ConsultApp:
    """The app of a user who has given many commands other keys."""
    chosen = {
        "send": "f5",
        "stop": "ctrl+k",
        "new": "alt+w",
        "verdict": "f7",
        "edit": "alt+i",
        "regenerate": "f11",
        "next_pane": "alt+t",
        "earlier_answer": "alt+a",
        "red_flags": "alt+q",
        "quit": "ctrl+x",
        "back": "alt+z",
        "verdict_1": "a",
        "lock_go_on": "g",
        "identifiers_replace": "p",
        "identifiers_keep": "o",
    }
    table = "\n".join(f'{name} = "{key}"' for name, key in chosen.items())
    with (home / "config" / "settings.toml").open("a") as file:
        file.write(f"[keys]\n{table}\n")
    return app_with(engines)


async def test_what_the_screen_says_of_keys_follows_those_of_the_user(
    rebound: ConsultApp, engines: FakeEngines
) -> None:
    async with opened(rebound, size=(130, 40), notifications=True) as page:
        await page.until_seen("question below and press F5.")
        await page.press("alt+h")
        await page.until_told("length are hidden until F7. The")
        await page.send("He has crushing chest pain and sweats.")
        await page.press("f5")
        await page.until_answered()
        assert "hidden until F7" in page.seen
        assert "alt+q: why this is shown, mark as read" in page.seen
        await page.press("alt+h")
        await page.until_told("begun; with alt+w another")
        await page.press("ctrl+g")
        await page.until_told("stay: F7 or alt+w first")
        await page.press("f10")
        await page.until_told("until the verdict (F7)")
        await page.press("alt+e")
        await page.press("alt+a")
        await page.until_told("question; F11 makes one")
        await page.press("alt+o")
        await page.until_told("only; alt+i edits")
        await page.press("alt+g")
        await page.until_told("stand in both (alt+t)")
        await page.press("alt+i")
        await page.until_seen("editing, ^k leaves it")
        await page.press("ctrl+k")
        await page.until(lambda: "editing" not in page.seen)


async def test_what_dialogs_say_of_keys_follows_those_of_the_user(
    rebound: ConsultApp,
) -> None:
    async with opened(rebound, size=(130, 40), notifications=True) as page:
        await page.send("One?")
        await page.press("f5")
        await page.until_answered()
        await page.press("f7")
        await page.until_seen("a to 4 choose")
        assert "alt+z goes back to the answers." in page.seen
        assert "a ○ A is better" in page.seen
        await page.press("alt+z", "f1")
        await page.until_seen("alt+z  back")
        await page.press("alt+z", "alt+v")
        await page.until_seen("No verdict yet. F7 gives one")
        await page.press("alt+z", "ctrl+l")
        await page.until_seen("Press g to go on.")
        assert "^x quits." in page.seen
        await page.press("g")
        await page.until_back()


async def test_buttons_name_the_keys_of_the_user(rebound: ConsultApp) -> None:
    async with opened(rebound) as page:
        warning = warn_of_identifiers(page.app, "Mr John Smith, MRN: 4482913")
        page.consult.run_worker(warning)
        await page.until_seen("Replace all (p)")
        assert "Keep (o)" in page.seen
        await page.press("o")
        await page.until_back()
