from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from medassist.intended_use import INTENDED_USE_VERSION
from tests.e2e.terminal import Terminal, command
from tests.tiny_models import TinyPair, write_pair

SETTINGS = f"""\
intended_use_accepted = {INTENDED_USE_VERSION}
[sampling]
max_tokens = 40
temperature = 0.0
"""
StartTerminal = Callable[..., Terminal]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of the test's own, whose user has read the intended use."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "settings.toml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("models"))


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a short name: the path of a socket may have a hundred bytes."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def starts(home: Path, sockets: Path) -> Iterator[StartTerminal]:
    """Starts the program with the arguments given, in a window of the size given."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    opened: list[Terminal] = []

    def start(
        *arguments: str | Path,
        width: int = 120,
        height: int = 36,
        before: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Terminal:
        line = command(home, *arguments, before=before, environment=environment)
        terminal = Terminal(sockets / str(len(opened)), line, width, height)
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.end()


@pytest.fixture
def consult(starts: StartTerminal, pair: TinyPair) -> StartTerminal:
    """The same, with a tiny pair."""

    def start(*arguments: str | Path, width: int = 120, height: int = 36) -> Terminal:
        files = ("--base", pair.base, "--adapter", pair.activated)
        return starts(*files, *arguments, width=width, height=height)

    return start
