"""What the screen of a measurement says."""

from __future__ import annotations

from medassist.core.words import duration

TITLE = "medassist bench"
LOADING = "looking at the models ..."
MODEL = "model"
ASKED = "{bench_begin} begins, {bench_stop} leaves."
STOPPING = "stopping after this one ..."
NOTHING = "-"


def planned(steps: int, done: int, seconds: float | None) -> str:
    """How much there is to do."""
    takes = f"about {duration(seconds)}" if seconds else "a while"
    before = f", {done:,} done before" if done else ""
    return f"{steps:,} measurements{before}: {takes}."


def progress(done: int, of: int, left: float) -> str:
    """How far it is."""
    more = f", about {duration(left)} left" if left and done < of else ""
    return f"{done:,} of {of:,}{more}"


def now(row: str, what: str) -> str:
    """What is being measured."""
    return f"{row}: {what}"


def counted(row: str, what: str, done: float, total: float, speed: float | None) -> str:
    """How far a long measurement is."""
    fast = f", {speed:.1f} tok/s" if speed else ""
    return f"{row}: {what} {done:,.0f} of {total:,.0f}{fast}"


def failed(row: str, what: str, message: str) -> str:
    """A measurement could not be made."""
    return f"{row}, {what}: {message}"
