"""Textual's terminal driver, robust against a closed window and odd pastes."""

from __future__ import annotations

import codecs
from contextlib import suppress
from functools import partial
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

    def _run_input_thread(self) -> None:
        # Textual's own prints a traceback and ends as if nothing had happened.
        try:
            self.run_input_thread()
        except Exception as error:
            fail = self._app._handle_exception  # pyright: ignore[reportPrivateUsage]
            self._app.call_later(fail, error)
