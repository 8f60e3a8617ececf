"""A file arrives whole and as announced, or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from finetune.data.fetch.download_plan import place_of
from finetune.errors import FinetuneError
from medassist.core.download import Checksum, Got, Wanted, get
from medassist.core.errors import NetworkError
from medassist.core.network import connected
from medassist.core.progress import unwatched
from tests.finetune.data.fetch.server import FakeService

CONTENT = os.urandom(300_000)
SHA = hashlib.sha256(CONTENT).hexdigest()


def fetch(
    service: FakeService, folder: Path, checksum: Checksum | None = None, **more: object
) -> Got:
    size = more.get("size")
    assert size is None or isinstance(size, int)
    wanted = Wanted(f"{service.url}/a.bin", "data/a.bin", size, checksum)
    with connected(["127.0.0.1"]) as client:
        return get(client, wanted, place_of(wanted, folder), unwatched)


def only_file(folder: Path) -> bytes:
    (file,) = (f for f in folder.rglob("*") if f.is_file())
    assert file == folder / "data" / "a.bin"
    return file.read_bytes()


def test_a_file_is_downloaded_once(service, tmp_path):
    service.files["/a.bin"] = CONTENT
    got = fetch(service, tmp_path, Checksum("sha256", SHA))
    assert (got.sha256, got.size, got.was_there) == (SHA, len(CONTENT), False)
    assert only_file(tmp_path) == CONTENT
    assert fetch(service, tmp_path, Checksum("sha256", SHA)).was_there
    assert len(service.asked) == 1


def test_a_body_that_breaks_off_goes_on_where_it_was(service, tmp_path):
    service.files["/a.bin"] = CONTENT
    service.broken_off["/a.bin"] = 2
    fetch(service, tmp_path, Checksum("sha256", SHA))
    assert only_file(tmp_path) == CONTENT
    ranges = [headers.get("Range") for _, _, headers in service.asked]
    assert ranges[0] is None
    assert ranges[1] == f"bytes={len(CONTENT) // 2}-"
    assert len(ranges) == 3


def test_a_later_command_goes_on_with_what_an_earlier_one_received(service, tmp_path):
    service.files["/a.bin"] = CONTENT
    service.broken_off["/a.bin"] = 99
    with pytest.raises(NetworkError, match="what was received is kept"):
        fetch(service, tmp_path)
    received = sum(f.stat().st_size for f in tmp_path.rglob("*.unfinished"))
    assert len(CONTENT) // 2 <= received < len(CONTENT)
    service.broken_off.clear()
    fetch(service, tmp_path)
    assert only_file(tmp_path) == CONTENT
    assert service.asked[-1][2]["Range"] == f"bytes={received}-"


def test_a_file_that_changed_meanwhile_is_not_pieced_together(service, tmp_path):
    service.files["/a.bin"] = CONTENT
    service.broken_off["/a.bin"] = 99
    with pytest.raises(NetworkError):
        fetch(service, tmp_path)
    service.files["/a.bin"] = changed = CONTENT[::-1]
    service.broken_off.clear()
    fetch(service, tmp_path)
    assert only_file(tmp_path) == changed


def test_a_server_without_ranges_is_asked_from_the_start(service, tmp_path):
    service.files["/a.bin"] = CONTENT
    service.ranges = False
    service.broken_off["/a.bin"] = 1
    fetch(service, tmp_path)
    assert only_file(tmp_path) == CONTENT


def test_a_wrong_checksum_leaves_no_file(service, tmp_path):
    service.files["/a.bin"] = CONTENT
    with pytest.raises(NetworkError, match=r"md5 is \w+, not 000.*thrown away"):
        fetch(service, tmp_path, Checksum("md5", "0" * 32))
    assert not [f for f in tmp_path.rglob("*") if f.is_file()]


def test_a_wrong_size_leaves_no_file(service, tmp_path):
    service.files["/a.bin"] = CONTENT
    with pytest.raises(NetworkError, match="300000 bytes instead of 5"):
        fetch(service, tmp_path, size=5)
    assert not [f for f in tmp_path.rglob("*") if f.is_file()]


def test_a_broken_copy_here_is_downloaded_anew(service, tmp_path):
    service.files["/a.bin"] = CONTENT
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.bin").write_bytes(b"old")
    assert not fetch(service, tmp_path, Checksum("sha256", SHA)).was_there
    assert only_file(tmp_path) == CONTENT


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(service, tmp_path):
    service.files["/a.bin"] = CONTENT
    service.busy["/a.bin"] = 2
    fetch(service, tmp_path)
    assert len(service.asked) == 3
    service.files.clear()
    with pytest.raises(NetworkError, match=r"is not there \(404\)"):
        fetch(service, tmp_path / "other")
    assert len(service.asked) == 4


def test_a_server_that_stays_busy_is_left_alone_in_the_end(service, tmp_path):
    service.busy["/a.bin"] = 99
    with pytest.raises(NetworkError, match=r"answers 503 \(4 tries\)"):
        fetch(service, tmp_path)


def test_a_redirect_to_a_host_that_was_not_named_is_refused(service, tmp_path):
    service.redirects["/a.bin"] = "https://elsewhere.example/a.bin"
    with pytest.raises(NetworkError, match=r"sends us on to elsewhere\.example"):
        fetch(service, tmp_path)


def test_a_token_does_not_follow_a_redirect(service, tmp_path):
    from tests.finetune.data.fetch.server import serving

    with serving(FakeService(files={"/b": CONTENT})) as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        service.redirects["/a.bin"] = f"{elsewhere}/b"
        wanted = Wanted(f"{service.url}/a.bin", "a", token="hf_secret")
        with connected(["127.0.0.1", "localhost"]) as client:
            get(client, wanted, tmp_path / "a", unwatched)
        assert service.asked[0][2]["Authorization"] == "Bearer hf_secret"
        assert "Authorization" not in other.asked[0][2]


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", "", "c:/a"])
def test_names_that_lead_out_of_the_folder_are_refused(name, tmp_path):
    with pytest.raises(FinetuneError, match="cannot be stored as"):
        place_of(Wanted("http://127.0.0.1:1/x", name), tmp_path)


def test_only_encrypted_connections_leave_this_computer(tmp_path):
    with (
        connected(["example.org"]) as client,
        pytest.raises(NetworkError, match="not encrypted"),
    ):
        get(client, Wanted("http://example.org/x", "x"), tmp_path / "x", unwatched)
