"""The server of our own, and a real Ollama where one is on the PATH."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from medassist.core.network import connected
from tests.convert import go_render
from tests.convert.ollama.fake_ollama import FakeOllama, State

REAL = shutil.which("ollama")


@dataclass
class Service:
    """A server to publish to; `state` is the inside of our own one."""

    host: str
    state: State | None


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeOllama]:
    def render(template: str, turns: list[dict[str, str]]) -> str:
        return go_render.render([(template, [turns])])[0][0]

    with FakeOllama(tmp_path / "store", render if go_render.go() else None) as server:
        yield server


@pytest.fixture(scope="session")
def real_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{chosen.getsockname()[1]}"
    models = tmp_path_factory.mktemp("ollama")
    environment = {**os.environ, "OLLAMA_HOST": host, "OLLAMA_MODELS": str(models)}
    process = subprocess.Popen(
        [str(REAL), "serve"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                with connected(["127.0.0.1"]) as client:
                    client.get(f"http://{host}/api/version")
                break
            except httpx2.TransportError:
                assert time.monotonic() < deadline, "ollama serve does not answer"
                time.sleep(0.1)
        yield host
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(
    params=[
        "ours",
        pytest.param(
            "real",
            marks=pytest.mark.skipif(REAL is None, reason="no ollama on the PATH"),
        ),
    ]
)
def service(request: pytest.FixtureRequest) -> Service:
    if request.param == "real":
        return Service(request.getfixturevalue("real_host"), None)
    fake: FakeOllama = request.getfixturevalue("fake")
    return Service(fake.host, fake.state)
