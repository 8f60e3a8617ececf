"""A base that is asked for by its name on the Hub, with --download."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetune.errors import FinetuneError
from finetune.train.base_model import find_base
from medassist.core import guard
from medassist.core.way_out import WayOut
from tests.finetune.data.fetch.server import FakeService, serving
from tests.forwarding_proxy import hospital

COMMIT = "c" * 40
FILES = {"config.json": b"{}", "model.safetensors": b"weights"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    folder = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    return folder


def repository() -> FakeService:
    found = FakeService(commit=COMMIT)
    info = {"id": "own/base", "sha": COMMIT, "siblings": []}
    tree = [
        {"type": "file", "path": name, "size": len(content), "oid": name}
        for name, content in FILES.items()
    ]
    for path, answer in ((f"revision/{COMMIT}", info), (f"tree/{COMMIT}", tree)):
        text = json.dumps(answer).encode()
        found.answers[f"/api/models/own/base/{path}"] = lambda _, text=text: text
    found.answers["/api/models/own/base/revision/main"] = found.answers[
        f"/api/models/own/base/revision/{COMMIT}"
    ]
    for name, content in FILES.items():
        found.files[f"/own/base/resolve/{COMMIT}/{name}"] = content
    return found


def test_a_base_is_downloaded_by_the_proxy_and_found_without_it_later(
    tmp_path: Path,
) -> None:
    with hospital(tmp_path) as network, serving(repository(), network.tls) as hub:
        network.proxy.stands_for("hub.example", hub.url)
        way = WayOut(network.proxy.url, str(network.ca_file))
        folder = find_base("own/base", download=True, way=way)
        assert set(network.proxy.asked) == {"CONNECT hub.example:443"}
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == FILES
    assert find_base("own/base") == folder
    assert guard._opened == set()


def test_a_way_that_fails_is_a_sentence_and_unasked_nothing_is_downloaded(
    tmp_path: Path,
) -> None:
    with hospital(tmp_path) as network, serving(repository(), network.tls) as hub:
        network.proxy.stands_for("hub.example", hub.url)
        wrong = WayOut(network.proxy.url, str(network.other_ca_file))
        with pytest.raises(FinetuneError, match="not trusted"):
            find_base("own/base", download=True, way=wrong)
        network.proxy.asked.clear()
        with pytest.raises(FinetuneError, match="Nothing is downloaded unasked"):
            find_base("own/base", way=wrong)
        assert network.proxy.asked == [] and hub.asked == []
