from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.package_index import Environment


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture
def place(environment: Environment, tmp_path: Path) -> Environment:
    """An environment with nothing in it, and an index that is empty as yet."""
    environment.begin_anew(tmp_path / "index")
    return environment
