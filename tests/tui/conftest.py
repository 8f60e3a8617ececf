from __future__ import annotations

from pathlib import Path

import pytest

from medassist.intended_use import INTENDED_USE_VERSION
from tests.stubs.engine import FakeEngines


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, whose user has read the intended use."""
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path))
    folder = tmp_path / "config"
    folder.mkdir()
    accepted = f"intended_use_accepted = {INTENDED_USE_VERSION}\n"
    (folder / "settings.toml").write_text(accepted)
    return tmp_path


@pytest.fixture
def engines() -> FakeEngines:
    return FakeEngines()
