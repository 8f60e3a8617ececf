from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.finetune.data.fetch.server import FakeService, serving
from tests.library.hub import HubFiles
from tests.tiny_models import TinyPair, write_pair


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home with nothing in it, and no Ollama on this computer."""
    folder = tmp_path / "home"
    monkeypatch.setenv("MEDASSIST_HOME", str(folder))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "no-ollama"))
    return folder


@pytest.fixture
def hub(
    home: Path, monkeypatch: pytest.MonkeyPatch, tiny: TinyPair
) -> Iterator[HubFiles]:
    """A Hub on this computer, and another server where its large files lie."""
    with serving(FakeService()) as own, serving(FakeService()) as storage:
        monkeypatch.setenv("HF_ENDPOINT", own.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield HubFiles(own, storage)
