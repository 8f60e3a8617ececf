from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from medassist.library.catalogue import catalogue
from medassist.library.errors import LibraryError
from medassist.library.model_import import import_ollama
from medassist.library.ollama_store import find, read_store
from medassist.library.registry import Registry, load_registry
from tests.tiny_models import TinyPair

LAYER = "application/vnd.ollama.image."


class FakeStore:
    """A store as Ollama leaves it on a disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "blobs").mkdir(parents=True)
        (root / "manifests").mkdir()

    def blob(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        (self.root / "blobs" / f"sha256-{digest}").write_bytes(content)
        return f"sha256:{digest}"

    def manifest(self, place: str, layers: dict[str, str], raw: str = "") -> Path:
        file = self.root / "manifests" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        listed = [
            {"mediaType": LAYER + kind, "digest": digest, "size": 1}
            for kind, digest in layers.items()
        ]
        file.write_text(raw or json.dumps({"schemaVersion": 2, "layers": listed}))
        return file


@pytest.fixture
def store(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    made = FakeStore(tmp_path / "ollama")
    monkeypatch.setenv("OLLAMA_MODELS", str(made.root))
    return made


def test_models_are_found_by_the_names_that_ollama_gives_them(
    store: FakeStore, tiny: TinyPair
) -> None:
    model = store.blob(tiny.base.read_bytes())
    licence = store.blob(b"\n  Apache License 2.0\nmore")
    store.manifest(
        "registry.ollama.ai/library/tiny/latest", {"model": model, "license": licence}
    )
    store.manifest("registry.ollama.ai/me/tiny/q8", {"model": model})
    store.manifest("hub.example.org/me/tiny/x", {"model": model})
    found = read_store()
    assert found is not None
    names = {m.name for m in found.models}
    assert names == {"tiny:latest", "me/tiny:q8", "hub.example.org/me/tiny:x"}
    assert find("tiny").licence == "Apache License 2.0"
    assert f"sha256:{find('tiny').model_sha256}" == model


def test_a_model_is_listed_and_used_where_it_lies(
    store: FakeStore, tiny: TinyPair
) -> None:
    digest = store.blob(tiny.base.read_bytes())
    store.manifest("registry.ollama.ai/library/tiny/latest", {"model": digest})
    (listed,) = catalogue(Registry()).models
    assert listed.name == "ollama:tiny:latest"
    assert listed.architecture == "llama"
    assert listed.sha256 == digest.removeprefix("sha256:")
    assert listed.hash_is == "as its source says"
    taken = import_ollama("ollama:tiny")
    model = load_registry().models[taken.models[0]]
    assert model.path.parent == store.root / "blobs"
    assert [m.name for m in catalogue(load_registry()).models] == [taken.models[0]]


def test_an_adapter_of_ollama_becomes_a_pair_with_its_system_prompt(
    store: FakeStore, tiny: TinyPair
) -> None:
    store.manifest(
        "registry.ollama.ai/library/tuned/latest",
        {
            "model": store.blob(tiny.base.read_bytes()),
            "adapter": store.blob(tiny.plain.read_bytes()),
            "system": store.blob(b"You are brief."),
        },
    )
    taken = import_ollama("tuned", "mine")
    assert taken.pair is not None
    pair = load_registry().pair(taken.pair)
    assert (pair.base, pair.adapter) == ("mine", "mine-adapter")
    assert pair.asked("tuned").system == "You are brief."


@pytest.mark.parametrize(
    ("digest", "why"),
    [
        ("sha256:../../../etc/passwd", "no digest"),
        ("sha256:" + "0" * 64, "missing"),
        ("md5:abc", "no digest"),
    ],
)
def test_a_layer_that_names_no_blob_is_told_and_the_others_stay(
    store: FakeStore, tiny: TinyPair, digest: str, why: str
) -> None:
    good = store.blob(tiny.base.read_bytes())
    store.manifest("registry.ollama.ai/library/good/latest", {"model": good})
    store.manifest("registry.ollama.ai/library/bad/latest", {"model": digest})
    found = read_store()
    assert found is not None
    assert [m.name for m in found.models] == ["good:latest"]
    assert why in found.problems[0] and "bad:latest" in found.problems[0]
    with pytest.raises(LibraryError, match=why):
        find("bad")


def test_a_link_out_of_the_store_is_not_followed(
    store: FakeStore, tiny: TinyPair
) -> None:
    name = "0" * 64
    (store.root / "blobs" / f"sha256-{name}").symlink_to(tiny.base)
    store.manifest(
        "registry.ollama.ai/library/linked/latest", {"model": f"sha256:{name}"}
    )
    folder = store.root / "manifests" / "registry.ollama.ai" / "library"
    (folder / "elsewhere").symlink_to(folder / "linked")
    found = read_store()
    assert found is not None
    assert found.models == ()
    assert len(found.problems) == 1
    assert "link out of the store" in found.problems[0]


@pytest.mark.parametrize("raw", ["{", "[]", '{"layers": 5}', "x" * (2 * 1024 * 1024)])
def test_a_manifest_that_is_none_is_told(store: FakeStore, raw: str) -> None:
    store.manifest("registry.ollama.ai/library/bad/latest", {}, raw)
    found = read_store()
    assert found is not None
    assert found.models == () and "bad:latest" in found.problems[0]


def test_a_model_of_a_cloud_is_told(store: FakeStore) -> None:
    store.manifest("registry.ollama.ai/library/cloud/latest", {})
    with pytest.raises(LibraryError, match="no weights"):
        find("cloud")


def test_strange_names_in_the_store_are_passed_over(
    store: FakeStore, tiny: TinyPair
) -> None:
    digest = store.blob(tiny.base.read_bytes())
    store.manifest("registry.ollama.ai/library/.DS_Store/x", {"model": digest})
    store.manifest("registry.ollama.ai/library/a\x1b[31m/x", {"model": digest})
    (store.root / "manifests" / "stray").write_text("x")
    found = read_store()
    assert found is not None
    assert (found.models, found.problems) == ((), ())


def test_a_store_that_may_not_be_read_is_no_error(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    found = read_store()
    assert found is not None and found.models == ()


def test_without_a_store_the_list_is_that_of_the_user(home: Path) -> None:
    assert read_store() is None
    assert catalogue(Registry()).models == ()
    with pytest.raises(LibraryError, match="OLLAMA_MODELS"):
        find("tiny")


def test_a_blob_that_is_not_what_its_name_says_is_told(
    store: FakeStore, tiny: TinyPair
) -> None:
    from medassist.library.lookup import check

    digest = store.blob(tiny.base.read_bytes())
    store.manifest("registry.ollama.ai/library/tiny/latest", {"model": digest})
    (name,) = import_ollama("tiny").models
    blob = store.root / "blobs" / digest.replace(":", "-")
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    (found,) = check(name)
    assert found.is_wrong
    assert any("not what its source says" in f.said for f in found.findings)
