"""What may go wrong in many ways is done in one place: writing, locking, proving."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def users_of(pattern: str) -> set[str]:
    """The files of the packages in which `pattern` stands."""
    found: set[str] = set()
    for package in ("medassist", "convert", "finetune"):
        for file in (ROOT / package).rglob("*.py"):
            if re.search(pattern, file.read_text("utf-8")):
                found.add(file.relative_to(ROOT).as_posix())
    assert found, "nobody at all: the pattern is wrong"
    return found


@pytest.mark.parametrize("call", [r"\bfsync\(", r"\bmkstemp\("])
def test_one_file_brings_what_is_written_to_the_disk(call: str) -> None:
    assert users_of(call) == {"medassist/core/files.py"}


def test_one_file_locks() -> None:
    locking = r"\bflock\(|\blockf\(|msvcrt\.locking|\bfilelock import\b"
    assert users_of(locking) == {"medassist/core/locks.py"}


def test_one_file_computes_the_sha256_of_a_file() -> None:
    streaming = r"file_digest\(|digest\.update\(buffer"
    assert users_of(streaming) == {"medassist/core/files.py"}


def test_one_file_knows_the_name_of_what_the_gate_found() -> None:
    assert users_of(r"[\"']verify\.json[\"']") == {"medassist/core/run_folder.py"}


def test_one_file_knows_the_names_of_the_default_pairs_files() -> None:
    run_folder = {"medassist/core/run_folder.py"}
    assert users_of(r"[\"']base-q8_0\.gguf") == run_folder
    assert users_of(r"[\"']adapter-(plain|activated)\.gguf") == run_folder
    assert users_of(r"smollm2-135m-\w+\.gguf") == {"medassist/starter/__init__.py"}
    assert users_of(r"[\"']models\.json[\"']") == {"medassist/core/model_list.py"}


@pytest.mark.parametrize(
    "name", ["card", "training", "evaluation", "recipe", "steps", "manifest"]
)
def test_one_file_knows_the_names_in_a_run_folder(name: str) -> None:
    own_recipes = {"finetune/starter/starter_recipe.py"}  # beside it, in the package
    named = users_of(rf"[\"']{name}\.(json|yaml)[\"']") - own_recipes
    assert named == {"medassist/core/run_folder.py"}
