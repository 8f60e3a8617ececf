"""The hazard log: every control is proven by a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOG = ROOT / "docs" / "hazard-log.md"
PRIVACY = ROOT / "docs" / "privacy.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[list[str]]:
    """The rows of the log's tables, each as its cells."""
    found: list[list[str]] = []
    for line in LOG.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and re.fullmatch(r"H\d+", cells[0]):
            found.append(cells)
    return found


@pytest.mark.parametrize(("page", "at_least"), [(LOG, 40), (PRIVACY, 10)])
def test_every_test_that_the_log_names_exists(page: Path, at_least: int) -> None:
    named = TEST.findall(page.read_text(encoding="utf-8"))
    assert len(named) > at_least
    missing: list[str] = []
    for file, name in named:
        path = ROOT / file
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else None
        functions = {
            node.name
            for node in ast.walk(tree or ast.Module([], []))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        if name not in functions:
            missing.append(f"{file}::{name}")
    assert missing == []


def test_every_hazard_has_a_cause_a_control_and_a_test() -> None:
    assert len(rows()) >= 20
    for cells in rows():
        assert len(cells) == 5, cells[0]
        assert all(len(cell) > 10 for cell in cells[1:]), cells[0]
        assert TEST.search(cells[4]), cells[0]


def test_hazards_are_numbered_once_and_in_order() -> None:
    numbers = [int(cells[0][1:]) for cells in rows()]
    assert numbers == list(range(1, len(numbers) + 1))
