"""Runs all checks; nothing of the user's is written, opened or sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from medassist.core.errors import SettingsError
from medassist.core.paths import only_looked_at
from medassist.doctor.confinement import confinement, try_out
from medassist.doctor.finding import Finding
from medassist.doctor.folders import folders
from medassist.doctor.installed import installed
from medassist.doctor.machine import machine
from medassist.doctor.models import models
from medassist.doctor.offline import offline
from medassist.doctor.records import records
from medassist.doctor.terminal import terminal
from medassist.settings import Settings, load_settings


def examine(clipboard: Sequence[str]) -> list[Finding]:
    """Run all checks.

    Args:
        clipboard: the programs that would be tried for copying, the best first.
    """
    # The trial is a process of its own and takes longest: the rest goes on beside it.
    with ThreadPoolExecutor(1) as beside, only_looked_at():
        trying = beside.submit(try_out)
        settings, problem = _settings()
        found = [
            *_part("installed", installed),
            *_part("offline", lambda: offline(settings)),
        ]
        private = _part("folders", folders)
        rest = [
            *_part("records", lambda: records(settings)),
            *_part("models", lambda: models(settings)),
            *_part("terminal", lambda: terminal(clipboard)),
        ]
        tried = trying.result()
    processors = tried.trial.processors if tried.trial else None
    return [
        *found,
        *_part("machine", lambda: machine(processors)),
        *_part("confinement", lambda: confinement(tried)),
        *private,
        *problem,
        *rest,
    ]


def _part(name: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """Findings of `look`; where it fails, that is one, and the other parts go on."""
    try:
        return look()
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        return [
            Finding(
                name,
                "wrong",
                f"This could not be looked at ({what}).",
                "This is a fault of medassist: report it",
            )
        ]


def _settings() -> tuple[Settings | None, list[Finding]]:
    try:
        return load_settings(), [Finding("settings", "ok", "The settings can be read.")]
    except SettingsError as error:
        return None, [Finding("settings", "wrong", str(error))]
