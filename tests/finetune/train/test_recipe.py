from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finetune.errors import FinetuneError
from finetune.recipe import find_recipe, known_recipes, read_recipe
from finetune.sweep.space import grid, read_axes, with_setting

WANTED = {
    "llama2-7b-qlora-24gb",
    "llama2-7b-lora-80gb",
    "llama2-7b-text",
    "llama3-8b",
    "mistral-7b",
    "qwen2.5-1.5b",
    "smollm2-135m-starter",
    "smollm2-135m-starter-activated",
    "smollm2-360m-cpu",
    "distilgpt2-dialogue",
    "starter",
}
Write = Callable[[dict[str, Any]], Path]


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_recipe_of_the_program_reads_and_says_what_it_takes(name: str) -> None:
    recipe = read_recipe(find_recipe(name))
    assert recipe.name == name
    assert recipe.expected.memory
    assert recipe.expected.time
    assert recipe.expected.cost
    assert recipe.expected.source


def test_every_recipe_of_the_program_is_known() -> None:
    assert set(known_recipes()) == WANTED


def test_a_recipe_written_out_reads_back_the_same(tmp_path: Path) -> None:
    recipe = read_recipe(find_recipe("starter"))
    recipe.write(tmp_path / "r.yaml")
    assert read_recipe(tmp_path / "r.yaml") == recipe


@pytest.mark.parametrize(
    ("part", "meant"),
    [
        ({"train": {"max_lenght": 512}}, "train.max_length"),
        ({"lora": {"rate": 1e-4}}, "train.rate"),
        ({"lorra": {}}, "lora"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(
    write_recipe: Write, part: dict[str, Any], meant: str
) -> None:
    file = write_recipe({"name": "x", "base": "y", **part})
    with pytest.raises(FinetuneError, match=rf"did you mean {meant}\?"):
        read_recipe(file)


def test_a_recipe_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(FinetuneError, match=r"did you mean mistral-7b\?"):
        find_recipe("mistral7b")


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"lora": {"method": "alora"}}, "packing: false"),
        ({"lora": {"targets": ["lm_head"]}}, "leave it out"),
        ({"train": {"rows": 5, "rows_at_once": 2}}, "multiple"),
        ({"train": {"rate": 2}}, r"train\.rate"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    write_recipe: Write, part: dict[str, Any], said: str
) -> None:
    with pytest.raises(FinetuneError, match=said):
        read_recipe(write_recipe({"name": "x", "base": "y", **part}))


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "\x00"])
def test_a_file_that_is_no_recipe_is_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(FinetuneError, match=r"r\.yaml"):
        read_recipe(file)


def test_a_grid_is_every_combination_of_what_was_named() -> None:
    settings = list(grid(read_axes(["lr=1e-4,2e-4", "r=8,16 alpha=32"])))
    assert settings == [
        {"train.rate": rate, "lora.r": r, "lora.alpha": 32}
        for rate in (1e-4, 2e-4)
        for r in (8, 16)
    ]
    changed = with_setting(read_recipe(find_recipe("starter")), settings[0], "trial")
    assert (changed.train.rate, changed.lora.r, changed.lora.scale) == (1e-4, 8, 32)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("rte=1", r"did you mean rate\?"),
        ("lr", "KEY=VALUE"),
        ("lr=5..1", "ends before"),
        ("lr=1e-5..1e-3", "--search"),
    ],
)
def test_a_wrong_axis_is_a_sentence(word: str, said: str) -> None:
    with pytest.raises(FinetuneError, match=said):
        list(grid(read_axes([word])))


def test_a_value_that_is_not_allowed_fails_before_the_first_trial() -> None:
    recipe = read_recipe(find_recipe("starter"))
    with pytest.raises(FinetuneError, match=r"lora\.r=0.*greater than"):
        with_setting(recipe, {"lora.r": 0}, "trial")
