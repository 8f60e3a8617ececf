from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from medassist.library import hashes


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path / "home"))


def test_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"weights")
    expected = hashlib.sha256(b"weights").hexdigest()
    assert hashes.remembered_sha256(path) == expected


def test_an_unchanged_file_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"weights")
    first = hashes.remembered_sha256(path)

    def fail(*_args: object) -> None:
        raise AssertionError("the file was read again")

    monkeypatch.setattr(hashlib, "file_digest", fail)
    assert hashes.remembered_sha256(path) == first


def test_a_changed_file_is_hashed_anew(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"weights")
    hashes.remembered_sha256(path)
    path.write_bytes(b"WEIGHTS")
    os.utime(path, ns=(1, 1))
    expected = hashlib.sha256(b"WEIGHTS").hexdigest()
    assert hashes.remembered_sha256(path) == expected


def test_a_damaged_memory_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"weights")
    first = hashes.remembered_sha256(path)
    (memory,) = (tmp_path / "home").rglob(hashes.MEMORY)
    memory.write_text("{nonsense")
    assert hashes.remembered_sha256(path) == first
