"""The reference reads each chunk once, however many models are compared with it."""

from __future__ import annotations

import errno
import tempfile
from dataclasses import replace

import numpy as np
import pytest

from medassist.bench import reference as room
from medassist.bench.events import Ended, Said
from medassist.bench.reference import Reference
from medassist.bench.result_rows import rows
from medassist.bench.targets import target, targets
from medassist.engine.scorer import GgufScorer
from medassist.exams.perplexity import MEAN_KLD, PPL
from tests.bench.measured import SMALL, measure


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The file of each chunk that was computed."""
    found: list[str] = []
    plain = GgufScorer.logits

    def counted(self, *arguments, **named):
        found.append(self.model.name)
        return plain(self, *arguments, **named)

    monkeypatch.setattr(GgufScorer, "logits", counted)
    return found


def measured(files, tmp_path, *models):
    wishes = replace(
        SMALL,
        tests=frozenset(("quality",)),
        text=files.text,
        reference=target(files.base),
    )
    events = measure(wishes, targets(models), tmp_path / "r.jsonl")
    ended = events[-1]
    assert isinstance(ended, Ended) and not ended.failed
    return events, {row.model.name: row.quality for row in rows(ended.lines)}


def test_the_reference_reads_the_text_once_for_all_models(files, tmp_path, read):
    # It is not the first one that was named.
    models = (files.merged, files.base, files.swapped)
    events, found = measured(files, tmp_path, *models)
    assert read.count(files.base.name) == SMALL.chunks
    assert set(found[files.base.name]) == {PPL}
    assert found[files.merged.name][MEAN_KLD].value > 0.01
    said = [e.text for e in events if isinstance(e, Said)]
    assert len(said) == 1 and "reads the text once" in said[0]


def test_without_room_for_its_logits_the_figures_are_the_same(
    files, tmp_path, read, monkeypatch
):
    models = (files.base, files.merged, files.swapped)
    _, found = measured(files, tmp_path, *models)
    (tmp_path / "r.jsonl").unlink()
    read.clear()

    class Full:
        def seek(self, at: int) -> int:
            return at

        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            pass

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_how: Full())
    _, again = measured(files, tmp_path, *models)
    assert again == found
    assert read.count(files.base.name) == 3 * SMALL.chunks


def test_it_keeps_no_more_than_it_may_and_gives_its_memory_back(
    files, tmp_path, read, monkeypatch
):
    monkeypatch.setattr(room, "SHARE", 1.0)
    text = files.text.read_text("utf-8")
    with Reference(files.base, 1, tmp_path) as plain:
        chunks = plain.chunks(text)[:3]
        size = plain.logits(chunks[0]).nbytes
    with Reference(files.base, 1, tmp_path, most=2 * size) as reference:
        first = [reference.logits(chunk) for chunk in chunks]
        assert reference.kept == 2 * size
        # Whatever ends the process, nothing stays there.
        assert not any(found.is_file() for found in tmp_path.iterdir())
        read.clear()
        reference.unload()
        again = [reference.logits(chunk) for chunk in chunks]
    assert len(read) == 1
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
