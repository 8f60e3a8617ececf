from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.finetune.sagemaker.container.jobs import Container, make_wheel
from tests.finetune.train.conftest import Trainings, dialogue
from tests.finetune.train.conftest import llama as llama

STEPS = 20


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def prepared_run(tmp_path_factory: pytest.TempPathFactory, llama: Path) -> Path:
    """A run folder whose base lies nowhere near the container."""
    trainings = Trainings(tmp_path_factory.mktemp("run"), Path("models/not-there"))
    part = {"steps": STEPS, "epochs": 10, "packing": False, "validations": 2}
    return trainings.make("run", [dialogue(i) for i in range(16)], train=part)


@pytest.fixture
def container(
    tmp_path: Path, prepared_run: Path, llama: Path, wheel: Path
) -> Callable[[str], Container]:
    return lambda name: Container(tmp_path / name, prepared_run, llama, wheel)
