"""A name stands for a file, or for a sentence that says what it stands for."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medassist import settings
from medassist.core import paths
from medassist.core.card import CardError, read_card
from medassist.core.errors import ModelFileError
from medassist.core.files import (
    NotAFileError,
    copy_whole,
    make_folder,
    open_file,
    open_own,
    read_text,
    sha256_of_file,
    write_whole,
    writing,
)
from medassist.core.gguf import read_header
from medassist.core.proofs import verdict
from medassist.library.errors import LibraryError
from medassist.library.hashes import known_sha256
from medassist.library.prompt_library import read_prompt
from medassist.library.registry import changing, load_registry
from medassist.records.errors import RecordsError
from medassist.records.key import read_key_file
from medassist.records.records_folder import writer_lock
from medassist.session.default_pair import opening
from medassist.settings import SettingsError, load_settings, save_settings
from medassist.tui.first_look import FirstLook, look

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="no named pipes, modes or umask there"
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@contextmanager
def pipe(file: Path) -> Generator[Path]:
    """A named pipe. Who opens it all the same reads nothing, and does not hang."""
    os.mkfifo(file)

    def give_nothing() -> None:
        os.close(os.open(file, os.O_WRONLY))

    writer = threading.Thread(target=give_nothing, daemon=True)
    writer.start()
    try:
        yield file
    finally:
        reader = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        writer.join()
        os.close(reader)
        file.unlink()


def test_a_named_pipe_is_told_as_one_and_not_waited_for(tmp_path: Path) -> None:
    with pipe(tmp_path / "notes") as file, pytest.raises(OSError) as caught:
        open_file(file)
    assert caught.value.strerror == "it is a pipe, not a file"
    assert caught.value.filename == str(file)


def test_a_folder_a_socket_and_a_device_are_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(NotAFileError, match="a folder"):
        open_file(tmp_path)
    with pytest.raises(NotAFileError, match="a device"):
        open_file(Path("/dev/zero"))
    (tmp_path / "link").symlink_to("/dev/zero")
    with pytest.raises(NotAFileError, match="a device"):
        open_file(tmp_path / "link")
    # The name of a socket is bounded, so it is given from inside its folder.
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("sock")
            with pytest.raises(NotAFileError, match="a socket"):
                open_file(Path("sock"))
    finally:
        os.chdir(before)


def test_line_ends_of_other_systems_are_read_as_newlines(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b"one\r\ntwo\rthree\n")
    assert read_text(file) == "one\ntwo\nthree\n"


IN_SENTENCES: list[tuple[str, Callable[[Path], object], type[Exception]]] = [
    ("home/config/settings.toml", lambda _: load_settings(), SettingsError),
    ("home/data/models.json", lambda _: load_registry(), LibraryError),
    ("model.gguf", read_header, ModelFileError),
    ("card.json", read_card, CardError),
    ("model.gguf", sha256_of_file, NotAFileError),
    ("prompt.md", lambda file: read_prompt(file, is_own=True), LibraryError),
    ("key.json", read_key_file, RecordsError),
]


@pytest.mark.parametrize(
    ("name", "read", "error"), IN_SENTENCES, ids=[row[0] for row in IN_SENTENCES]
)
def test_what_the_app_opens_by_name_is_refused_in_a_sentence_where_it_is_a_pipe(
    tmp_path: Path, name: str, read: Callable[[Path], object], error: type[Exception]
) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    with pipe(tmp_path / name) as file, pytest.raises(error) as caught:
        read(file)
    assert "a pipe" in str(caught.value)
    assert file.name in str(caught.value)


def test_pipes_among_what_the_program_remembers_are_passed_over(
    home: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"")
    with pipe(paths.cache_dir() / "hashes.json"):
        assert known_sha256(model) is None
    with pipe(tmp_path / "verify.json"):
        assert verdict(model, lambda _: "") == "not verified"
    with pipe(paths.config_dir() / "settings.toml"):
        assert look() == FirstLook()
    with pipe(paths.data_dir() / "models.json"):
        assert opening(None, None, None, None).is_starter


# Locks.


def test_a_lock_that_is_a_link_is_refused_and_what_it_leads_to_left_alone(
    home: Path, tmp_path: Path
) -> None:
    other = tmp_path / "letter.txt"
    other.write_text("Dear colleague")
    other.chmod(0o644)
    lock = paths.data_dir() / ".models.json.lock"
    lock.symlink_to(other)
    with pytest.raises(LibraryError, match="a link, which is not followed"), changing():
        pass
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "records.lock").symlink_to(other)
    with pytest.raises(RecordsError, match="a link, which is not followed"):
        writer_lock(tmp_path / "records")
    assert other.read_text() == "Dear colleague"
    assert stat.S_IMODE(other.stat().st_mode) == 0o644


def test_a_lock_that_leads_nowhere_makes_no_file_there(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "made")
    with pytest.raises(NotAFileError):
        open_own(tmp_path / "lock")
    assert not (tmp_path / "made").exists()


def test_a_lock_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(NotAFileError, match="a pipe"):
        open_own(tmp_path / "lock")


# What is written.


def test_settings_that_are_a_link_are_written_where_it_leads(
    home: Path, tmp_path: Path
) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    own = dotfiles / "medassist.toml"
    own.write_text("# mine\nlock_minutes = 3\n")
    link = settings.settings_file()
    link.symlink_to(Path("..") / ".." / "dotfiles" / "medassist.toml")
    save_settings(load_settings().model_copy(update={"clipboard_seconds": 5}))
    assert link.is_symlink()
    assert own.read_text() == "# mine\nlock_minutes = 3\nclipboard_seconds = 5\n"
    assert [file.name for file in dotfiles.iterdir()] == [own.name]


def test_a_link_that_leads_nowhere_yet_gets_its_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("made")
    write_whole(tmp_path / "link", "content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "made").read_text() == "content"


def test_links_in_a_circle_are_an_error_and_stay(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(OSError, match="symbolic links"):
        write_whole(tmp_path / "one", "content")
    assert (tmp_path / "one").is_symlink()


def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/null")
    with pytest.raises(NotAFileError, match="a device"):
        write_whole(tmp_path / "link", "content")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotAFileError, match="a pipe"):
        write_whole(tmp_path / "pipe", "content")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="gives a link to another user"
)
def test_a_link_that_another_user_made_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    link = tmp_path / "link"
    link.symlink_to("mine")
    os.chown(link, 65534, 65534, follow_symlinks=False)
    with pytest.raises(PermissionError, match="another user"):
        write_whole(link, "content")
    assert (tmp_path / "mine").read_text() == "mine"


# The umask.


@pytest.fixture
def open_umask() -> Generator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_every_folder_that_is_missing_is_made_for_the_user_alone(
    tmp_path: Path,
) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    for made in ("a", "a/b", "a/b/c"):
        assert stat.S_IMODE((tmp_path / made).stat().st_mode) == 0o700


@pytest.mark.usefixtures("open_umask")
def test_the_home_itself_is_for_the_user_alone(home: Path) -> None:
    save_settings(load_settings().model_copy(update={"clipboard_seconds": 5}))
    with changing():
        pass
    found = [home, *home.rglob("*")]
    assert len(found) >= 5
    for path in found:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


# Whole or not at all.


def test_what_fails_half_way_leaves_what_stood_there(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="full"), writing(file) as out:
        out.write(b"new")
        out.flush()
        raise RuntimeError("full")
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_half_that_a_kill_has_left_is_replaced_by_the_next_call(
    tmp_path: Path,
) -> None:
    (tmp_path / "source").write_bytes(b"x" * 1000)
    kill = (
        "import os, signal, sys; from pathlib import Path;"
        "from medassist.core.files import writing\n"
        "with writing(Path(sys.argv[1]), alone=True) as out:\n"
        "    out.write(b'y' * 5000); out.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", kill, str(tmp_path / "copy")], check=False)
    assert {path.name for path in tmp_path.iterdir()} == {"source", ".copy.unfinished"}
    copy_whole(tmp_path / "source", tmp_path / "copy")
    assert {path.name for path in tmp_path.iterdir()} == {"source", "copy"}
    assert (tmp_path / "copy").read_bytes() == b"x" * 1000


@pytest.mark.usefixtures("open_umask")
def test_a_large_file_is_for_the_user_alone_while_it_is_written(tmp_path: Path) -> None:
    with writing(tmp_path / "file", 0o644, alone=True):
        (half,) = tmp_path.iterdir()
        assert stat.S_IMODE(half.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


def test_hashing_a_large_file_says_how_far_it_is(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    content = bytes(range(256)) * 10_000
    file.write_bytes(content)
    told: list[tuple[str, int, int]] = []
    found = sha256_of_file(
        file, lambda what, done, total: told.append((what, done, total))
    )
    assert found == hashlib.sha256(content).hexdigest()
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert len(told) > 2
    assert told[-1] == ("checking model.gguf", len(content), len(content))
