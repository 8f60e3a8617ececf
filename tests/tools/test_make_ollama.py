"""`make ollama`: the default pair in one file, proven, and a model in Ollama."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from convert.verify.result import require_verified
from medassist.starter import FOLDER, small_pair
from tests.tiny_models import write_pair
from tools import make_ollama

OUT = Path("build/ollama/medassist.gguf")
BASE, PLAIN = "tiny-base.gguf", "adapter-plain.gguf"


def enter(clone: Path, patch: pytest.MonkeyPatch) -> Path:
    """Work in a clone whose default pair is a tiny one, on a machine without Ollama."""
    pair = clone / "pair"
    given = replace(small_pair(), base=pair / BASE, adapter=pair / PLAIN)
    patch.setattr(make_ollama, "default_pair", lambda: given)
    patch.setenv("PATH", str(clone / "bin"))
    patch.chdir(clone)
    return clone


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    pair = write_pair(folder / "pair")
    shutil.copyfile(FOLDER / "card.json", folder / "pair" / "card.json")
    pair.plain.rename(pair.plain.with_name(PLAIN))
    (folder / "bin").mkdir()
    return folder


@pytest.fixture(scope="module")
def merged(untouched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merged") / "clone"
    shutil.copytree(untouched, folder)
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        assert make_ollama.main() == 1  # there is no Ollama
    return folder


@pytest.fixture
def new_clone(untouched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone in which nothing was made yet."""
    return enter(shutil.copytree(untouched, tmp_path / "clone"), monkeypatch)


@pytest.fixture
def clone(merged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone in which the pair was merged and proven."""
    return enter(shutil.copytree(merged, tmp_path / "clone"), monkeypatch)


def with_ollama(clone: Path, ends: int = 0) -> Path:
    """An Ollama that notes what it is asked."""
    program, asked = clone / "bin" / "ollama", clone / "asked"
    program.write_text(f"#!/bin/sh\necho $* >> '{asked}'\nexit {ends}\n", "utf-8")
    program.chmod(0o755)
    return asked


def test_without_ollama_the_proven_file_stays_and_what_to_do_is_said(new_clone, capfd):
    assert make_ollama.main() == 1
    assert require_verified(OUT).passed
    said = capfd.readouterr().err
    assert "There is no `ollama` on the PATH" in said
    assert "ollama create medassist -f build/ollama/Modelfile" in said


def test_ollama_gets_the_merged_file_and_a_pair_is_merged_once(new_clone, capfd):
    asked = with_ollama(new_clone)
    assert make_ollama.main() == 0
    before = OUT.stat().st_mtime_ns
    assert make_ollama.main() == 0
    assert OUT.stat().st_mtime_ns == before
    assert "is proven" in capfd.readouterr().out
    lines = asked.read_text("utf-8").splitlines()
    assert lines == ["create medassist -f build/ollama/Modelfile"] * 2
    text = (OUT.parent / "Modelfile").read_text("utf-8")
    assert "FROM ./medassist.gguf" in text
    assert "ADAPTER" not in text


def test_the_clones_own_modelfile_is_taken_where_it_is_of_this_pair(clone, capfd):
    asked = with_ollama(clone)
    assert make_ollama.main() == 0
    card = make_ollama.read_card(clone / "pair" / "card.json")
    text = make_ollama.checkout_modelfile(OUT, card)
    Path("Modelfile").write_text(text, "utf-8")
    assert make_ollama.main() == 0
    last = asked.read_text("utf-8").splitlines()[-1]
    assert last == "create medassist -f Modelfile"


def test_another_pair_is_merged_anew(clone, capfd):
    with_ollama(clone)
    assert make_ollama.main() == 0
    before = require_verified(OUT).sha256
    other = write_pair(clone / "other", seed=3)
    shutil.copyfile(other.plain, clone / "pair" / PLAIN)
    assert make_ollama.main() == 0
    assert require_verified(OUT).sha256 != before


def test_what_ollama_ends_with_is_what_make_ends_with(clone, capfd):
    with_ollama(clone, ends=7)
    assert make_ollama.main() == 7


def test_without_a_plain_adapter_nothing_is_merged(new_clone, capfd):
    (new_clone / "pair" / PLAIN).unlink()
    assert make_ollama.main() == 1
    assert "only a plain adapter can be merged" in capfd.readouterr().err
    assert not OUT.exists()
