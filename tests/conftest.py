from __future__ import annotations

import gc
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import psutil
import pytest

from medassist.core.paths import HOME_VARIABLE, only_looked_at
from medassist.starter.open_base import SMOLLM2

# Where it lies on this computer, looked up before the tests get a home of their own.
with only_looked_at():
    _BASE = SMOLLM2.file
    _LACKING = SMOLLM2.what_is_wrong()

ONE_PROCESS_BYTES = 2 * 2**30
"""What a process that runs tests may need, with torch in it."""
LONG = (
    "finetune/sagemaker/test_life.py",
    "finetune/sagemaker/container/test_entry.py",
    "finetune/starter/test_adapters.py",
    "finetune/starter/test_make_starter.py",
    "finetune/train/test_gguf_base.py",
    "finetune/train/test_processes.py",
    "real_base/test_convert.py",
    "convert/test_plain_template.py",
    "convert/test_run.py",
    "convert/test_text_ends.py",
    "convert/test_trained_on_gguf.py",
    "e2e/test_no_network.py",
)
"""Files whose tests are few and take many seconds each."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as cores: many a test waits for a screen, a page, a child."""
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    room = psutil.virtual_memory().available // ONE_PROCESS_BYTES
    return max(1, min(cores + (cores + 1) // 2, room))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported stays: to look through it for garbage takes seconds."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Where processes share the files, they begin with those that take longest."""
    if hasattr(config, "workerinput"):
        tests = Counter(item.path for item in items)
        long = {Path(__file__).parent / name for name in LONG}
        items.sort(key=lambda item: (item.path not in long, -tests[item.path]))


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
