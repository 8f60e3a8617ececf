"""The program's end when the window that it is drawn in has gone."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO, cast

import pytest
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from medassist.tui.app import ConsultApp
from medassist.tui.driver import Output, TerminalDriver, until_window_closes
from tests.stubs.engine import FakeEngines
from tests.tui.page import app_with

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


def test_a_window_that_closes_is_noticed() -> None:
    window, terminal = os.openpty()
    with ThreadPoolExecutor(1) as pool:
        noticed = pool.submit(until_window_closes, terminal)
        os.close(window)
        assert noticed.result(30)
    os.close(terminal)


def test_the_program_is_drawn_by_it() -> None:
    assert ConsultApp().get_driver_class() is TerminalDriver


async def test_what_goes_wrong_while_keys_are_read_is_told_without_what_was_typed(
    monkeypatch: pytest.MonkeyPatch, engines: FakeEngines
) -> None:
    def fail(self: TerminalDriver) -> None:
        raise RuntimeError("cannot read Mrs Zorblattina")

    monkeypatch.setattr(TerminalDriver, "run_input_thread", fail)
    app = app_with(engines)
    with pytest.raises(RuntimeError):  # which the test's own driver raises again
        async with app.run_test():
            TerminalDriver(app)._run_input_thread()
    assert "RuntimeError" in app.crash_report
    assert "Zorblattina" not in app.crash_report
    assert app.return_code == 1
