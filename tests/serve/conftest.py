from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from tests.serve.vllm_stand_in import KEY
from tests.tiny_models import TinyPair, write_pair


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_for_a_server_of_a_test() -> Iterator[None]:
    """uvicorn looks ten times a second whether it is to end; here a hundred times.

    And httpx reads the certificates of all authorities anew for each client.
    """

    async def a_tenth(seconds: float) -> None:
        await asyncio.sleep(seconds / 10)

    with pytest.MonkeyPatch.context() as patch:
        hasty = SimpleNamespace(**(vars(asyncio) | {"sleep": a_tenth}))
        patch.setattr("uvicorn.server.asyncio", hasty)
        read = cache(httpx.create_ssl_context)
        patch.setattr("httpx._transports.default.create_ssl_context", read)
        yield


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    return file
