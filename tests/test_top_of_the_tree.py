"""What lies at the top of the repository: a test or a try may leave nothing there."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KNOWN = {
    *(".ci", "benchmarks", "convert", "docs", "finetune", "medassist", "tests"),
    *("tools", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile"),
    *("Modelfile", "NOTICE", "README.md", "constraints.txt", "pyproject.toml"),
}


def test_the_top_of_the_tree_holds_what_it_is_known_to_hold_and_nothing_else():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no clone: git lists nothing")
    top = {Path(name).parts[0] for name in listed.stdout.decode().split("\0") if name}

    assert top == KNOWN
