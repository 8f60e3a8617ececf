"""The screen of a measurement: figures, progress, stopping.

The measurement runs in a thread of its own, since it waits for child processes; what it
tells comes to the screen one by one. Stopping waits for the event after the present
one, so that nothing is cut off, and closes it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.driver import Driver
from textual.widgets import Footer, ProgressBar, Sparkline, Static

from medassist.bench import events
from medassist.bench.events import Event, Planned
from medassist.bench.left import Left
from medassist.bench.results import ResultLine as Found
from medassist.core.clean import clean
from medassist.tui import crash, first_look, keys, themes, wall
from medassist.tui.bench.figures_table import table
from medassist.tui.line import Line
from medassist.tui.screens.help import Help
from medassist.tui.wording import bench as wording

Agree = Callable[[Planned], bool]
Measuring = Callable[[Agree], Generator[Event]]
MOST_SPEEDS = 200
END_S = 20.0
"""The longest that the program waits for a measurement whose window was closed."""


class BenchApp(App[None]):
    """Shows a running measurement.

    Args:
        measuring: makes the events; it is given what asks the user to begin.
        names: of all rows.
        lines: what was found before.
        file: of the results, as the user is told of it.
        ask_above_s: the user is asked before what takes longer; `None`: never.

    Attributes:
        ended: the last event, where it came to its end.
        error: what ended it.
        stopped: the user has stopped it.
    """

    TITLE = wording.TITLE
    CSS_PATH: ClassVar = ["../app.tcss", "bench.tcss"]
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings("bench"),
        keys.interrupt("bench_stop", "stop"),
        *keys.same("help", "help", show=True),
        *keys.same("theme", "theme"),
        *keys.same("quit", "stop"),
    ]

    def __init__(
        self,
        measuring: Measuring,
        names: Sequence[str],
        lines: Sequence[Found] = (),
        file: str = "",
        ask_above_s: float | None = None,
    ) -> None:
        super().__init__()
        wall.build()
        self._measuring = measuring
        self._names = list(names)
        self._lines = list(lines)
        self._file = file
        self._ask_above_s = ask_above_s
        self.ended: events.Ended | None = None
        self.error: BaseException | None = None
        self.stopped = False
        self.crash_report = ""
        self._asks = False
        self._answered = threading.Event()
        self._left = Left()
        self._speeds: list[float] = []
        self.thread = threading.Thread(target=self._measure, daemon=True)
        look = first_look.look()
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = look.theme if look.theme in self.available_themes else themes.DARK
        if look.keys:
            self.set_keymap(look.keys)
        self.keymap = keys.Keymap(look.keys)

    def get_driver_class(self) -> type[Driver]:
        found = super().get_driver_class()
        if sys.platform == "win32" or found.__name__ != "LinuxDriver":
            return found
        from medassist.tui.driver import TerminalDriver

        return TerminalDriver

    def compose(self) -> ComposeResult:
        yield Line(wording.TITLE, id="title")
        yield Static(clean(self._file), markup=False, id="file")
        with VerticalScroll(id="table"):
            yield Static("", markup=False, id="table-text")
        yield ProgressBar(total=None, show_percentage=False, show_eta=False, id="far")
        yield Line("", id="told")
        yield Static(wording.LOADING, markup=False, id="now")
        yield Sparkline([], id="speeds")
        yield Static("", markup=False, id="asked")
        yield VerticalScroll(id="log")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#log").focus()
        self._draw()
        self._take_signals()
        self.thread.start()

    def on_resize(self) -> None:
        self._draw()

    # What the measurement tells

    def _measure(self) -> None:
        """The whole measurement, in its own thread."""
        try:
            with closing(self._measuring(self._agreed)) as happening:
                for event in happening:
                    self._tell(event)
                    if self.stopped:
                        break
        except BaseException as error:
            self.error = error
        self._from_thread(self.exit)

    def _tell(self, event: Event) -> None:
        if isinstance(event, events.Ended):
            self.ended = event
        self._from_thread(self.take, event)

    def _from_thread(self, do: Callable[..., object], *arguments: object) -> None:
        # The screen is gone where its window was closed: the measurement ends, too.
        if self.is_running:
            try:
                self.call_from_thread(do, *arguments)
            except RuntimeError:
                self.stopped = True

    def _agreed(self, planned: Planned) -> bool:
        """Ask the user, from the measurement's thread."""
        seconds = planned.seconds or 0.0
        above = self._ask_above_s
        if above is not None and planned.steps and seconds >= above:
            self._tell(planned)
            self._from_thread(self._ask)
            self._answered.wait()
        return not self.stopped

    def _ask(self) -> None:
        asked = self.query_one("#asked", Static)
        asked.update(self.keymap.name(wording.ASKED))
        asked.add_class("-shown")
        self._asks = True
        self.refresh_bindings()

    def take(self, event: Event) -> None:
        """Show an event."""
        match event:
            case events.Planned():
                self._plan(event)
            case events.Began():
                self._now(wording.now(event.row, event.what))
                self._far(event.number - 1, event.of)
                self._speeds.clear()
                self.query_one("#speeds").remove_class("-shown")
            case events.Progressed():
                self._now(
                    wording.counted(
                        event.row, event.what, event.done, event.total, event.speed
                    )
                )
                if event.speed is not None:
                    self._fast(event.speed)
            case events.Said():
                self._say(event.text, event.warning)
            case events.StepFailed():
                said = wording.failed(event.row, event.what, event.message)
                self._say(said, warning=True)
            case events.Measured():
                self._lines.append(event.line)
                self._far(event.number, event.of)
                self._draw()
            case events.Ended():
                pass

    def _plan(self, planned: Planned) -> None:
        told = wording.planned(planned.steps, planned.done, planned.seconds)
        if self.query_one("#told", Line).text:
            return  # it was shown when the user was asked
        self._left.begin(planned.seconds)
        self._now(told)
        self._far(planned.done, planned.done + planned.steps)
        for note in (told, *planned.notes):
            self._say(note)

    def _far(self, done: int, of: int) -> None:
        left = self._left.seconds(done, of)
        self.query_one("#told", Line).say(wording.progress(done, of, left))
        self.query_one("#far", ProgressBar).update(total=max(1, of), progress=done)

    def _now(self, text: str) -> None:
        if not self.stopped:
            self.query_one("#now", Static).update(clean(text))

    def _fast(self, speed: float) -> None:
        self._speeds = [*self._speeds, speed][-MOST_SPEEDS:]
        line = self.query_one("#speeds", Sparkline)
        line.data = list(self._speeds)
        line.add_class("-shown")

    def _say(self, text: str, warning: bool = False) -> None:
        log = self.query_one("#log", VerticalScroll)
        said = Static(clean(text), markup=False, classes="-warns" if warning else "")
        log.mount(said)
        log.scroll_end(animate=False)

    def _draw(self) -> None:
        width = max(20, self.size.width - 3)
        text = "\n".join(table(self._lines, self._names, width))
        self.query_one("#table-text", Static).update(text)

    # What the user does

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Allow "begin" only while the user is asked."""
        if action == "begin":
            return self._asks
        return super().check_action(action, parameters)

    def action_begin(self) -> None:
        """Begin the measurement, once the user agrees."""
        self._is_answered()

    def _is_answered(self) -> None:
        self._asks = False
        self.query_one("#asked").remove_class("-shown")
        self.refresh_bindings()
        self._answered.set()

    def action_stop(self) -> None:
        """Stop the measurement; what was measured is kept."""
        if isinstance(self.screen, Help):
            self.screen.dismiss()
            return
        self.stopped = True
        self.query_one("#now", Static).update(wording.STOPPING)
        self._is_answered()

    def action_help(self) -> None:
        """Show or hide the keys."""
        if isinstance(self.screen, Help):
            self.screen.dismiss()
        else:
            self.push_screen(Help(self.keymap, first_look.file_name(), keys.BENCH))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.missing(self.current_theme)

    def action_theme(self) -> None:
        """Switch between light and dark for this time."""
        self.theme = themes.other(self.current_theme)

    def _take_signals(self) -> None:
        if sys.platform == "win32" or self.is_headless:
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._leave)

    def _leave(self) -> None:
        """The window is closed: nobody is left to be told that it ends."""
        self.stopped = True
        self._answered.set()
        self.exit()

    def _handle_exception(self, error: Exception) -> None:
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()  # pyright: ignore[reportUnknownMemberType]
            self.crash_report = crash.report(error, debug=False)
        self.stopped = True
        self._answered.set()
        self._close_messages_no_wait()


def watch(app: BenchApp) -> events.Ended | None:
    """Show a measurement until it ends.

    Returns:
        its end; `None` where the user did not begin or has stopped it.

    Raises:
        MedassistError: what ended it.
        KeyboardInterrupt: the user has stopped it.
    """
    app.run()
    app.thread.join(END_S)
    if app.crash_report:
        sys.stderr.write(f"{app.crash_report}\n")
    if app.error is not None:
        raise app.error
    if app.ended is None and app.stopped:
        raise KeyboardInterrupt
    return app.ended
