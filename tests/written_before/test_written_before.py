"""What earlier versions wrote is opened, gone on with and published by this one.

`version-X.tar.xz` was written by version X with its own commands: a home (settings,
list of models, encrypted records), `run` (prepared, trained, evaluated, converted)
and `half`, a training that was stopped at step 7 of 40. A new version that changes a
format adds an archive and leaves the older ones.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from convert.commands import app as convert
from finetune.commands import app as finetune
from medassist.commands.models import app as models
from medassist.consult.turn import Turn
from medassist.core.card import read_card
from medassist.records.vault import Vault
from medassist.settings import load_settings
from medassist.starter import FOLDER
from tests.convert import go_render
from tests.convert.ollama.fake_ollama import FakeOllama
from tests.records.making import PASSPHRASE

ARCHIVE = Path(__file__).with_name("version-0.1.0.tar.xz")
WRITTEN_IN = "/tmp/written-before"
DEPENDS_ON_MORE = {"adapter", "verify adapter", "Modelfile"}
"""Steps that look at more than they did: the base's weights, where a parameter is from.
Each takes a moment."""
NAMES_PLACES = {"models.json"}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the archive, as if it had been written in this place."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / "written-before"
    for file in folder.rglob("*"):
        if file.name in NAMES_PLACES:
            text = file.read_text("utf-8").replace(WRITTEN_IN, str(folder))
            file.write_text(text, "utf-8")
    monkeypatch.setenv("MEDASSIST_HOME", str(folder / "home"))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "no-ollama"))
    return folder


def test_the_settings_are_read(written: Path) -> None:
    settings = load_settings()

    assert (settings.theme, settings.mode) == ("medassist-light", "in-turn")
    assert settings.keys == {"quit": "ctrl+y"}
    assert settings.sampling.temperature == 0.1
    assert settings.sampling.max_tokens is None
    assert settings.sampling.stop == ("\nQuestion:",)
    options = settings.engine_options
    assert (options.context, options.threads, options.kv) == (1024, 2, "q8_0")
    assert (settings.records, settings.lock_minutes) == ("at-start", 3)
    assert settings.intended_use_accepted == 2


def test_the_list_of_models_is_read_with_how_its_pairs_are_asked(
    written: Path,
) -> None:
    done = CliRunner().invoke(models, ["list", "--json"])
    assert done.exception is None, done.output
    found = json.loads(done.stdout)

    pairs = {pair["name"]: pair for pair in found["pairs"]}
    assert {"run", "evening"} <= set(pairs)
    assert all(not pairs[name].get("missing") for name in ("run", "evening"))
    shown = CliRunner().invoke(models, ["show", "evening"])
    assert shown.exception is None, shown.output
    assert "Answer in two sentences." in shown.stdout


async def test_the_encrypted_records_are_opened_and_hold_what_was_saved(
    written: Path,
) -> None:
    vault = Vault()
    store = await vault.unlock(PASSPHRASE)
    assert store.broken_off == 2
    (pain,), (ankle,) = [await store.search(w) for w in ("potassium", "swollen")]
    first = (await store.reopen(pain.summary.id)).record
    second = (await store.reopen(ankle.summary.id)).record
    await vault.lock()

    branches = first.consultation.branches
    assert [[turn.question for turn in branch] for branch in branches] == [
        ["Chest pain since an hour?", "And with a potassium of 3.0?"],
        ["Chest pain since an hour?", "And with a potassium of 6.8?"],
    ]
    assert first.signed_off is not None
    assert [warning.kind for warning in first.warnings] == ["NAME"]
    turn = branches[0][0]
    assert [flag.rule for flag in first.flags[turn]] == ["acs"]
    assert [verdict.choice for verdict in turn.verdicts] == ["B"]
    assert [text_of(turn, "base"), text_of(turn, "tuned")] == [
        "Give aspirin.",
        "Do an ECG first.",
    ]
    broken_off = second.consultation.turns[-1].shown("base")
    assert broken_off is not None
    assert broken_off.text == "Both ankles swell"


def text_of(turn: Turn, pane: str) -> str:
    answer = turn.shown("base" if pane == "base" else "tuned")
    assert answer is not None
    return answer.text


def test_a_converted_run_is_whole_and_no_model_of_it_is_made_again(
    written: Path,
) -> None:
    run = written / "run"
    before = {f: f.stat().st_mtime_ns for f in run.rglob("*") if f.is_file()}
    done = CliRunner().invoke(
        convert, ["run", str(run), "--types", "Q8_0", "--threads", "1", "--json"]
    )
    assert done.exception is None, done.output
    steps = json.loads(done.stdout)["steps"]

    assert len(steps) == 12
    again = {step["name"] for step in steps if step["state"] != "unchanged"}
    assert again <= DEPENDS_ON_MORE
    for name in ("base-f16", "base-q8_0", "tuned-f16", "tuned-q8_0"):
        file = run / "gguf" / f"{name}.gguf"
        assert file.stat().st_mtime_ns == before[file]
    card = read_card(run / "card.json")
    assert set(card.lineage.gguf) >= {"base-q8_0.gguf", "tuned-q8_0.gguf"}


def test_its_proof_lets_it_be_published(written: Path, tmp_path: Path) -> None:
    if go_render.go() is None:
        pytest.skip("the stand-in for Ollama renders its templates by Go")
    gguf = written / "run" / "gguf" / "tuned-q8_0.gguf"

    def render(template: str, turns: list[dict[str, str]]) -> str:
        return go_render.render([(template, [turns])])[0][0]

    with FakeOllama(tmp_path / "store", render) as server:
        done = CliRunner().invoke(
            convert, ["publish", "before", str(gguf), "--host", server.host, "--json"]
        )
    assert done.exception is None, done.output
    (model,) = json.loads(done.stdout)["models"]
    assert all(check["equal"] for check in model["checks"])


def test_a_training_that_was_stopped_goes_on_to_its_end(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written)  # its recipe names the base from there
    half = written / "half"
    done = CliRunner().invoke(
        finetune,
        ["train", "half", "--resume", "--device", "cpu", "--threads", "1", "-y"],
    )
    assert done.exception is None, done.output

    assert "40 of 40 steps" in done.output
    steps = [json.loads(line) for line in (half / "metrics.jsonl").open("rb")]
    assert [s["step"] for s in steps if s.get("loss") is not None] == [*range(1, 41)]
    assert (half / "adapter" / "adapter_model.safetensors").is_file()


def test_the_pair_in_the_package_has_a_card_that_is_read() -> None:
    assert read_card(FOLDER / "card.json").lineage.gguf
