from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from finetune.commands import app
from finetune.errors import FinetuneError
from finetune.push import make_plan, push
from finetune.report.write import write_report
from tests.finetune.report.example_run import write_text
from tests.finetune.report.fake_hub import TOKEN, FakeHub, fake_hub

SENT = {
    "README.md",
    "card.json",
    "recipe.yaml",
    "training.json",
    "metrics.jsonl",
    "adapter_config.json",
    "adapter_model.safetensors",
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with fake_hub() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield found


@pytest.fixture
def told_run(run: Path) -> Path:
    write_report(run)
    return run


def test_a_push_sends_the_adapter_and_its_card_whole(
    told_run: Path, hub: FakeHub
) -> None:
    done = push(make_plan(told_run, "our/model", private=True))
    weights = (told_run / "adapter" / "adapter_model.safetensors").read_bytes()
    name = hashlib.sha256(weights).hexdigest()
    assert hub.repos == {"our/model": True}
    assert set(hub.committed) == SENT
    assert hub.stored[name] == weights
    assert hub.committed["adapter_model.safetensors"] == name
    assert hub.committed["README.md"] == (told_run / "README.md").read_bytes()
    assert done.url == f"{hub.address}/our/model/commit/{'c' * 40}"


def test_held_out_questions_are_sent_only_when_asked_for(
    told_run: Path, hub: FakeHub
) -> None:
    push(make_plan(told_run, "our/model"))
    texts = b"".join(c for c in hub.committed.values() if isinstance(c, bytes))
    assert b"What is disease number" not in texts
    assert b"nobody must see" not in texts
    push(make_plan(told_run, "our/model", with_evaluation=True))
    assert set(hub.committed) == SENT | {
        "evaluation.json",
        "report.html",
        "slides.pptx",
    }


def test_a_push_goes_to_the_branch_that_was_named(told_run: Path, hub: FakeHub) -> None:
    push(make_plan(told_run, "our/model", revision="second"))
    assert hub.branches == ["second"]
    assert any(found.endswith("/commit/second") for found in hub.requests)


def test_a_refused_token_is_said_and_never_shown(
    told_run: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_anotherSecret")
    with pytest.raises(FinetuneError, match="refused the token") as caught:
        push(make_plan(told_run, "our/model"))
    assert "hf_anotherSecret" not in str(caught.value)
    assert hub.committed == {}


def test_without_a_token_nothing_is_asked(
    told_run: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(FinetuneError, match="there is no token"):
        push(make_plan(told_run, "our/model"))
    assert hub.requests == []


def test_a_broken_upload_commits_nothing(told_run: Path, hub: FakeHub) -> None:
    hub.fails_on = "/storage/"
    with pytest.raises(FinetuneError, match=r"(?i)nothing was committed") as caught:
        push(make_plan(told_run, "our/model"))
    assert TOKEN not in str(caught.value)
    assert hub.committed == {}


def test_a_storage_that_nobody_knows_gets_nothing(told_run: Path, hub: FakeHub) -> None:
    hub.storage = "https://storage.example.org"
    with pytest.raises(FinetuneError, match=r"--storage-host storage\.example\.org"):
        push(make_plan(told_run, "our/model"))
    assert hub.committed == {} and hub.stored == {}


def test_after_a_push_the_guard_is_shut_and_the_hub_is_offline_again(
    told_run: Path, hub: FakeHub
) -> None:
    from huggingface_hub import constants

    from medassist.core import guard

    before = constants.HF_HUB_OFFLINE
    push(make_plan(told_run, "our/model"))
    assert before == constants.HF_HUB_OFFLINE
    assert guard._opened == set()


def test_the_user_is_shown_everything_and_asked_first(
    told_run: Path, hub: FakeHub
) -> None:
    found = CliRunner().invoke(app, ["push", str(told_run), "our/model"], input="n\n")
    assert found.exit_code == 1
    assert hub.requests == []
    for name in SENT:
        assert name in found.output
    assert hub.address.removeprefix("http://") in found.output
    assert TOKEN not in found.output
    assert "names a folder of this computer (/home/somebody/sets/medquad" in (
        found.output
    )


def test_yes_sends_without_asking(told_run: Path, hub: FakeHub) -> None:
    found = CliRunner().invoke(app, ["push", str(told_run), "our/model", "--yes"])
    assert found.exit_code == 0, found.output
    assert set(hub.committed) == SENT


@pytest.mark.parametrize("name", ["model", "our/model/x", "../x/y", "our/mo del"])
def test_a_name_that_is_no_repository_is_refused(told_run: Path, name: str) -> None:
    with pytest.raises(FinetuneError, match="USER/NAME"):
        make_plan(told_run, name)


def test_an_address_without_tls_is_refused(
    told_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example.org")
    with pytest.raises(FinetuneError, match="without TLS"):
        make_plan(told_run, "our/model")


def test_a_run_without_adapter_or_card_is_refused(run: Path) -> None:
    with pytest.raises(FinetuneError, match=r"README\.md is not there"):
        make_plan(run, "our/model")
    write_text(run / "README.md", "x")
    (run / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(FinetuneError, match="nothing to push"):
        make_plan(run, "our/model")


def test_a_hub_that_cannot_be_reached_is_said(
    told_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_hub() as hub:
        address = hub.address
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(FinetuneError, match=r"(?i)nothing was"):
        push(make_plan(told_run, "our/model"))
