import stat
import sys
from pathlib import Path

import pytest

from medassist.core.errors import SettingsError
from medassist.core.settings_file import settings_file
from medassist.core.values import Sampling
from medassist.settings import Settings, load_settings, save_settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path))
    return tmp_path


def written(text: str) -> Path:
    file = settings_file()
    file.write_text(text, encoding="utf-8")
    return file


def test_without_a_file_the_defaults_hold() -> None:
    assert load_settings() == Settings()


def test_what_is_saved_is_read_again() -> None:
    settings = Settings(
        theme="textual-light",
        mode="in-turn",
        keys={"send": "ctrl+j", "stop": "f12"},
        sampling=Sampling(temperature=0, max_tokens=None, stop=("\n\n", "Q:")),
        context=2048,
        kv="q8_0",
        threads=3,
        gpu_layers=0,
        intended_use_accepted=3,
    )
    save_settings(settings)
    assert load_settings() == settings


def test_a_setting_that_is_taken_back_is_gone_from_the_file() -> None:
    save_settings(Settings(context=2048, keys={"send": "f9"}))
    save_settings(Settings())
    assert load_settings() == Settings()
    assert "2048" not in settings_file().read_text()
    assert "f9" not in settings_file().read_text()


def test_defaults_are_not_written() -> None:
    save_settings(Settings(threads=2))
    assert settings_file().read_text().split() == ["threads", "=", "2"]


def test_a_top_level_setting_added_later_stays_out_of_the_tables() -> None:
    written("[sampling]\ntemperature = 0.5\n\n[keys]\nsend = 'f9'\n")
    save_settings(load_settings().model_copy(update={"threads": 2, "kv": "q8_0"}))
    found = load_settings()
    assert (found.threads, found.kv) == (2, "q8_0")
    assert found.sampling.temperature == 0.5
    assert found.keys == {"send": "f9"}


def test_comments_of_the_user_stay() -> None:
    written("# my laptop\nthreads = 4  # not all of them\n\n[sampling]\n# calm\nseed=1")
    save_settings(load_settings().model_copy(update={"threads": 3}))
    text = settings_file().read_text()
    for kept in ("# my laptop", "threads = 3  # not all of them", "# calm", "seed=1"):
        assert kept in text


@pytest.mark.skipif(sys.platform == "win32", reason="no modes on Windows")
def test_the_file_is_for_the_user_alone() -> None:
    save_settings(Settings(threads=2))
    assert stat.S_IMODE(settings_file().stat().st_mode) == 0o600


def test_a_failed_write_leaves_the_old_settings_and_no_litter(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    save_settings(Settings(threads=2))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SettingsError, match=r"settings\.toml.*No space left"):
        save_settings(Settings(threads=3))
    assert load_settings().threads == 2
    assert list(settings_file().parent.iterdir()) == [settings_file()]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("threads = 2\ncontxt = 4096\n", ["line 2", "contxt", "did you mean context?"]),
        ("[sampling]\n\ntemprature = 1\n", ["line 3", "mean temperature?"]),
        ("zzz = 1\n", ["line 1", "zzz", "known: theme, mode"]),
        ("context = 4\n", ["line 1", "context = 4", "64"]),
        ("mode = 'both'\n", ["line 1", "'both'", "together", "in-turn"]),
        ("[sampling]\ntop_p = 7\n", ["line 2", "sampling.top_p = 7"]),
        ("sampling.seed = -1\n", ["line 1", "sampling.seed"]),
        ("threads = = 2\n", ["not TOML", "line 1"]),
        ("sampling = 3\n", ["line 1", "sampling"]),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_key(
    text: str, says: list[str]
) -> None:
    file = written(text)
    with pytest.raises(SettingsError) as error:
        load_settings()
    for part in (str(file), *says):
        assert part in str(error.value)


def test_a_file_that_is_no_text_is_named() -> None:
    file = settings_file()
    file.write_bytes(b"theme = '\xff'\n")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_settings()


def test_a_folder_in_its_place_is_named() -> None:
    settings_file().mkdir()
    with pytest.raises(SettingsError, match=r"settings\.toml"):
        load_settings()


def test_zero_max_tokens_means_until_the_answer_ends() -> None:
    written("[sampling]\nmax_tokens = 0\n")
    assert load_settings().sampling.max_tokens is None
