"""What parses a model file in native code does so in a child process alone.

That no other process imports those files, import-linter holds (pyproject.toml).
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
WEIGHTS = "medassist/engine/weights.py"
PARSES = {
    "llama_model_load_from_file": {WEIGHTS},
    "llama_model_load_from_splits": set[str](),
    "llama_adapter_lora_init": {WEIGHTS},
    "llama_model_quantize": {"convert/quantize_child.py"},
}
"""The functions of llama.cpp that read a file, and who may call them."""


def named(tree: ast.Module) -> set[str]:
    """What a file names, be it in a text, as for `getattr`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name):
                found.add(name)
            case ast.Constant(value=str(name)):
                found.add(name)
            case ast.alias(name=name):
                found.add(name)
            case _:
                pass
    return found


def test_only_the_files_of_children_call_what_reads_a_model_in_native_code() -> None:
    found = {call: set[str]() for call in PARSES}
    for package in ("medassist", "convert", "finetune"):
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text("utf-8")
            if not any(call in text for call in PARSES):
                continue
            for call in found.keys() & named(ast.parse(text)):
                found[call].add(file.relative_to(ROOT).as_posix())
    assert found == PARSES
