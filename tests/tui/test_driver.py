"""The program's end when the window that it is drawn in has gone."""

from __future__ import annotations

import os
import sys
from typing import TextIO, cast

import pytest
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from medassist.tui.app import ConsultApp
from medassist.tui.driver import Output, TerminalDriver

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix terminal")


@pytest.fixture
def closed_window() -> TextIO:
    """A terminal of which the window has closed."""
    window, terminal = os.openpty()
    os.close(window)
    return os.fdopen(terminal, "w", encoding="utf-8")


def test_a_window_that_has_closed_takes_what_is_written_for_ever(
    closed_window: TextIO,
) -> None:
    with pytest.raises(OSError):
        print("a frame", file=closed_window, flush=True)
    writer = WriterThread(cast("TextIO", Output(closed_window)))
    writer.start()
    for _ in range(10 * MAX_QUEUED_WRITES):
        writer.write("a frame")
    writer.stop()
    assert not writer.is_alive()


def test_the_program_is_drawn_by_it() -> None:
    assert ConsultApp().get_driver_class() is TerminalDriver
