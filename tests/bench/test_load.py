"""Loading is timed with the file in the cache, and after it was dropped from there."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest

from medassist.bench import load
from medassist.bench.events import Measured
from medassist.bench.targets import targets
from tests.bench.measured import SMALL, measure

LOAD = replace(SMALL, tests=frozenset(("load",)), repetitions=1)


@pytest.mark.skipif(sys.platform != "linux", reason="tells what lies in the cache")
def test_a_file_is_read_into_the_cache_and_dropped_from_it(tmp_path):
    file = tmp_path / "m.gguf"
    file.write_bytes(os.urandom(4 << 20))
    with file.open("rb") as opened:
        os.fsync(opened.fileno())  # what is not on the disk yet cannot be dropped
    load.read_through(file)
    assert load.cached_share(file) == 1.0
    assert load.drop_from_cache(file)
    left = load.cached_share(file)
    assert left is not None
    if left == 1.0:
        pytest.skip("this file system keeps what it was told to drop")
    assert left < 0.5
    (tmp_path / "empty").touch()
    assert load.cached_share(tmp_path / "empty") is None


@pytest.mark.parametrize(
    ("stayed", "noted"),
    [
        (0.05, ()),
        (0.9, ("90 % of the file stayed in memory",)),
        (None, ("how much of the file stayed in memory is not readable",)),
    ],
)
def test_how_much_of_the_file_stayed_all_the_same_is_told(
    files, tmp_path, monkeypatch, stayed, noted
):
    dropped: list[str] = []
    monkeypatch.setattr(load, "drop_from_cache", lambda f: dropped.append(f.name))
    monkeypatch.setattr(load, "cached_share", lambda _file: stayed)
    wanted = targets([files.base], [files.adapter])
    lines = [
        event.line
        for event in measure(LOAD, wanted, tmp_path / "r.jsonl")
        if isinstance(event, Measured)
    ]
    assert [(line.test["file"], line.notes) for line in lines] == [
        (load.DROPPED, noted),
        (load.WARM, ()),
    ] * 2
    assert dropped == [files.base.name, files.base.name, files.adapter.name]
    for line in lines:
        ready, first, whole = (
            line.samples[name][0]
            for name in ("ready_s", "first_token_s", "with_process_s")
        )
        assert 0 < ready < first < whole
