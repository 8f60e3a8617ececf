"""Texts of the screen of a measurement."""

from __future__ import annotations

from medassist.core.words import duration, plural

TITLE = "medassist bench"
LOADING = "looking at the models ..."
MODEL = "model"
ASKED = "{bench_begin} begins, {bench_stop} leaves."
STOPPING = "stopping after this one ..."
NOTHING = "-"


def planned(steps: int, done: int, seconds: float | None) -> str:
    """The plan."""
    takes = f"about {duration(seconds)}" if seconds else "a while"
    before = f", {done:,} done before" if done else ""
    return f"{steps:,} {plural(steps, 'measurement')}{before}: {takes}."


def progress(done: int, of: int, left: float) -> str:
    """Progress of the whole measurement."""
    more = f", about {duration(left)} left" if left and done < of else ""
    return f"{done:,} of {of:,}{more}"


def now(row: str, what: str) -> str:
    """The step that runs now."""
    return f"{row}: {what}"


def counted(row: str, what: str, done: float, total: float, speed: float | None) -> str:
    """Progress within a long step."""
    fast = f", {speed:.1f} tok/s" if speed else ""
    return f"{row}: {what} {done:,.0f} of {total:,.0f}{fast}"


def failed(row: str, what: str, message: str) -> str:
    """A step has failed."""
    return f"{row}, {what}: {message}"
