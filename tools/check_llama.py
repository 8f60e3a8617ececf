"""Say whether the installed llama-cpp-python has all that medassist calls.

    python -m tools.check_llama

Loads the library, asks it for the processor, and looks for every function, type and
number of it that stands in the source of the three packages.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("medassist", "convert", "finetune")
BINDINGS = "llama_cpp.llama_cpp"


def called(tree: ast.Module) -> set[str]:
    """What a file takes from the bindings while it runs: not what annotations name."""
    owners = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == BINDINGS
    }
    annotations = {id(inner) for outer in annotated(tree) for inner in ast.walk(outer)}
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and id(node) not in annotations
        and isinstance(node.value, ast.Name)
        and node.value.id in owners
    }


def annotated(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        match node:
            case ast.arg(annotation=ast.expr() as found):
                yield found
            case ast.AnnAssign(annotation=found):
                yield found
            case ast.FunctionDef(returns=ast.expr() as found):
                yield found
            case _:
                pass


def called_in_ggml(tree: ast.Module) -> set[str]:
    """The same of ggml, which has no bindings: its functions are known by name."""
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in attributes if node.attr.startswith("ggml_")}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            # Most have nothing to do with it, and parsing all takes seconds.
            if BINDINGS in text or ".ggml_" in text:
                yield file.relative_to(ROOT).as_posix(), ast.parse(text)


def lacking(llama: object, ggml: object) -> list[str]:
    """What the source calls and the libraries do not have, each with a file."""
    found: dict[str, str] = {}
    for file, tree in sources():
        wrong = [name for name in called(tree) if not hasattr(llama, name)]
        wrong += [name for name in called_in_ggml(tree) if not hasattr(ggml, name)]
        found |= dict.fromkeys(wrong, file)
    return [f"{name} (for {file})" for name, file in sorted(found.items())]


def main() -> str | None:
    try:
        # All functions that are bound are looked up in the library by this.
        import llama_cpp.llama_cpp as llama
        from llama_cpp._ggml import libggml
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        return f"llama-cpp-python does not load: {error}"
    if names := lacking(llama, libggml):
        return f"the library lacks what medassist calls: {', '.join(names)}"
    llama.llama_backend_init()
    llama.llama_print_system_info()
    return None


if __name__ == "__main__":
    sys.exit(main())
