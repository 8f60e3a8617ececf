"""Records that open fast, in a home of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.records.making import CHEAP


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medassist.records.vault.GuessCost", lambda: CHEAP)


@pytest.fixture
def folder(home: Path) -> Path:
    return home / "data" / "records"
