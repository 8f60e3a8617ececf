from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.exams.papers import write_medxpertqa, write_papers
from tests.tiny_models import (
    SENTENCES,
    random_weights,
    tokenizer,
    write_model,
    write_pair,
)


@dataclass(frozen=True)
class Files:
    """What a measurement of tiny models needs."""

    base: Path
    adapter: Path
    activated: Path
    merged: Path
    swapped: Path
    """The base with the layers' weights in each other's place."""
    other_vocabulary: Path
    text: Path
    exams: Path


def other_layer(name: str) -> str:
    for one, other in (("blk.0.", "blk.1."), ("blk.1.", "blk.0.")):
        if name.startswith(one):
            return other + name.removeprefix(one)
    return name


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> Files:
    folder = tmp_path_factory.mktemp("bench")
    pair = write_pair(folder)
    small = tokenizer(300)
    other = write_model(
        folder / "other.gguf", random_weights(small.get_vocab_size(), 9), small
    )
    weights = {name: pair.weights[other_layer(name)] for name in pair.weights}
    swapped = write_model(folder / "swapped.gguf", weights, pair.tokenizer)
    text = folder / "text.txt"
    text.write_text(" ".join(SENTENCES) * 60, "utf-8")
    exams = write_papers(folder / "exams", 6)
    write_medxpertqa(exams, 6)
    return Files(
        pair.base,
        pair.plain,
        pair.activated,
        pair.merged,
        swapped,
        other,
        text,
        exams,
    )


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
