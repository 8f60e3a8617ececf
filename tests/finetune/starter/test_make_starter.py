"""From a data folder to a shipped pair, by the road that a user takes."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from gguf import GGUFReader
from rich.console import Console

from convert.errors import ConvertError
from convert.starter_run import convert_run, ship, verify_run
from finetune.errors import FinetuneError
from finetune.starter.make_starter import make_starter
from finetune.starter.starter_recipe import DEFAULT_RECIPE, read_recipe
from medassist.core.card import read_card, write_card


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture(scope="module")
def run(data, recipe_file, tmp_path_factory) -> tuple[Path, str]:
    """A finished, converted run, and what was shown while it was made."""
    out = tmp_path_factory.mktemp("run") / "out"
    console = quiet()
    make_starter(data, out, recipe_file=recipe_file, device="cpu", console=console)
    convert_run(out)
    verify_run(out)
    assert isinstance(console.file, io.StringIO)
    return out, console.file.getvalue()


def test_a_run_leaves_base_adapters_ggufs_modelfile_and_card(run):
    out, _ = run
    for name in (
        "recipe.yaml",
        "data/manifest.json",
        "base/model.safetensors",
        "base/tokenizer.json",
        "adapter-plain/adapter_model.safetensors",
        "adapter-activated/adapter_model.safetensors",
        "gguf/base-q8_0.gguf",
        "gguf/adapter-plain.gguf",
        "gguf/adapter-activated.gguf",
        "gguf/tuned-f16.gguf",
        "Modelfile",
        "metrics.jsonl",
        "card.json",
    ):
        assert (out / name).is_file(), name
    assert not list(out.rglob("*.tmp"))


def test_the_card_has_figures_sources_and_hashes(run):
    out, _ = run
    card = read_card(out / "card.json")
    recipe = read_recipe(out / "recipe.yaml")
    assert card.base is not None
    assert card.base.steps == recipe.base.steps
    assert card.base.tokens == 12 * 4 * 48, "rows of either length, as many tokens"
    assert {s.name for s in card.sources} == {"medquad", "ontology"}
    assert all(s.passages > 0 and s.attribution for s in card.sources)
    assert set(card.lineage.data) == {
        "medquad/medquad-xml.tar.xz",
        "pretrain-corpus/pretrain_corpus.jsonl.xz",
    }
    assert set(card.lineage.gguf) == {
        "base-q8_0.gguf",
        "adapter-plain.gguf",
        "adapter-activated.gguf",
        "tuned-f16.gguf",
    }
    modelfile = (out / "Modelfile").read_text("utf-8")
    assert "FROM ./gguf/tuned-f16.gguf" in modelfile
    assert "ADAPTER" not in modelfile  # Ollama from 0.34.1 on takes none
    assert card.base_answer_loss is not None
    for figures in card.adapters.values():
        assert figures.validation_loss < card.base_answer_loss


def test_progress_is_shown_with_loss_speed_and_time_left(run):
    _, shown = run
    assert "tok/s" in shown
    assert "loss" in shown
    assert "left" in shown
    assert "bits/byte" in shown


def test_every_step_is_written_down(run):
    out, _ = run
    rows = [json.loads(line) for line in (out / "metrics.jsonl").open()]
    base = [row for row in rows if row["stage"] == "base"]
    assert [row["step"] for row in base] == list(range(1, 13))
    assert {row["stage"] for row in rows} == {"base", "plain", "activated"}


def test_a_finished_run_is_not_done_again(run, data):
    out, _ = run
    before = {f: f.stat().st_mtime_ns for f in out.rglob("*.safetensors")}
    make_starter(data, out, device="cpu", resume=True, console=quiet())
    convert_run(out)
    verify_run(out)
    assert before == {f: f.stat().st_mtime_ns for f in out.rglob("*.safetensors")}


def test_what_is_there_is_not_overwritten_without_resume(run, data):
    with pytest.raises(FinetuneError, match="--resume"):
        make_starter(data, run[0], device="cpu", console=quiet())


def test_a_run_is_not_resumed_by_another_recipe(run, data):
    with pytest.raises(FinetuneError, match="differs"):
        make_starter(
            data, run[0], recipe_file=DEFAULT_RECIPE, resume=True, console=quiet()
        )


def test_a_missing_data_folder_is_named(tmp_path, recipe_file):
    with pytest.raises(FinetuneError, match="medquad"):
        make_starter(
            tmp_path / "nowhere",
            tmp_path / "out",
            recipe_file=recipe_file,
            console=quiet(),
        )
    assert not (tmp_path / "out").exists(), "nothing to resume, nothing to delete"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("seed: -1", "seed"),
        ("surprise: 1", "surprise"),
        ("base: {steps: 1, minutes: 2, rows: 1}", "base"),
        ("name: [", "not YAML"),
    ],
)
def test_a_wrong_recipe_is_named_with_its_key(tmp_path, recipe_file, line, said):
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe_file.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(FinetuneError, match=said) as raised:
        read_recipe(file)
    assert str(file) in str(raised.value)


def test_a_converted_run_is_shipped_with_its_notice(run, tmp_path):
    (tmp_path / "medassist" / "starter").mkdir(parents=True)
    shipped = ship(run[0], tmp_path)
    names = {file.name for file in shipped.folder.iterdir()}
    assert names == {
        "base-q8_0.gguf",
        "adapter-activated.gguf",
        "adapter-plain.gguf",
        "card.json",
        "NOTICE",
        "ARTICLES",
    }
    assert "MedQuAD" in (shipped.folder / "NOTICE").read_text("utf-8")
    assert not (tmp_path / "Modelfile").exists()  # that is of the open pair
    card = read_card(shipped.folder / "card.json")
    assert "tuned-f16.gguf" not in {*card.lineage.gguf, *card.verified}


def test_files_that_are_not_verified_are_not_shipped(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run[0], copy)
    card = read_card(copy / "card.json")
    assert set(card.verified) == set(card.lineage.gguf)
    card = replace(card, verified={})
    write_card(card, copy / "card.json")
    with pytest.raises(ConvertError, match=r"base-q8_0\.gguf is not verified"):
        ship(copy, tmp_path)


def test_files_that_are_not_those_of_the_card_are_not_shipped(run, tmp_path):
    copy = shutil.copytree(run[0], tmp_path / "run")
    with (copy / "gguf" / "adapter-plain.gguf").open("ab") as file:
        file.write(b"x")
    (tmp_path / "medassist" / "starter").mkdir(parents=True)
    with pytest.raises(ConvertError, match=r"adapter-plain\.gguf"):
        ship(copy, tmp_path)


def test_the_gguf_says_what_it_is_and_under_which_licence(run):
    reader = GGUFReader(run[0] / "gguf" / "base-q8_0.gguf")
    fields = {
        key: field.contents()
        for key in ("general.name", "general.license", "general.type")
        if (field := reader.get_field(key))
    }
    assert fields == {
        "general.name": "tiny-starter base",
        "general.license": "cc-by-4.0",
        "general.type": "model",
    }
