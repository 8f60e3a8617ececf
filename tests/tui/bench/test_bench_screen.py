"""The screen of a measurement, fed with events by hand."""

from __future__ import annotations

import queue
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager

import pytest
from textual.pilot import Pilot

from medassist.bench.errors import BenchError
from medassist.bench.events import (
    Began,
    Ended,
    Event,
    Measured,
    Planned,
    Progressed,
    Said,
    StepFailed,
)
from medassist.bench.left import Left
from medassist.tui.bench.app import BenchApp, watch
from medassist.tui.bench.figures_table import table
from tests.bench.lines import app as app_lines
from tests.bench.lines import exam, model, speed
from tests.shown import Shown
from tests.tui.page import seen, until

Q8, Q4 = model("Q8_0", 8000), model("Q4_0", 4000)
NAMES = ["Q8_0.gguf", "Q4_0.gguf"]
PLAN = Planned(6, 0, 90.0, ("These items can show 2.8 points.",))
HOUR = Planned(6, 0, 3600.0)


class Script:
    """A measurement that happens as the test says."""

    def __init__(self, planned: Planned = PLAN) -> None:
        self.planned = planned
        self.coming: queue.Queue[Event | Exception] = queue.Queue()
        self.agreed: bool | None = None
        self.closed = False

    def __call__(self, agree) -> Generator[Event]:
        try:
            yield self.planned
            self.agreed = agree(self.planned)
            while self.agreed:
                event = self.coming.get(timeout=30)
                if isinstance(event, Exception):
                    raise event
                yield event
                if isinstance(event, Ended):
                    return
        finally:
            self.closed = True

    def tell(self, *events: Event | Exception) -> None:
        for event in events:
            self.coming.put(event)


class Page:
    def __init__(self, app: BenchApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot, self.press = app, pilot, pilot.press

    @property
    def seen(self) -> Shown:
        return seen(self.app.screen)

    async def until(self, what) -> None:
        await until(self.pilot, what)

    async def until_seen(self, words: str) -> None:
        await self.until(lambda: words in self.seen)

    async def until_over(self) -> None:
        await self.until(lambda: not self.app.thread.is_alive())


@asynccontextmanager
async def opened(
    script: Script,
    size: tuple[int, int] = (100, 30),
    *,
    ask: bool = True,
    lines=(),
) -> AsyncIterator[Page]:
    app = BenchApp(script, NAMES, lines, "r.jsonl", 600.0 if ask else None)
    async with app.run_test(size=size) as pilot:
        page = Page(app, pilot)
        yield page
        # The measurement is never left waiting, whatever the test found.
        app.stopped = True
        app._answered.set()
        script.tell(Ended((), False))
        await page.until_over()


async def test_figures_come_as_they_are_measured() -> None:
    script = Script()
    async with opened(script) as page:
        await page.until_seen("6 measurements: about 90 s.")
        await page.until_seen("These items can show 2.8 points.")
        assert "Q8_0" in page.seen and "Q4_0" in page.seen
        script.tell(Began("speed", "Q8_0.gguf", "tg128", 1, 6))
        await page.until_seen("Q8_0.gguf: tg128")
        await page.until_seen("0 of 6")
        script.tell(Measured(speed(Q8, [12.34])[0], 1, 6))
        await page.until_seen("12.3")
        await page.until_seen("1 of 6, about")
        assert "left" in page.seen


async def test_a_long_measurement_tells_how_far_it_is_and_how_fast() -> None:
    script = Script()
    async with opened(script) as page:
        script.tell(Began("sustained", "Q8_0.gguf", "sustained 10 min", 1, 6))
        script.tell(Progressed("Q8_0.gguf", "sustained", 30, 600, 20.0))
        script.tell(Progressed("Q8_0.gguf", "sustained", 40, 600, 19.0))
        await page.until_seen("sustained 40 of 600, 19.0 tok/s")
        assert page.app.query_one("#speeds").has_class("-shown")


async def test_what_could_not_be_measured_is_said_and_the_rest_goes_on() -> None:
    script = Script()
    async with opened(script) as page:
        script.tell(StepFailed("Q4_0.gguf", "quality", "Its tokens are \x1b[2Jothers."))
        script.tell(Said("Other programs take 40 % of the processor.", warning=True))
        await page.until_seen("Q4_0.gguf, quality: Its tokens are")
        await page.until_seen("Other programs take 40 %")
        script.tell(Began("speed", "Q8_0.gguf", "tg128", 2, 6))
        await page.until_seen("Q8_0.gguf: tg128")


async def test_it_closes_when_all_is_measured() -> None:
    script = Script()
    async with opened(script) as page:
        end = Ended((), False)
        script.tell(end)
        await page.until_over()
        assert page.app.ended == end
        assert script.closed and not page.app.stopped


@pytest.mark.parametrize("key", ["escape", "ctrl+c", "ctrl+q"])
async def test_stopping_ends_it_in_order(key: str) -> None:
    script = Script()
    async with opened(script) as page:
        script.tell(Began("speed", "Q8_0.gguf", "tg128", 1, 6))
        await page.until_seen("Q8_0.gguf: tg128")
        await page.press(key)
        await page.until_seen("stopping after this one")
        assert not script.closed
        script.tell(Measured(speed(Q8, [12.0])[0], 1, 6))
        await page.until_over()
        assert script.closed and page.app.stopped and page.app.ended is None


async def test_above_ten_minutes_it_asks_before_it_begins() -> None:
    script = Script(HOUR)
    async with opened(script) as page:
        await page.until_seen("Enter begins, Esc")
        await page.until_seen("6 measurements: about 60 min.")
        assert script.agreed is None
        assert "begin" in str(page.seen).splitlines()[-1]
        await page.press("enter")
        await page.until(lambda: script.agreed)
        assert "Enter begins" not in page.seen
        assert "begin" not in str(page.seen).splitlines()[-1]


async def test_who_does_not_begin_has_nothing_measured() -> None:
    script = Script(HOUR)
    async with opened(script) as page:
        await page.until_seen("Enter begins, Esc")
        await page.press("escape")
        await page.until_over()
        assert script.agreed is False and script.closed


async def test_with_yes_nothing_is_asked() -> None:
    script = Script(HOUR)
    async with opened(script, ask=False) as page:
        await page.until(lambda: script.agreed)
        assert "begins" not in page.seen


async def test_the_help_lists_the_keys_of_this_screen_alone() -> None:
    script = Script()
    async with opened(script) as page:
        await page.press("f1")
        await page.until_seen("Ends it in order")
        assert "bench_stop" in page.seen and "Answer again" not in page.seen
        await page.press("escape")
        await page.until(lambda: "Ends it in order" not in page.seen)
        assert not page.app.stopped


async def test_an_error_of_the_measurement_reaches_who_began_it(monkeypatch) -> None:
    script = Script()
    async with opened(script) as page:
        script.tell(BenchError("The disk is full."))
        await page.until_over()
        app = page.app
    monkeypatch.setattr(app, "run", lambda: None)
    with pytest.raises(BenchError, match="The disk is full"):
        watch(app)


@pytest.mark.parametrize("width", [80, 100, 130])
async def test_every_line_fits_into_the_window(width: int) -> None:
    evil = model("a name \x1b[2J that is much longer than there is room for, really")
    lines = [*speed(Q8, [12.0]), *app_lines(evil, [9.0]), *exam(Q8, [True] * 20)]
    async with opened(Script(), (width, 24), lines=lines) as page:
        await page.until_seen("100.0 %")
        assert "\x1b" not in page.seen
        assert all(len(line) <= width for line in page.seen.splitlines())


def test_the_table_drops_the_columns_that_matter_least() -> None:
    lines = [*speed(Q8, [12.0]), *app_lines(Q8, [9.0]), *exam(Q8, [True] * 20)]
    wide, narrow = table(lines, NAMES, 100), table(lines, NAMES, 40)
    assert "first" in wide[0] and "first" not in narrow[0]
    assert "write/s" in narrow[0]
    assert all(len(line) <= 40 for line in narrow)
    assert wide[2].startswith("Q4_0 ") and wide[2].endswith("-")


def test_what_is_left_follows_what_it_took() -> None:
    now = [100.0]
    left = Left(lambda: now[0])
    left.begin(60.0)
    assert left.seconds(2, 12) == 60.0
    now[0] += 40
    assert left.seconds(6, 12) == pytest.approx(60.0)
    assert left.seconds(12, 12) == pytest.approx(20.0)
    now[0] += 40
    assert left.seconds(12, 12) == 0.0


def test_of_a_long_name_the_end_is_kept_which_tells_it_from_the_others() -> None:
    names = [
        f"a-model-of-seven-billion-weights-instruct-{q}.gguf" for q in ("Q8", "Q4")
    ]
    lines = table([], names, 80)
    assert lines[1].split()[0].endswith("instruct-Q8") and "…" in lines[1]
    assert lines[2].split()[0].endswith("instruct-Q4")
