from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medassist.commands.models import app
from medassist.core import guard
from medassist.core.errors import ModelFileError
from medassist.core.hub import online, token
from medassist.library.errors import LibraryError
from medassist.library.hub.access import require_library
from medassist.library.hub.pull import PullStopped, pull
from medassist.library.hub.pull_plan import make_plan
from medassist.library.registry import load_registry, models_dir
from tests.core.test_gguf_kinds import write_gguf
from tests.library.hub import COMMIT, REPO, HubFiles
from tests.tiny_models import TinyPair

TOKEN = "hf_secretOfTheTests"


@pytest.fixture
def weights(tiny: TinyPair) -> bytes:
    return tiny.base.read_bytes()


def files_under(folder: Path) -> list[str]:
    return sorted(f.name for f in folder.rglob("*") if f.is_file())


def test_a_model_is_fetched_checked_and_listed(hub: HubFiles, weights: bytes) -> None:
    hub.add("tiny.Q4_K_M.gguf", weights)
    plan = make_plan(REPO)
    assert plan.bytes == len(weights)
    assert plan.licence == "apache-2.0"
    name = pull(plan)
    model = load_registry().models[name]
    assert model.path.read_bytes() == weights
    assert model.origin == "pulled"
    assert model.source == f"{REPO}@{COMMIT}"
    assert model.sha256 == plan.files[0].sha256
    assert stat.S_IMODE(model.path.stat().st_mode) == 0o600


def test_what_is_fetched_and_is_no_model_gets_no_name(
    hub: HubFiles, tmp_path: Path
) -> None:
    eyes = write_gguf(tmp_path / "eyes.gguf", "clip", {"general.type": "mmproj"})
    hub.add("tiny.gguf", eyes.read_bytes())
    with pytest.raises(ModelFileError, match="mmproj"):
        pull(make_plan(REPO))
    assert load_registry().models == {}


def test_every_host_is_shown_and_the_user_is_asked_before_each_step(
    hub: HubFiles, weights: bytes
) -> None:
    hub.add("tiny.gguf", weights)
    no = CliRunner().invoke(app, ["pull", REPO], input="n\n")
    assert no.exit_code == 1
    assert hub.own.asked == []
    half = CliRunner().invoke(app, ["pull", REPO], input="y\nn\n")
    assert half.exit_code == 1
    assert hub.storage.asked == []
    assert "127.0.0.1" in half.output
    assert "tiny.gguf" in half.output
    assert "kB" in half.output
    assert load_registry().models == {}
    yes = CliRunner().invoke(app, ["pull", REPO], input="y\ny\n")
    assert yes.exit_code == 0, yes.output
    assert list(load_registry().models) == ["tiny"]


def test_a_download_that_broke_off_goes_on_where_it_was(
    hub: HubFiles, weights: bytes
) -> None:
    place = hub.add("tiny.gguf", weights)

    fetched = 0

    def stop_half_way() -> bool:
        return fetched > 0

    def watcher(what: str, done: int, total: int) -> None:
        nonlocal fetched
        fetched = done

    with pytest.raises(PullStopped, match="kept"):
        pull(make_plan(REPO), watcher=watcher, stopped=stop_half_way)
    assert load_registry().models == {}
    (partial,) = models_dir().rglob("*.unfinished")
    begun = partial.stat().st_size
    assert 0 < begun < len(weights)
    name = pull(make_plan(REPO))
    assert load_registry().models[name].path.read_bytes() == weights
    ranges = [h.get("Range") or h.get("range") for _, p, h in hub.storage.asked]
    assert ranges[-1] == f"bytes={begun}-"
    assert [p for _, p, _ in hub.storage.asked].count(place) == 2
    assert list(models_dir().rglob("*.unfinished")) == []


def test_a_server_that_breaks_off_is_asked_for_the_rest(
    hub: HubFiles, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medassist.core.download.PAUSES", (0.0,))
    place = hub.add("tiny.gguf", weights)
    hub.storage.broken_off[place] = 1
    name = pull(make_plan(REPO))
    assert load_registry().models[name].path.read_bytes() == weights


def test_a_file_with_another_sha256_is_deleted_and_never_listed(
    hub: HubFiles, weights: bytes
) -> None:
    hub.add("tiny.gguf", weights, sha256="0" * 64)
    with pytest.raises(LibraryError, match="sha256"):
        pull(make_plan(REPO))
    assert load_registry().models == {}
    assert files_under(models_dir()) == []


def test_a_file_that_is_no_model_is_never_listed(hub: HubFiles) -> None:
    hub.add("tiny.gguf", b"this is a letter" * 99)
    with pytest.raises(ModelFileError):
        pull(make_plan(REPO))
    assert load_registry().models == {}


def test_after_a_pull_and_after_an_error_the_guard_is_shut(
    hub: HubFiles, weights: bytes
) -> None:
    import socket

    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    hub.add("tiny.gguf", weights, sha256="0" * 64)
    with pytest.raises(LibraryError):
        pull(make_plan(REPO))
    with pytest.raises(ZeroDivisionError), online(["localhost"]):
        raise ZeroDivisionError
    assert guard._opened == set()
    assert before == constants.HF_HUB_OFFLINE
    with pytest.raises(guard.NetworkRefused):
        socket.create_connection(("192.0.2.1", 443), timeout=1)


def test_a_host_that_was_not_shown_is_not_asked(hub: HubFiles, weights: bytes) -> None:
    place = hub.add("tiny.gguf", weights)
    plan = make_plan(REPO)
    hub.storage.redirects[place] = "https://elsewhere.example.org/x"
    with pytest.raises(LibraryError, match=r"elsewhere\.example\.org"):
        pull(plan)
    assert guard._opened == set()


def test_the_token_goes_to_the_hub_alone_and_stands_in_no_message(
    hub: HubFiles, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.add("tiny.gguf", weights)
    found = CliRunner().invoke(app, ["pull", REPO, "--yes"])
    assert found.exit_code == 0, found.output
    sent = [str(headers) for _, _, headers in hub.own.asked]
    assert all(TOKEN in headers for headers in sent)
    assert all(TOKEN not in str(headers) for _, _, headers in hub.storage.asked)
    assert TOKEN not in found.output
    written = [f.read_bytes() for f in models_dir().parent.rglob("*") if f.is_file()]
    assert all(TOKEN.encode() not in content for content in written)


def test_a_token_of_the_keyring_is_taken_where_the_environment_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Keyring:
        @staticmethod
        def get_password(service: str, user: str) -> str:
            assert (service, user) == ("medassist", "huggingface")
            return TOKEN

    monkeypatch.setitem(sys.modules, "keyring", Keyring())
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert token() == TOKEN
    monkeypatch.setenv("HF_TOKEN", "hf_ofTheEnvironment")
    assert token() == "hf_ofTheEnvironment"


@pytest.mark.parametrize("name", ["../../evil.gguf", "/evil.gguf", ".hidden/x.gguf"])
def test_a_name_that_leads_out_of_the_folder_is_no_file(
    hub: HubFiles, weights: bytes, name: str
) -> None:
    hub.add(name, weights)
    with pytest.raises(LibraryError, match="no GGUF file"):
        make_plan(REPO)


def test_of_several_models_one_has_to_be_named(hub: HubFiles, weights: bytes) -> None:
    hub.add("a.gguf", weights)
    hub.add("b.gguf", weights + b"x")
    with pytest.raises(LibraryError, match=r"a\.gguf .*b\.gguf"):
        make_plan(REPO)
    assert [f.name for f in make_plan(REPO, "b.gguf").files] == ["b.gguf"]
    with pytest.raises(LibraryError, match=r"no c\.gguf"):
        make_plan(REPO, "c.gguf")


def test_a_repository_that_is_not_there_is_said(hub: HubFiles) -> None:
    with pytest.raises(LibraryError, match="own/nothing"):
        make_plan("own/nothing")


@pytest.mark.parametrize("repo", ["model", "a/b/c", "../x/y", "own/mo del"])
def test_what_is_no_repository_is_refused_before_anything_is_asked(
    hub: HubFiles, repo: str
) -> None:
    with pytest.raises(LibraryError, match="OWNER/NAME"):
        make_plan(repo)
    assert hub.own.asked == []


def test_an_address_without_tls_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example.org")
    with pytest.raises(LibraryError, match="without TLS"):
        make_plan(REPO)


def test_without_the_package_a_sentence_says_how_to_get_it(
    hub: HubFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(LibraryError, match=r"medassist\[pull\]"):
        make_plan(REPO)


def test_the_removal_of_a_pulled_model_deletes_it_only_when_told(
    hub: HubFiles, weights: bytes
) -> None:
    hub.add("tiny.gguf", weights)
    hub.add_small("card.json", b"{}")
    name = pull(make_plan(REPO))
    path = load_registry().models[name].path
    found = CliRunner().invoke(app, ["remove", name, "--json"])
    assert json.loads(found.output) == {"removed": name, "deleted": []}
    assert path.exists()
    assert pull(make_plan(REPO)) == name  # it is there already: nothing is fetched
    found = CliRunner().invoke(app, ["remove", name, "--delete"])
    assert found.exit_code == 0, found.output
    assert files_under(models_dir()) == []


def test_a_missing_library_is_told_before_the_user_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(LibraryError, match=r"medassist\[pull\]"):
        require_library()
