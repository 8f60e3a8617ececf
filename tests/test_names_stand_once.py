"""A name says one thing: no class has the name of another one in another file."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("medassist", "convert", "finetune")


def test_no_two_files_define_a_class_of_one_name() -> None:
    files: dict[str, set[str]] = defaultdict(set)
    for file in (
        file for package in PACKAGES for file in (ROOT / package).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                files[node.name].add(file.relative_to(ROOT).as_posix())
    assert len(files) > 500

    assert {name: found for name, found in files.items() if len(found) > 1} == {}
