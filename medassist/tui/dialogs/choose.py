"""Dialog to choose GGUF files, to load them or save them as a pair."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Button, DirectoryTree, Input, Static

from medassist.core.clean import clean
from medassist.session.choice import Choice
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.wording import dialogs as wording

SUFFIX = ".gguf"
_FIELDS = ("base", "tuned", "adapter")


class ModelTree(DirectoryTree):
    """Directory tree of folders and GGUF files."""

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        return [
            path
            for path in paths
            if not path.name.startswith(".")
            and (path.suffix.lower() == SUFFIX or _is_folder(path))
        ]


class PathSuggester(Suggester):
    """Completes a path to a folder or a GGUF file."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        return await asyncio.to_thread(completed, value)


def completed(value: str) -> str | None:
    """The first path that begins with `value`; folders end with a slash."""
    if not value or value == "~":
        return None
    folder, _, start = value.rpartition("/")
    try:
        names = sorted(Path(f"{folder}/").expanduser().iterdir())
    except (OSError, RuntimeError, ValueError):
        return None
    for path in names:
        if not path.name.startswith(start) or (not start and path.name[0] == "."):
            continue
        lead = f"{folder}/" if "/" in value else ""
        if _is_folder(path):
            return f"{lead}{path.name}/"
        if path.suffix.lower() == SUFFIX:
            return f"{lead}{path.name}"
    return None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


class ChooseModels(ModalScreen[Choice | None]):
    """Dismissed with the chosen models, or with `None` if cancelled.

    Args:
        now: The models that stand in the fields at first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [keys.back("dismiss(None)")]
    CSS_PATH = "choose.tcss"

    def __init__(self, now: Choice) -> None:
        super().__init__()
        self._now = now
        self._field = "base"

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(wording.NAME_FILES, markup=False, id="title")
            yield Static("", markup=False, id="problem")
            with Horizontal(id="choice"):
                with VerticalScroll(id="fields", can_focus=False):
                    yield from self._fields()
                with Vertical(id="files"):
                    yield Static(wording.FILES_HERE, classes="label")
                    yield ModelTree(self._folder(), id="tree")
            with Buttons(id="answers"):
                yield button(wording.LOAD, "load", primary=True)
                yield button(wording.BACK, "back", "screen.dismiss(None)")

    def _fields(self) -> ComposeResult:
        # An adapter on weights of its own has no place among these fields.
        adapter = None if self._now.adapter_base else self._now.adapter
        paths = (self._now.base, self._now.tuned, adapter)
        for name, path in zip(_FIELDS, paths, strict=True):
            yield Static(wording.MODELS[name], markup=False, classes="label")
            yield Input(
                str(path) if path else "",
                id=name,
                placeholder=wording.PATH,
                suggester=PathSuggester(),
                compact=True,
            )
        yield Static(wording.KEEP_AS_PAIR, classes="label")
        yield Input(self._now.pair, id="name", placeholder=wording.A_NAME, compact=True)
        yield Static(
            wording.HOW_TO_NAME,
            markup=False,
            classes="hint",
        )

    def _folder(self) -> Path:
        for path in (self._now.base, self._now.tuned, self._now.adapter):
            if path and _is_folder(path.parent):
                return path.parent.absolute()
        return Path.cwd()

    def on_mount(self) -> None:
        self._say("")
        self.query_one("#base", Input).focus()

    def _say(self, problem: str) -> None:
        shown = self.query_one("#problem", Static)
        shown.display = bool(problem)
        shown.update(clean(problem))

    def on_descendant_focus(self) -> None:
        if isinstance(self.focused, Input) and self.focused.id in _FIELDS:
            self._field = self.focused.id

    @on(DirectoryTree.FileSelected)
    def _on_file(self, event: DirectoryTree.FileSelected) -> None:
        field = self.query_one(f"#{self._field}", Input)
        field.value = str(event.path)
        field.focus()

    @on(Input.Submitted)
    @on(Button.Pressed, "#load")
    async def _on_load(self) -> None:
        base, tuned, adapter = (self._path(name) for name in _FIELDS)
        choice = Choice(base, tuned, adapter)
        problem = choice.problem
        if choice.is_starter:
            problem = wording.ONE_AT_LEAST
        problem = problem or await asyncio.to_thread(_unreadable, choice)
        name = self.query_one("#name", Input).value.strip()
        if not problem and name:
            problem = await asyncio.to_thread(_kept, choice, name)
            choice = replace(choice, pair=name)
        self._say(problem or "")
        if not problem:
            self.dismiss(choice)

    def _path(self, name: str) -> Path | None:
        value = self.query_one(f"#{name}", Input).value.strip()
        if not value:
            return None
        try:
            return Path(value).expanduser()
        except RuntimeError:  # ~somebody whom this computer does not know
            return Path(value)


def _unreadable(choice: Choice) -> str | None:
    """Error in a file at the first look; `None` if there is none."""
    from medassist.core.errors import ModelFileError
    from medassist.core.gguf import require_adapter, require_model

    try:
        headers = [require_model(p) for p in (choice.base, choice.tuned) if p]
        if choice.adapter is not None and headers:
            require_adapter(choice.adapter, headers[0])
    except ModelFileError as error:
        return str(error)
    return None


def _kept(choice: Choice, name: str) -> str | None:
    """Keep the files as the pair `name`; why that cannot be, `None` if it was done."""
    from medassist.core.errors import ModelFileError
    from medassist.library.errors import LibraryError
    from medassist.library.model_import import import_path
    from medassist.library.pairs import make_pair

    paths = (choice.base, choice.tuned, choice.adapter)
    try:
        names = [import_path(path).models[0] if path else None for path in paths]
        make_pair(name, *names)
    except (LibraryError, ModelFileError) as error:
        return str(error)
    return None
