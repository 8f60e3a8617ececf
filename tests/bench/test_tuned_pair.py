"""What was found by tuning is what the app loads its models with."""

from __future__ import annotations

import asyncio

from medassist.library import tuned_threads
from medassist.session.choice import Choice
from medassist.session.pair import Pair
from medassist.settings import Settings
from tests.stubs.engine import FakeEngines


def threads_of(files, settings: Settings) -> int | None:
    engines = FakeEngines()

    async def load() -> None:
        pair = Pair(Choice(base=files.base), engines)
        await pair.load(settings)
        await pair.close()

    asyncio.run(load())
    return engines.last.options.threads


def test_the_app_takes_the_number_that_was_found(files, monkeypatch):
    monkeypatch.setattr(tuned_threads.os, "cpu_count", lambda: 16)
    assert threads_of(files, Settings()) is None
    tuned_threads.remember_threads(files.base, 3)
    assert threads_of(files, Settings()) == 3
    assert threads_of(files, Settings(threads=5)) == 5
