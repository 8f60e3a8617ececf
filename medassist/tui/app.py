"""The Textual app: screens, keys, colours, settings, leaving."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textual import events
from textual.app import App, SystemCommand
from textual.await_complete import AwaitComplete
from textual.driver import Driver
from textual.screen import Screen

from medassist.core.values import Mode
from medassist.intended_use import INTENDED_USE_VERSION
from medassist.session.choice import Choice, ChoiceOptions
from medassist.session.default_pair import opening
from medassist.session.pair import Pair
from medassist.session.pair_engine import MakeEngine
from medassist.tui import auto_lock, clipboard, crash, first_look, keys, themes, wall
from medassist.tui.auto_lock import ALLOWED, LOOK_S, AutoLock
from medassist.tui.clipboard_timeout import ClipboardTimeout
from medassist.tui.consult.screen import ConsultScreen
from medassist.tui.dialogs.decision import Leave
from medassist.tui.dialogs.intended_use import IntendedUse
from medassist.tui.wording import program as wording

if TYPE_CHECKING:
    from rich.console import RenderableType

    from medassist.settings import Settings

LEAVE_S = 5.0
"""The longest that the process outlives the user's wish to quit."""
CLEAR_S = 1.0
"""The longest that it waits for the clipboard's program then."""


class ConsultApp(App[int]):
    """The consult app: two models, one question.

    Args:
        choice: The models to begin with.
        options: What the command line said.
        make_engine: Makes the engine of a pair; tests give their own.
        debug: Print the traceback when the program fails.
        on_first_frame: Called once the first frame has been drawn and the composer
            takes keys; for measuring.
    """

    TITLE = "medassist"
    # The consult screen's too: Textual reads no CSS_PATH of a default screen.
    CSS_PATH = ["app.tcss", "consult/consult.tcss"]
    BINDINGS = keys.bindings("app")
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        choice: Choice | None = None,
        options: ChoiceOptions | None = None,
        *,
        make_engine: MakeEngine | None = None,
        debug: bool = False,
        on_first_frame: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        wall.build()
        self._options = options or ChoiceOptions()
        self._make_engine = make_engine
        self._debug = debug
        self._on_first_frame = on_first_frame
        self.crash_report = ""
        self._leaving = False
        self.leaves_process = False
        """The process ends with the app, in time even if a thread does not."""
        self.told_of_language = False
        """It was said that identifiers are missed in other languages than English."""
        self.settings_now: Settings | None = None
        """The settings; `None` until they have been read, after the first frame."""
        self._settings_broken = False
        self._reading: asyncio.Task[Settings] | None = None
        look = first_look.look()
        self._accepted = look.accepted
        self.mode: Mode = self._options.mode or look.mode
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = look.theme if look.theme in self.available_themes else themes.DARK
        if look.keys:
            self.set_keymap(look.keys)
        self.keymap = keys.Keymap(look.keys)
        self.consult = ConsultScreen(self, self.new_pair(choice or Choice()))
        self.locking = AutoLock(self, self.consult.session)
        self._copied = ClipboardTimeout()

    def get_driver_class(self) -> type[Driver]:
        found = super().get_driver_class()
        if sys.platform == "win32" or found.__name__ != "LinuxDriver":
            return found
        from medassist.tui.driver import TerminalDriver

        return TerminalDriver

    def get_default_screen(self) -> Screen[None]:
        return self.consult

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(  # pyright: ignore[reportUnknownMemberType]
            self, lambda theme: self.keep("theme", theme.name)
        )
        if self._accepted < INTENDED_USE_VERSION:
            self.push_screen(IntendedUse(), self._on_intended_use)
        self.call_after_refresh(self._after_first_frame)

    def _after_first_frame(self) -> None:
        if self._on_first_frame is not None:
            self._on_first_frame()
        self._take_signals()
        if self.leaves_process:
            # Nothing has been typed yet, and importing this costs the first frame.
            from medassist.engine.confine import forbid_core_dumps

            forbid_core_dumps()
        self.consult.warm()
        self.consult.loader.load()
        self.run_worker(self.consult.take_settings(), group="settings")
        self.set_interval(LOOK_S, self.locking.look)
        if self._accepted >= INTENDED_USE_VERSION:
            self.run_worker(self.consult.records.at_start(), group="records")
        for problem in self.keymap.problems:
            self.say(problem, warning=True, seconds=15)

    def new_pair(self, choice: Choice) -> Pair:
        """A pair of the chosen models, not loaded yet."""
        return Pair(choice, self._make_engine)

    def say(
        self, sentence: str, warning: bool = False, seconds: float | None = None
    ) -> None:
        """Tell the user something that needs no answer."""
        severity = "warning" if warning else "information"
        self.notify(sentence, severity=severity, timeout=seconds, markup=False)

    # Settings

    async def settings(self) -> Settings:
        """The user's settings with what the command line said; read once."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_settings())
        return await self._reading

    async def _read_settings(self) -> Settings:
        # In a thread: the import alone would hold up what the user types.
        found, problem = await asyncio.to_thread(_settings_or_defaults)
        if problem:
            self._settings_broken = True
            self.notify(problem, severity="error", timeout=30, markup=False)
        self.settings_now = found.model_copy(update=self._options.changes())
        return self.settings_now

    async def _keep(self, name: str, value: int | str | bool) -> None:
        """Write one setting, unless the file is one that the user has to repair."""
        from medassist.core.errors import SettingsError
        from medassist.settings import load_settings, save_settings

        await self.settings()
        if self._settings_broken:
            return
        try:
            save_settings(load_settings().model_copy(update={name: value}))
        except SettingsError as error:
            self.notify(str(error), severity="error", timeout=15, markup=False)

    def keep(self, name: str, value: int | str | bool) -> None:
        """Change the setting `name` to `value` and save it."""
        self.run_worker(self._keep(name, value), group="settings")

    def choose_mode(self, mode: Mode) -> None:
        self.mode = mode
        self.keep("mode", mode)

    def _on_intended_use(self, accepted: bool | None) -> None:
        if accepted:
            self.keep("intended_use_accepted", INTENDED_USE_VERSION)
            self.consult.composer.focus()
            self.run_worker(self.consult.records.at_start(), group="records")
        else:
            self.run_worker(self.leave())

    # Commands

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything in the table of keys, with the key that it has now."""
        for command in keys.COMMANDS:
            holds = keys.CONSULT if screen is self.consult else {"app"}
            if command.place not in holds or command.action == "command_palette":
                continue
            about = f"{self.keymap[command.id]}   {command.about}"
            yield SystemCommand(command.title, about, self._runner(command))

    def run_command(self, name: str) -> bool:
        """Do what the command `name` of the consult screen does; whether it is one."""
        found = next((c for c in keys.COMMANDS if c.id == name.replace("-", "_")), None)
        if found is None or found.place not in keys.CONSULT:
            return False
        self._runner(found)()
        return True

    def _runner(self, command: keys.Command) -> Callable[[], None]:
        nodes = {
            "composer": self.consult.composer,
            "screen": self.consult,
            "app": self,
        }
        node = nodes[command.place]

        def run_it() -> None:
            self.run_worker(self.run_action(command.does, node))

        return run_it

    def action_help(self) -> None:
        from medassist.tui.screens.help import Help

        if isinstance(self.screen, Help):
            self.screen.dismiss()
        else:
            self.push_screen(Help(self.keymap, first_look.file_name()))

    def action_theme(self) -> None:
        self.theme = themes.other(self.current_theme)

    def action_themes(self) -> None:
        self.search_themes()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.missing(self.current_theme)

    # Locking

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.InputEvent):
            self.locking.touched = auto_lock.clock()
        await super().on_event(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While it is locked, the program can be left, and nothing else."""
        if self.locking.on and any(
            c.place == "app" and c.action == action for c in keys.COMMANDS
        ):
            return action in ALLOWED
        return super().check_action(action, parameters)

    def action_lock(self) -> None:
        self.locking.lock()

    async def push_screen_wait(self, screen: Any, *, mode: str | None = None) -> Any:
        """Push a screen and wait for its result, unless the app is locked."""
        await self.locking.lifted.wait()
        return await super().push_screen_wait(screen, mode=mode)

    def pop_screen(self) -> AwaitComplete:
        """The same, but what ends behind a locked screen does not take it away."""
        if self.locking.covers(self.screen):
            return AwaitComplete(self._pop_later())
        return super().pop_screen()

    async def _pop_later(self) -> None:
        await self.locking.lifted.wait()
        await super().pop_screen()

    # The clipboard

    def copy_to_clipboard(self, text: str) -> None:
        """Copy `text`, by the platform's program if there is one."""
        self.run_worker(self._copy(text), group="copy")

    def copy_and_tell(self, text: str, what: str) -> None:
        """Copy `text` and say how it went."""
        self.run_worker(self._copy_and_tell(text, what), group="copy")

    async def _copy_and_tell(self, text: str, what: str) -> None:
        self.say(wording.copied(what, known=await self._copy(text)))

    async def _copy(self, text: str) -> bool:
        # Before it is done: who locks or leaves meanwhile has it cleared too.
        self._copied.note(text, (await self.settings()).clipboard_seconds)
        if await clipboard.copy_by_program(text):
            return True
        # What the terminal holds cannot be read again, so it cannot be cleared either.
        super().copy_to_clipboard(text)
        return False

    def forget_copied(self) -> None:
        """Clear the clipboard, if it still holds what was copied here."""
        self._clipboard = ""
        self.run_worker(self._copied.clear(), group="copy")

    # The way out

    async def action_quit(self) -> None:
        """Leave; where something would be lost, only once the user has confirmed it."""
        loss = self.consult.session.loss(self.consult.composer.text)
        if not loss or any(isinstance(screen, Leave) for screen in self.screen_stack):
            await self.leave()
            return
        self.push_screen(Leave(loss, self.keymap), self._on_leave)

    async def _on_leave(self, leaves: bool | None) -> None:
        if leaves:
            await self.leave()

    async def leave(self) -> None:
        """End the models' process within a time limit, then the app; once."""
        if self._leaving:
            return
        self._leaving = True
        try:
            await self.consult.session.close()
            await self._copied.clear_in_time(CLEAR_S)
        except Exception:
            self._leaving = False  # this is one that the user has to hear of
            raise
        self.exit(0)

    def exit(
        self,
        result: int | None = None,
        return_code: int = 0,
        message: RenderableType | None = None,
    ) -> None:
        self._leave_in_time(return_code)
        super().exit(result, return_code, message)

    def _leave_in_time(self, code: int) -> None:
        # A thread that still reads a large file would keep the process, and the user.
        if not self.leaves_process:
            return
        watch = threading.Timer(LEAVE_S, os._exit, (code,))
        watch.daemon = True
        watch.start()

    def _take_signals(self) -> None:
        # A closed terminal or a kill ends the child too and leaves the screen sane.
        if sys.platform == "win32" or self.is_headless:
            return
        loop = asyncio.get_running_loop()
        # What a background task leaves behind is not printed: it may quote a patient.
        loop.set_exception_handler(lambda _loop, _context: None)
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, lambda: asyncio.ensure_future(self.leave()))

    def _handle_exception(self, error: Exception) -> None:
        # A search or a drawing that is under way loses its ground when the user leaves.
        if self._leaving:
            return
        # Textual's own would print the local variables, patient text among them.
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()  # pyright: ignore[reportUnknownMemberType]
            self.crash_report = crash.report(error, self._debug)
        self._leave_in_time(1)
        self._close_messages_no_wait()


def _settings_or_defaults() -> tuple[Settings, str]:
    from medassist.core.errors import SettingsError
    from medassist.settings import Settings, load_settings

    try:
        return load_settings(), ""
    except SettingsError as error:
        return Settings(), str(error)


def run(
    base: Path | None = None,
    tuned: Path | None = None,
    adapter: Path | None = None,
    *,
    pair: str | None = None,
    mode: Mode | None = None,
    context: int | None = None,
    threads: int | None = None,
    gpu_layers: int | None = None,
    kv: Literal["f16", "q8_0"] | None = None,
    debug: bool = False,
    on_first_frame: Callable[[], None] | None = None,
) -> int:
    """Open the consult screen; return when the user has left it.

    Args:
        base: The base model; without any file it is the starter pair.
        tuned: The tuned model, merged.
        adapter: The adapter on `base`, in place of `tuned`.
        pair: A pair of the library, in place of files; by default its default pair.
        mode: How the panes share the processor, in place of the user's setting.
        context: Tokens that each pane can hold.
        threads: Threads that compute.
        gpu_layers: Layers on the GPU.
        kv: Type of the KV cache.
        debug: Print the traceback if the program fails.
        on_first_frame: Called when the first frame has been drawn.

    Returns:
        The exit code: 0; 1 if the program failed; 2 where there is no terminal.
    """
    if not (sys.stdin.isatty() and sys.__stderr__ and sys.__stderr__.isatty()):
        sys.stderr.write(f"{wording.NO_TERMINAL}\n")
        return 2
    app = ConsultApp(
        opening(base, tuned, adapter, pair),
        ChoiceOptions(mode, context, threads, gpu_layers, kv),
        debug=debug,
        on_first_frame=on_first_frame,
    )
    app.leaves_process = True
    crash.keep_quiet()
    app.run()
    if app.crash_report:
        sys.stderr.write(f"{app.crash_report}\n")
    return app.return_code or 0
