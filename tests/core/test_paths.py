import stat
import sys
from pathlib import Path

import pytest

from medassist.core import paths

ALL = [paths.config_dir, paths.data_dir, paths.cache_dir]
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="no modes on Windows")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path / "a home"))
    return tmp_path / "a home"


def test_all_of_it_lies_under_the_home_that_is_named(home: Path) -> None:
    found = {folder() for folder in ALL}
    assert len(found) == 3
    assert {folder.parent for folder in found} == {home}
    assert all(folder.is_dir() for folder in found)


@posix_only
def test_folders_are_for_the_user_alone(home: Path) -> None:
    for folder in ALL:
        assert stat.S_IMODE(folder().stat().st_mode) == 0o700


@posix_only
def test_a_folder_that_others_could_read_is_closed(home: Path) -> None:
    (home / "data").mkdir(parents=True, mode=0o755)
    assert stat.S_IMODE(paths.data_dir().stat().st_mode) == 0o700


@pytest.mark.skipif(sys.platform != "linux", reason="XDG folders are Linux's")
def test_without_it_they_lie_where_the_desktop_keeps_such_things(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDASSIST_HOME", raising=False)
    for kind in ("CONFIG", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    assert paths.config_dir() == tmp_path / "CONFIG" / "medassist"
    assert paths.data_dir() == tmp_path / "DATA" / "medassist"
    assert paths.cache_dir() == tmp_path / "CACHE" / "medassist"
