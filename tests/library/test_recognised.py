"""A verified model that Ollama wrote anew is recognised, and no other is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from convert.verify.result import record, tensors_of
from medassist.core.files import sha256_of_file
from medassist.core.paths import data_dir
from medassist.core.proofs import Check, Verified, read_proofs
from medassist.core.remembered_proofs import FOLDER_NAME
from medassist.core.tensors_hash import hash_of_tensors
from medassist.library.catalogue import ListedModel, catalogue
from medassist.library.lookup import details_of
from medassist.library.model_facts import model_facts
from medassist.library.model_import import import_ollama, import_path
from medassist.library.registry import load_registry
from medassist.settings import Settings
from tests.convert.ollama.fake_ollama import State, rewritten
from tests.library.test_ollama_store import FakeStore
from tests.tiny_models import TinyPair, random_weights, write_model

PLACE = "registry.ollama.ai/library/tiny/latest"


@pytest.fixture
def store(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    made = FakeStore(tmp_path / "ollama")
    monkeypatch.setenv("OLLAMA_MODELS", str(made.root))
    return made


def published(store: FakeStore, *files: Path) -> str:
    """Have the store hold `files` as an Ollama server writes them anew."""
    state = State(store.root / "blobs", None)
    digest = rewritten([*files], state)
    (store.root / "blobs" / "half").unlink()
    store.manifest(PLACE, {"model": digest})
    return digest.removeprefix("sha256:")


def gate_saw(file: Path, *, passed: bool = True) -> None:
    found = Verified(
        kind="model",
        file=file.name,
        sha256=sha256_of_file(file),
        tensors=tensors_of(file),
        quantization="F32",
        checks=(Check(name="logits", passed=passed),),
    )
    record(file, found)


@pytest.fixture
def own(home: Path, tiny: TinyPair, tmp_path: Path) -> Path:
    """A model of the library."""
    (tmp_path / "own").mkdir()
    file = Path(shutil.copy(tiny.base, tmp_path / "own" / "tiny.gguf"))
    import_path(file, "own")
    return file


def listed(*, read: bool = True) -> ListedModel:
    """The one model of Ollama's in the list."""
    found = catalogue(load_registry(), read=read)
    (model,) = (m for m in found.models if m.origin == "ollama")
    return model


def test_a_verified_model_that_was_written_anew_is_recognised(
    store: FakeStore, own: Path
):
    digest = published(store, own)
    assert digest != sha256_of_file(own)
    assert listed().verified == "not verified"
    gate_saw(own)
    assert listed(read=False).verified == "not known yet"
    assert listed().verified == "verified (tensors)"
    assert listed(read=False).verified_as == "tiny.gguf"
    shown = details_of("ollama:tiny:latest", Settings().engine_options).model
    assert shown is not None
    assert "those of tiny.gguf" in dict(model_facts(shown))["verified"]


def test_it_is_recognised_where_the_library_does_not_know_the_file(
    store: FakeStore, tiny: TinyPair, tmp_path: Path
):
    file = Path(shutil.copy(tiny.base, tmp_path / "tuned.gguf"))
    published(store, file)
    gate_saw(file)
    assert listed().verified == "verified (tensors)"
    assert listed().verified_as == "tuned.gguf"
    (kept,) = (data_dir() / FOLDER_NAME).iterdir()
    kept.write_text("{}")
    assert listed().verified == "not verified"
    gate_saw(file)
    gate_saw(file, passed=False)
    assert listed().verified == "not verified"


def test_it_is_recognised_in_the_library_too(store: FakeStore, own: Path):
    published(store, own)
    gate_saw(own)
    (name,) = import_ollama("ollama:tiny").models
    shown = details_of(name, Settings().engine_options).model
    assert shown is not None and shown.verified == "verified (tensors)"


def test_what_differs_in_one_byte_of_a_tensor_is_not_recognised(
    store: FakeStore, own: Path
):
    gate_saw(own)
    file = store.root / "blobs" / f"sha256-{published(store, own)}"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert listed().verified == "not verified"


def test_what_failed_the_gate_is_not_recognised_as_verified(
    store: FakeStore, own: Path
):
    published(store, own)
    gate_saw(own, passed=False)
    assert listed().verified == "not verified"


def test_a_file_that_cannot_be_ours_is_not_read(
    store: FakeStore, own: Path, tiny: TinyPair, monkeypatch: pytest.MonkeyPatch
):
    gate_saw(own)
    weights = random_weights(400, 5)
    weights["more.weight"] = weights["output_norm.weight"]
    other = write_model(own.parent / "other.gguf", weights, tiny.tokenizer)
    published(store, other)
    target = "medassist.library.hashes.hash_of_tensors"
    monkeypatch.setattr(target, lambda _: pytest.fail("it was read"))
    assert listed().verified == "not verified"


def test_a_proof_of_an_earlier_version_is_read_and_recognises_nothing(
    store: FakeStore, own: Path
):
    gate_saw(own)
    file = own.parent / "verify.json"
    table = json.loads(file.read_text())
    for entry in table["files"].values():
        del entry["tensors"]
    file.write_text(json.dumps(table))
    shutil.rmtree(data_dir() / FOLDER_NAME)  # which it did not have either
    (proof,) = read_proofs(own).values()
    assert proof.passed and proof.tensors is None
    published(store, own)
    assert listed().verified == "not verified"


def test_a_split_model_has_the_hash_of_the_whole_one(tiny: TinyPair, tmp_path: Path):
    write_model(tmp_path / "big.gguf", tiny.weights, tiny.tokenizer, shard_tensors=8)
    first, *more = sorted(tmp_path.glob("big-*.gguf"))
    assert more
    assert hash_of_tensors(first) == hash_of_tensors(tiny.base)
    assert hash_of_tensors(tiny.base) != hash_of_tensors(tiny.merged)
