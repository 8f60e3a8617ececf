"""Shows the progress of a measurement: on a screen, or in lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path

from medassist.bench import events
from medassist.bench.errors import UsageError
from medassist.bench.left import Left
from medassist.bench.results import ResultsFile
from medassist.commands.ask_print import StatusLine
from medassist.commands.bench.request import BenchRequest
from medassist.core.terminal import confirm, say
from medassist.core.words import duration, plural

ASK_ABOVE_S = 600.0
Agree = Callable[[events.Planned], bool]
Measuring = Callable[[Agree], Generator[events.Event]]


def is_live(request: BenchRequest) -> bool:
    """Whether to use a screen: where a user sits at a terminal."""
    return (
        request.form == "table"
        and not request.plain
        and os.environ.get("TERM") != "dumb"
        and all(s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr))
    )


def on_screen(
    request: BenchRequest,
    measuring: Measuring,
    names: Sequence[str],
    results: ResultsFile,
) -> events.Ended | None:
    """Measure on a screen that shows the figures as they come; see `watch`."""
    from medassist.tui.bench.app import BenchApp, watch

    app = BenchApp(
        measuring,
        names,
        results.lines,
        str(results.file),
        None if request.yes else ASK_ABOVE_S,
    )
    return watch(app)


def in_lines(
    happening: Iterable[events.Event], status: StatusLine
) -> events.Ended | None:
    """Print events as lines; returns the last one, if it came to an end."""
    ended: events.Ended | None = None
    left = Left()
    for event in happening:
        match event:
            case events.Planned():
                left.begin(event.seconds)
            case events.Began():
                status.show(
                    f"{event.number} of {event.of}: {event.row}: {event.what}"
                    f"{_left(left, event)}"
                )
            case events.Progressed():
                speed = f", {event.speed:.1f} tok/s" if event.speed else ""
                status.show(
                    f"{event.row}: {event.what} {event.done:.0f} of "
                    f"{event.total:.0f}{speed}"
                )
            case events.Said():
                status.say(event.text)
            case events.StepFailed():
                status.say(f"medassist: {event.row}, {event.what}: {event.message}")
            case events.Measured():
                pass
            case events.Ended():
                ended = event
    return ended


def _left(left: Left, event: events.Began) -> str:
    seconds = left.seconds(event.number - 1, event.of)
    return f", about {duration(seconds)} left" if seconds else ""


def agreed(planned: events.Planned, request: BenchRequest, file: Path) -> bool:
    """Print the plan, and ask for consent if it takes long."""
    for note in planned.notes:
        say(note, err=True)
    if not planned.steps:
        return True
    takes = f"about {duration(planned.seconds)}" if planned.seconds else "a while"
    done = f", {planned.done:,} are done already" if planned.done else ""
    many = f"{planned.steps:,} {plural(planned.steps, 'measurement')}"
    say(f"{many}{done}: {takes}. Result: {file}", err=True)
    if (planned.seconds or 0.0) < ASK_ABOVE_S or request.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"It takes {takes}. Add --yes to let it run unasked.")
    return confirm("Begin?", err=True)
