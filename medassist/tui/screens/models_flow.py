"""Actions of the models screen on the library, run in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medassist.core.errors import EngineError, NetworkError, SettingsError
from medassist.core.words import size
from medassist.library.errors import LibraryError
from medassist.library.registry import load_registry
from medassist.tui.dialogs.decision import Decision
from medassist.tui.screens.model_rows import ModelRow, rows
from medassist.tui.wording import screens as wording

if TYPE_CHECKING:
    from medassist.core.values import EngineOptions
    from medassist.core.way_out import WayOut
    from medassist.library.catalogue import Catalogue
    from medassist.library.hub.pull_plan import PullPlan
    from medassist.library.model_import import Imported
    from medassist.tui.face import Face

Facts = Sequence[tuple[str, str]]
SENTENCES = (LibraryError, EngineError, NetworkError, SettingsError, OSError)
"""Errors whose messages say what to do."""


class LibraryView(Protocol):
    """The screen that shows the library."""

    @property
    def face(self) -> Face:
        """App that asks the user."""
        ...

    @property
    def chosen(self) -> ModelRow | None:
        """The row under the cursor."""
        ...

    def show(self, name: str | None = None) -> None:
        """Show the rows that the library has now, the cursor on the one of `name`."""
        ...

    def tell(self, sentence: str) -> None:
        """Show a message until the next one."""
        ...

    def tell_again(self, said: Callable[[], str]) -> Callable[[], None]:
        """Show `said()` repeatedly; call the returned function to stop."""
        ...

    def run_worker(self, work: Coroutine[Any, Any, None], *, group: str) -> object:
        """Have `work` run in the background."""
        ...


class Library:
    """The library's models and pairs, and the actions on them."""

    def __init__(self, screen: LibraryView, freed: int) -> None:
        self._screen = screen
        self._freed = freed
        self.rows: list[ModelRow] = []
        self.available: int | None = None
        self._found: dict[str, Facts] = {}
        """Findings of checks, by the names of the rows."""
        self._stopped = False
        self._busy = False
        self._progress = ""

    def facts_of(self, row: ModelRow) -> Facts:
        """All facts about a row, findings of a check first."""
        return (*self._found.get(row.key, ()), *row.facts)

    def refresh(self, name: str | None = None) -> None:
        """Reload the list; the cursor goes to `name`."""
        self._run(self._refresh(name))

    async def _refresh(self, name: str | None = None) -> None:
        settings = await self._screen.face.settings()
        found = await asyncio.to_thread(_look, settings.engine_options, self._freed)
        self.rows, self.available = rows(found), found.available
        self._screen.show(name)
        if found.problems:
            self._screen.tell(found.problems[0])

    def stop(self) -> None:
        """Stop a running download; what was fetched is kept."""
        self._stopped = True

    # Importing

    def import_(self) -> None:
        self._run(self._import())

    async def _import(self) -> None:
        from medassist.tui.dialogs.one_path import OnePath

        path = await self._screen.face.push_screen_wait(OnePath(*wording.IMPORT))
        if not path:
            return
        self._screen.tell(wording.LOOKING_AT_FILE)
        imported = await asyncio.to_thread(_import, path)
        await self._refresh(imported.pair or imported.models[0])
        self._screen.tell(wording.imported(imported.models, imported.notes))

    # One pair or model

    def change_asked(self) -> None:
        row = self._screen.chosen
        if row is None or row.pair is None:
            keymap = self._screen.face.keymap
            self._screen.tell(keymap.name(wording.NEEDS_PAIR))
            return
        self._run(self._change_asked(row))

    async def _change_asked(self, row: ModelRow) -> None:
        from medassist.library.pairs import set_asked
        from medassist.tui.dialogs.pane_settings import PaneSettingsDialog

        assert row.pair is not None
        settings = await self._screen.face.settings()
        asked = await self._screen.face.push_screen_wait(
            PaneSettingsDialog(row.key, row.pair.asked, settings.sampling)
        )
        if asked is None:
            return
        await asyncio.to_thread(set_asked, row.key, asked)
        await self._refresh(row.key)
        self._screen.tell(wording.KEPT_WITH.format(name=row.key))

    def make_default(self) -> None:
        row = self._screen.chosen
        if row is None or row.pair is None:
            self._screen.tell(wording.PAIR_ONLY)
            return
        self._run(self._make_default(row.key))

    async def _make_default(self, name: str) -> None:
        from medassist.library.pairs import set_default

        await asyncio.to_thread(set_default, name)
        await self._refresh(name)
        self._screen.tell(wording.OPENS_WITH.format(name=name))

    def remove(self) -> None:
        row = self._screen.chosen
        if row is not None:
            self._run(self._remove(row))

    async def _remove(self, row: ModelRow) -> None:
        from medassist.library.model_import import remove

        sure = Decision(*wording.forget(row.key))
        if await self._screen.face.push_screen_wait(sure):
            await asyncio.to_thread(remove, row.key)
            await self._refresh()
            self._screen.tell(wording.FORGOTTEN.format(name=row.key))

    def check(self) -> None:
        row = self._screen.chosen
        if row is not None:
            self._run(self._check(row))

    async def _check(self, row: ModelRow) -> None:
        from medassist.library.lookup import check

        self._screen.tell(wording.CHECKING.format(name=row.key))
        (found,) = await asyncio.to_thread(check, row.key)
        self._found[row.key] = tuple(
            (finding.weight.upper(), finding.text) for finding in found.findings
        ) or ((wording.CHECKED, wording.NOTHING_WRONG),)
        await self._refresh(row.key)
        self._screen.tell(wording.findings(row.key, len(found.findings)))

    # Downloading

    def pull(self) -> None:
        self._run(self._pull())

    async def _pull(self) -> None:
        from medassist.core.hub import hub_host
        from medassist.core.settings_file import way_out
        from medassist.library.hub.pull_plan import make_plan, require_repo
        from medassist.tui.dialogs.one_line import OneLine

        host, way = hub_host(), way_out()
        asked = await self._screen.face.push_screen_wait(
            OneLine(
                wording.DOWNLOAD, wording.WHICH_DOWNLOAD.format(host=host, way=way.told)
            )
        )
        if not asked:
            return
        repo, _, file = asked.partition(" ")
        require_repo(repo)
        self._screen.tell(wording.ASKING.format(host=host))
        plan = await asyncio.to_thread(make_plan, repo, file.strip() or None, way=way)
        self._screen.tell("")
        sure = Decision(
            wording.DOWNLOAD_THIS, _planned(plan), wording.DOWNLOAD_IT, wording.BACK
        )
        if not await self._screen.face.push_screen_wait(sure):
            self._screen.tell(wording.NOTHING_FETCHED)
            return
        name = await self._fetched(plan, way)
        await self._refresh(name)
        self._screen.tell(wording.FETCHED.format(name=name))

    async def _fetched(self, plan: PullPlan, way: WayOut) -> str:
        from medassist.library.hub.pull import pull

        def watcher(what: str, done: int, total: int) -> None:
            share = (
                wording.SHARE.format(percent=100 * done // total, total=size(total))
                if total
                else ""
            )
            self._progress = f"{what}{share}; {stops}"

        stops = self._screen.face.keymap.name(wording.STOPS)
        self._stopped = False
        end = self._screen.tell_again(lambda: self._progress)
        try:
            return await asyncio.to_thread(
                pull, plan, way=way, watcher=watcher, stopped=lambda: self._stopped
            )
        finally:
            end()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        if self._busy:
            work.close()
            self._screen.tell(wording.BUSY)
            return
        self._busy = True
        self._screen.run_worker(self._guarded(work), group="library")

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except SENTENCES as error:
            self._screen.tell(str(error))
        finally:
            self._busy = False


def _look(options: EngineOptions, freed: int) -> Catalogue:
    from medassist.library.catalogue import catalogue

    return catalogue(load_registry(), options, freed=freed)


def _import(path: str) -> Imported:
    from medassist.library.model_import import import_ollama, import_path
    from medassist.library.ollama_store import PREFIX

    if path.startswith(PREFIX):
        return import_ollama(path)
    return import_path(Path(path))


def _planned(plan: PullPlan) -> str:
    files = [
        wording.FILE_FROM.format(name=f.name, size=size(f.bytes), host=f.host)
        for f in plan.files
    ]
    said = wording.planned(
        plan.repo, plan.licence or "", files, size(plan.bytes), plan.hosts
    )
    token = wording.KNOWN_TO_HOST.format(host=plan.host) if plan.uses_token else ""
    return f"{said} {token}".strip()
