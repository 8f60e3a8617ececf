"""Textual's terminal driver, robust against a closed window and odd pastes."""

from __future__ import annotations

import codecs
import os
import select
import signal
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, TextIO, cast

from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.app import App


def _forgiving(encoding: str) -> partial[codecs.IncrementalDecoder]:
    """A decoder that shows `�` for bytes that are not text.

    Textual's own would end the program at the first of them: an old file pasted in,
    or a terminal that sends Alt as the eighth bit.
    """
    return partial(codecs.getincrementaldecoder(encoding), errors="replace")


linux_driver.getincrementaldecoder = _forgiving  # pyright: ignore[reportPrivateImportUsage]


class Output:
    """Output stream; after its window has closed, writes are discarded.

    Textual's thread that writes would end with the first error. Nobody would then
    take from its queue of thirty texts any more, and the event loop would wait for
    ever to put the next one in, in the middle of ending the models.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()


def until_window_closes(terminal: int) -> bool:
    """Wait until the window of `terminal` has closed; false where that is not told."""
    closing = select.poll()
    closing.register(terminal, 0)  # a hang-up is reported unasked
    return any(told & select.POLLHUP for _, told in closing.poll())


class TerminalDriver(LinuxDriver):
    """Textual's driver on Linux and macOS, which outlives the window."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)  # pyright: ignore[reportUnknownMemberType]
        self._file = cast("TextIO", Output(self._file))
        self._watched = False

    def start_application_mode(self) -> None:
        super().start_application_mode()
        if not self._watched and os.isatty(self.fileno):
            self._watched = True
            Thread(target=self._watch_window, daemon=True, name="window").start()

    def _watch_window(self) -> None:
        # The system tells the leader of the session alone: where that is another
        # program which goes on (make), this one would read an end of file for ever.
        if until_window_closes(self.fileno):
            os.kill(os.getpid(), signal.SIGHUP)

    def _run_input_thread(self) -> None:
        # Textual's own prints a traceback and ends as if nothing had happened.
        try:
            self.run_input_thread()
        except Exception as error:
            fail = self._app._handle_exception  # pyright: ignore[reportPrivateUsage]
            self._app.call_later(fail, error)
