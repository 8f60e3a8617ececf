from __future__ import annotations

from pathlib import Path

import pytest

from tests.stubs.engine import FakeEngines


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, whose user has read the intended use."""
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path))
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "settings.toml").write_text("intended_use_accepted = 3\n")
    return tmp_path


@pytest.fixture
def engines() -> FakeEngines:
    return FakeEngines()
