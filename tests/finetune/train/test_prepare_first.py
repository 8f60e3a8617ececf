"""One command from a recipe to an adapter: data that is not there is prepared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finetune.commands.train import train
from finetune.errors import FinetuneError

ROWS = """
- kind: value
  asks: ["What is a normal {what} {n}?"]
  says: ["A normal {what} {n} is five."]
  words: {what: [heart, liver, skin], n: ["1", "2", "3", "4", "5", "6"]}
"""


@pytest.fixture
def recipe(
    tmp_path: Path, llama: Path, write_recipe: Callable[[dict[str, Any]], Path]
) -> Path:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "own.yaml").write_text(ROWS, "utf-8")
    sources = [{"name": "own-rows", "path": "rows", "licence": "Apache 2.0"}]
    split = {"train": 1.0, "validation": 0.0, "test": 0.0}
    return write_recipe(
        {
            "name": "small",
            "base": str(llama),
            "data": {"sources": sources, "split": split},
            "train": {"steps": 2, "rows": 2, "max_length": 64, "packing": False},
        }
    )


def test_the_data_is_prepared_where_it_is_asked_for(recipe: Path, tmp_path: Path):
    run = tmp_path / "run"
    with pytest.raises(FinetuneError, match="prepare the data with"):
        train(str(recipe), out=run)
    train(str(recipe), out=run, prepare_first=True, device="cpu")
    assert (run / "data" / "manifest.json").is_file()
    assert (run / "adapter" / "adapter_model.safetensors").is_file()


def test_data_that_is_there_is_left_as_it_is(recipe: Path, tmp_path: Path):
    run = tmp_path / "run"
    train(str(recipe), out=run, prepare_first=True, dry_run=True, device="cpu")
    before = (run / "data" / "manifest.json").stat().st_mtime_ns
    (tmp_path / "rows" / "own.yaml").unlink()
    train(str(recipe), out=run, prepare_first=True, device="cpu")
    assert (run / "data" / "manifest.json").stat().st_mtime_ns == before
