from __future__ import annotations

import pytest

from tests.records.making import CHEAP


@pytest.fixture(autouse=True)
def cheap_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess of a passphrase costs the tests nothing."""
    monkeypatch.setattr("medassist.records.vault.GuessCost", lambda: CHEAP)
