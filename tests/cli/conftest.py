import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from medassist.intended_use import INTENDED_USE_VERSION
from tests.tiny_models import TinyPair, write_pair

Done = subprocess.CompletedProcess[bytes]
Ask = Callable[..., Done]


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has read the intended use and set nothing."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith("MEDASSIST")}
    settings = tmp_path / "home" / "config" / "settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"intended_use_told = {INTENDED_USE_VERSION}\n")
    return {**kept, "MEDASSIST_HOME": str(tmp_path / "home")}


@pytest.fixture
def ask(environment: dict[str, str]) -> Ask:
    """Run `medassist ask` as a user does; the arguments, and what comes on stdin."""

    def run(*arguments: str | Path, stdin: bytes = b"", before: str = "") -> Done:
        command = [*before.split(), sys.executable, "-m", "medassist", "ask"]
        # One thread: two of them wait for each other where other work is done.
        return subprocess.run(
            [*command, "--threads", "1", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            env=environment,
            check=False,
        )

    return run
