"""What goes online when it is asked to, where a proxy is the only way out."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from finetune.commands import app as finetune
from finetune.data.fetch import web
from finetune.errors import FinetuneError
from medassist.commands.models import app as models
from medassist.core import guard
from medassist.core.errors import SettingsError
from medassist.core.settings_file import settings_file, way_out
from medassist.core.way_out import WayOut
from medassist.library.errors import LibraryError
from medassist.library.registry import load_registry
from medassist.settings import Settings, load_settings, save_settings
from tests.finetune.data.fetch.server import FakeService, serving
from tests.finetune.report.example_run import write_run, write_text
from tests.finetune.report.fake_hub import TOKEN, fake_hub
from tests.forwarding_proxy import Hospital, hospital
from tests.library.hub import REPO, HubFiles
from tests.tiny_models import write_pair

LOGIN = "me:geheim"
HUB = "https://hub.example"
FILES = "https://files.example"
DATA = "https://data.example"


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hospital]:
    """A user behind a proxy that wants a password, with empty settings."""
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "no-ollama"))
    monkeypatch.setenv("HF_ENDPOINT", HUB)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with hospital(tmp_path, LOGIN) as found:
        yield found
    assert guard._opened == set()


@pytest.fixture
def hub(network: Hospital) -> Iterator[HubFiles]:
    """A Hub that is reached by the proxy alone, and its storage."""
    with (
        serving(FakeService(), network.tls) as own,
        serving(FakeService(), network.tls) as storage,
    ):
        network.proxy.stands_for("hub.example", own.url)
        network.proxy.stands_for("files.example", storage.url)
        own.url, storage.url = HUB, FILES
        yield HubFiles(own, storage)


def settings_name(network: Hospital, ca_file: Path | None = None) -> None:
    save_settings(
        Settings(network=WayOut(network.proxy.url, str(ca_file or network.ca_file)))
    )


def run(app: object, *words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])  # type: ignore[arg-type]


def hosts(network: Hospital) -> set[str]:
    return {line.partition(" ")[2] for line in network.proxy.asked}


def without_login(result: Result) -> str:
    told = result.output + str(result.exception)
    assert "geheim" not in told
    return told


def test_a_model_is_pulled_by_the_proxy_of_the_settings(
    network: Hospital, hub: HubFiles, tmp_path: Path
) -> None:
    settings_name(network)
    weights = write_pair(tmp_path / "tiny").base.read_bytes()
    hub.add("tiny.gguf", weights)
    found = CliRunner().invoke(models, ["pull", REPO], input="y\ny\n")
    assert found.exit_code == 0, without_login(found)
    assert load_registry().models["tiny"].path.read_bytes() == weights
    assert hosts(network) == {"hub.example:443", "files.example:443"}
    shown = f"through the proxy http://…@127.0.0.1:{network.proxy.port}"
    assert f"Ask hub.example {shown} which files" in without_login(found)


def test_a_model_is_pulled_by_the_proxy_of_the_command(
    network: Hospital, hub: HubFiles, tmp_path: Path
) -> None:
    save_settings(Settings(network=WayOut("http://127.0.0.1:9", str(network.ca_file))))
    hub.add("tiny.gguf", write_pair(tmp_path / "tiny").base.read_bytes())
    found = run(models, "pull", REPO, "--yes", "--json", "--proxy", network.proxy.url)
    assert found.exit_code == 0, without_login(found)
    assert json.loads(found.stdout)["model"] == "tiny"
    without_login(found)


def test_without_a_proxy_nothing_goes_there(network: Hospital, hub: HubFiles) -> None:
    hub.add("tiny.gguf", b"x")
    settings_name(network)
    for words in (["--proxy", ""], []):
        if not words:
            save_settings(Settings())
        found = run(models, "pull", REPO, "--yes", *words)
        assert isinstance(found.exception, LibraryError)
        assert "hub.example cannot be looked up" in str(found.exception)
    assert network.proxy.asked == []


def test_a_pull_behind_a_proxy_whose_authority_is_unknown_is_a_sentence(
    network: Hospital, hub: HubFiles
) -> None:
    hub.add("tiny.gguf", b"x")
    settings_name(network, network.other_ca_file)
    found = run(models, "pull", REPO, "--yes")
    assert isinstance(found.exception, LibraryError)
    assert "not trusted" in without_login(found)
    assert hub.own.asked == []


def test_a_refused_password_of_the_proxy_is_a_sentence(
    network: Hospital, hub: HubFiles
) -> None:
    address = f"http://me:geheimnis@127.0.0.1:{network.proxy.port}"
    found = run(models, "pull", REPO, "--yes", "--proxy", address)
    assert isinstance(found.exception, LibraryError)
    assert "wants a name and a password" in without_login(found)


def test_a_data_set_of_a_repository_is_fetched_by_the_proxy(
    network: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_name(network)
    entry = web.WebFile(url=f"{DATA}/a.csv", file="a.csv")
    monkeypatch.setattr(web, "catalogue", lambda: {"mts-dialog": (entry,)})
    with serving(FakeService(files={"/a.csv": b"a,b\n"}), network.tls) as service:
        network.proxy.stands_for("data.example", service.url)
        found = run(finetune, "fetch", "mts-dialog", "--out", tmp_path / "out")
    assert found.exit_code == 0, without_login(found)
    assert (tmp_path / "out" / "a.csv").read_bytes() == b"a,b\n"
    assert hosts(network) == {"data.example:443"}
    assert "through the proxy http://…@127.0.0.1" in without_login(found)
    assert "geheim" not in (tmp_path / "out" / "fetched.json").read_text()


def test_a_data_set_of_the_hub_is_fetched_by_the_proxy(
    network: Hospital, hub: HubFiles, tmp_path: Path
) -> None:
    settings_name(network)
    info = {"id": "own/set", "sha": "abc123", "siblings": []}
    hub.own.answers["/api/datasets/own/set/revision/main"] = lambda _: json.dumps(
        info
    ).encode()
    tree = [{"type": "file", "path": "a.txt", "size": 5, "oid": "0"}]
    hub.own.answers["/api/datasets/own/set/tree/abc123"] = lambda _: json.dumps(
        tree
    ).encode()
    words = ("table", "--out", tmp_path / "out", "--repo", "own/set", "--dry-run")
    found = run(finetune, "fetch", *words)
    assert found.exit_code == 0, without_login(found)
    assert "a.txt" in found.stdout
    assert hosts(network) == {"hub.example:443"}


def test_a_data_set_of_kaggle_is_fetched_by_the_proxy(
    network: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kagglesdk import kaggle_env

    settings_name(network)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, DATA)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr("train.csv", "input,output\nq,a\n")
    root = "/api/v1/datasets.DatasetApiService/"
    words = ("table", "--out", tmp_path / "out", "--repo", "kaggle:own/set")
    refused = run(finetune, "fetch", *words)
    assert isinstance(refused.exception, FinetuneError)
    without_login(refused)
    with serving(FakeService(), network.tls) as service:
        service.answers[f"{root}GetDataset"] = lambda _: b'{"currentVersionNumber": 3}'
        service.files[f"{root}DownloadDataset"] = packed.getvalue()
        network.proxy.stands_for("data.example", service.url)
        found = run(finetune, "fetch", *words)
    assert found.exit_code == 0, without_login(found)
    assert [f.name for f in (tmp_path / "out").glob("*.csv")] == ["train.csv"]
    assert hosts(network) == {"data.example:443"}
    network.proxy.asked.clear()
    save_settings(Settings())
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, network.proxy.url)
    shutil.rmtree(tmp_path / "out")
    monkeypatch.setattr("finetune.data.fetch.kaggle.HOSTS", ("127.0.0.1",))
    refused = run(finetune, "fetch", *words)
    assert "works offline" in str(refused.exception)
    assert network.proxy.asked == []


def test_a_run_is_pushed_by_the_proxy(
    network: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    folder = write_run(tmp_path / "run")
    write_text(folder / "README.md", "# ours")
    save_settings(Settings(network=WayOut(ca_file=str(network.ca_file))))
    words = ("push", folder, "our/model", "--yes", "--proxy", network.proxy.url)
    with fake_hub(network.tls) as served:
        network.proxy.stands_for("hub.example", served.address)
        served.address = HUB
        found = run(finetune, *words)
        assert found.exit_code == 0, without_login(found)
        assert "adapter_model.safetensors" in served.committed
    assert hosts(network) == {"hub.example:443"}
    without_login(found)


def test_a_push_through_a_wrong_authority_commits_nothing_and_says_why(
    network: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    folder = write_run(tmp_path / "run")
    write_text(folder / "README.md", "# ours")
    settings_name(network, network.other_ca_file)
    with fake_hub(network.tls) as served:
        network.proxy.stands_for("hub.example", served.address)
        found = run(finetune, "push", folder, "our/model", "--yes")
        assert served.requests == []
    assert isinstance(found.exception, FinetuneError)
    assert "not trusted" in without_login(found)


# The settings


def test_the_way_out_is_read_with_and_without_the_other_settings(
    network: Hospital,
) -> None:
    assert way_out() == WayOut()
    settings_name(network)
    expected = WayOut(network.proxy.url, str(network.ca_file))
    assert load_settings().network == way_out() == expected
    assert way_out("http://other:1") == WayOut("http://other:1", expected.ca_file)
    assert way_out("").proxy == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[network]\nproxi = 'http://me:geheim@box'\n", ["line 2", "mean proxy?"]),
        ("[network]\nproxy = 'me:geheim@box:1'\n", ["line 1", "no address of a proxy"]),
        ("[network]\nproxy = ['http://me:geheim@box']\n", ["line 2", "network.proxy"]),
        ("network = 'http://me:geheim@box'\n", ["line 1", "network is not allowed"]),
    ],
)
def test_what_is_wrong_in_the_table_is_told_alike_and_without_the_password(
    network: Hospital, text: str, says: list[str]
) -> None:
    settings_file().write_text(text)
    for read in (load_settings, way_out):
        with pytest.raises(SettingsError) as caught:
            read()
        assert all(part in str(caught.value) for part in says), caught.value
        assert "geheim" not in str(caught.value)
