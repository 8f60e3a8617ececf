"""What `prepare RECIPE` leaves is a run folder that can be trained in by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from finetune.errors import FinetuneError
from finetune.recipe import read_recipe
from finetune.train.training_folder import open_run
from tests.finetune.data.pipeline.test_account import prepare, shown

SOURCE = {"name": "table", "path": "rows.jsonl", "options": {"licence": "CC0"}}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "exam").mkdir()
    asked = {"question": "What is done first where a knee hurts for a whole week?"}
    (tmp_path / "exam" / "exam.jsonl").write_text(json.dumps(asked), "utf-8")
    rows = [{"question": f"Why {n}?", "answer": f"So {n}."} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    content = {
        "name": "own",
        "base": "some/base",
        "data": {"sources": [SOURCE], "overlap": {"exams": ["exam/exam.jsonl"]}},
        "train": {"epochs": 2.0},
    }
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(content), "utf-8")
    return file


def test_a_run_is_trained_by_its_name_after_it_was_prepared(recipe, tmp_path):
    run = tmp_path / "runs" / "own"
    shown(prepare(recipe, "--out", run, "--seed", "3", "--licence", "CC BY-NC"))
    opened = open_run(str(run), None, resume=False)
    assert (opened.root, opened.recipe.base) == (run, "some/base")
    data = opened.recipe.data
    assert data is not None
    assert data.seed == 3
    assert "CC BY-NC" in data.licences
    assert data.sources[0].path == str(tmp_path / "rows.jsonl")
    assert data.overlap.exams == (str(tmp_path / "exam" / "exam.jsonl"),)
    left = {"data": read_recipe(recipe).data}
    assert opened.recipe.model_copy(update=left) == read_recipe(recipe)


def test_a_run_is_trained_by_the_recipe_too_that_it_was_prepared_by(recipe, tmp_path):
    run = tmp_path / "run"
    shown(prepare(recipe, "--out", run, "--split", "60/20/20"))
    assert open_run(str(recipe), run, resume=False).recipe == read_recipe(recipe)
    text = recipe.read_text("utf-8").replace("rows.jsonl", "others.jsonl")
    recipe.write_text(text, "utf-8")
    with pytest.raises(FinetuneError, match=r"another recipe.*differ in data"):
        open_run(str(recipe), run, resume=False)


def test_the_recipe_of_a_training_that_was_begun_is_left_alone(recipe, tmp_path):
    run = tmp_path / "run"
    shown(prepare(recipe, "--out", run))
    kept = (run / "recipe.yaml").read_text("utf-8")
    (run / "checkpoints").mkdir()
    recipe.write_text(recipe.read_text("utf-8").replace("2.0", "5.0"), "utf-8")
    shown(prepare(recipe, "--out", run))
    assert (run / "recipe.yaml").read_text("utf-8") == kept


def test_data_that_is_no_recipe_for_a_training_leaves_none(recipe, tmp_path):
    file = tmp_path / "rows.jsonl"
    shown(prepare(f"table={file}", "--option", "licence=CC0", "--out", tmp_path / "a"))
    only = tmp_path / "data.yaml"
    only.write_text(yaml.safe_dump({"data": {"sources": [SOURCE]}}), "utf-8")
    shown(prepare(only, "--out", tmp_path / "b"))
    assert not list(tmp_path.glob("?/recipe.yaml"))
