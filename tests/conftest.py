from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from medassist.core.paths import HOME_VARIABLE, only_looked_at
from medassist.starter.open_base import SMOLLM2

# Where it lies on this computer, looked up before the tests get a home of their own.
with only_looked_at():
    _BASE = SMOLLM2.file
    _LACKING = SMOLLM2.what_is_wrong()


def pytest_configure() -> None:
    # A shell lets what runs in its background ignore Ctrl-C, children included.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def no_base_of_the_user(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """A home without the open base, so that the tests open the small pair, quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(tmp_path_factory.mktemp("home-of-nobody")))
        yield


@pytest.fixture(scope="session")
def real_base() -> Path:
    """The open base as `make dev` has fetched it: a real small model, 98 MB."""
    if _LACKING:
        pytest.skip(f"{_LACKING}; `medassist starter get` fetches it")
    return _BASE
