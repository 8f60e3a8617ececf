"""A file is read again where it may hold something else, and only there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from medassist.core import seen_file
from medassist.core.seen_file import SeenFile, seen
from tests.test_startup import loaded_after


def test_a_file_that_kept_size_and_time_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"weights")
    before = seen(file)
    monkeypatch.setattr(seen_file, "sha256_of_file", pytest.fail)
    assert seen(file, before) is before


@pytest.mark.parametrize(
    ("content", "changed_ns"), [(b"longer now", 5), (b"WEIGHTS", 9)]
)
def test_a_file_that_lost_one_of_them_is(
    tmp_path: Path, content: bytes, changed_ns: int
) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"weights")
    os.utime(file, ns=(5, 5))
    before = seen(file)
    file.write_bytes(content)
    os.utime(file, ns=(changed_ns, changed_ns))
    assert seen(file, before).sha256 == hashlib.sha256(content).hexdigest()


def test_what_changed_while_it_was_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"weights")

    def changed_meanwhile(read: Path) -> str:
        read.write_bytes(b"other weights")
        return "0" * 64

    with monkeypatch.context() as patched:
        patched.setattr(seen_file, "sha256_of_file", changed_meanwhile)
        torn = seen(file)
    assert torn == SeenFile(7, torn.changed_ns, "0" * 64)
    assert seen(file, torn).sha256 == hashlib.sha256(b"other weights").hexdigest()


def test_what_remembers_hashes_waits_for_no_checking_library() -> None:
    assert "pydantic" not in loaded_after("import medassist.library.hashes")
