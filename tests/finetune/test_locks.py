"""What keeps two runs apart is a file of the run's own and no link to another."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from finetune.data.pipeline.preparation_lock import MAIN, WORKERS
from finetune.data.pipeline.preparation_lock import locked as prepared_alone
from finetune.errors import FinetuneError
from finetune.train.training_folder import locked as trained_alone

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no locks")


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    file = tmp_path / "letter.txt"
    file.write_text("Dear colleague")
    return file


@pytest.mark.parametrize("name", [MAIN, WORKERS])
def test_a_preparation_writes_into_no_file_that_its_lock_leads_to(
    tmp_path: Path, letter: Path, name: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / name).symlink_to(letter)
    with pytest.raises(FinetuneError, match="a link"), prepared_alone(data):
        pass
    assert letter.read_text() == "Dear colleague"


def test_a_training_takes_no_link_for_its_lock(tmp_path: Path, letter: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / ".lock").symlink_to(letter)
    with pytest.raises(FinetuneError, match="a link"), trained_alone(run):
        pass
    with trained_alone(tmp_path):
        assert (tmp_path / ".lock").is_file()
        with pytest.raises(FinetuneError, match="at work"), trained_alone(tmp_path):
            pass
