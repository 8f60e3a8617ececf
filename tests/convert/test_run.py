"""`convert run`: a run folder becomes verified GGUFs; nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from convert.errors import ConvertError
from convert.gguf.model import convert_model
from convert.run.convert import RunConverted, convert_run_folder
from convert.run.run_steps import RunWishes
from convert.run.step_ledger import LedgerStep, StepLedger
from convert.verify.result import require_verified
from tests.convert.tiny_hf import save_pair

WISHES = RunWishes(types=("Q8_0",), threads=1)


def write_run(root: Path) -> Path:
    pair = save_pair(root)
    pair.plain.rename(root / "adapter")
    for file in pair.activated.iterdir():
        file.unlink()
    pair.activated.rmdir()
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def killed(run: Path) -> set[str]:
    """Break a first call off by SIGKILL; the steps that it had written down."""
    command = [sys.executable, "-m", "convert", "run", str(run), "--types", "Q8_0"]
    ledger = run / "gguf" / "steps.json"
    process = subprocess.Popen(
        [*command, "--threads", "1"], env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    try:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if ledger.is_file() and "base-q8_0" in ledger.read_text("utf-8"):
                break
            time.sleep(0.02)
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return set(json.loads(ledger.read_text("utf-8"))["steps"])


@pytest.fixture(scope="module")
def resumed(run: Path, killed: set[str]) -> RunConverted:
    return convert_run_folder(run, wishes=WISHES)


def states(found: RunConverted) -> dict[str, str]:
    return {step.name: step.state for step in found.steps}


def test_a_call_after_a_kill_goes_on_where_it_was(killed, resumed):
    assert {"base-f16", "verify base-f16", "base-q8_0"} <= killed
    assert "tuned-f16" not in killed
    for name, state in states(resumed).items():
        assert state == ("unchanged" if name in killed else "done"), name


def test_all_files_are_made_and_verified(run, resumed):
    names = ["adapter", "base-f16", "base-q8_0", "tuned-f16", "tuned-q8_0"]
    assert sorted(file.stem for file in (run / "gguf").glob("*.gguf")) == names
    for name in names:
        assert require_verified(run / "gguf" / f"{name}.gguf").passed
    assert "FROM ./gguf/tuned-q8_0.gguf" in (run / "Modelfile").read_text("utf-8")
    left = [f.name for f in run.rglob("*") if "tmp" in f.name or f.name[0] == "."]
    assert left == []


def test_a_second_call_does_nothing(run, resumed):
    before = {f: f.stat().st_mtime_ns for f in (run / "gguf").glob("*.gguf")}
    found = convert_run_folder(run, wishes=WISHES)
    assert set(states(found).values()) == {"unchanged"}
    assert {f: f.stat().st_mtime_ns for f in (run / "gguf").glob("*.gguf")} == before


def test_what_stands_on_a_changed_adapter_is_made_anew(run, resumed):
    file = run / "adapter" / "adapter_model.safetensors"
    weights = load_file(file)
    save_file({name: tensor * 0.5 for name, tensor in weights.items()}, file)
    found = states(convert_run_folder(run, wishes=WISHES))
    assert found["base-f16"] == found["verify base-q8_0"] == "unchanged"
    for name in ("adapter", "merge", "tuned-f16", "verify tuned-q8_0", "Modelfile"):
        assert found[name] == "done", name


def make_older(run: Path) -> None:
    """Have the run's ledger be one of the edition before."""
    ledger = run / "gguf" / "steps.json"
    book = json.loads(ledger.read_text("utf-8"))
    ledger.write_text(json.dumps(book | {"version": book["version"] - 1}), "utf-8")


def test_what_an_older_edition_did_rightly_is_not_done_again(run, resumed):
    make_older(run)
    assert {*states(convert_run_folder(run, wishes=WISHES)).values()} == {"unchanged"}


def test_a_damaged_gguf_is_made_anew(run, resumed):
    file = run / "gguf" / "tuned-q8_0.gguf"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    found = states(convert_run_folder(run, wishes=WISHES))
    assert found["tuned-q8_0"] == "done"
    assert found["tuned-f16"] == "unchanged"
    assert file.read_bytes() == whole


def test_a_gguf_that_was_not_asked_for_is_not_called_verified(run, resumed):
    """It may be of the training before: nobody looked."""
    found = convert_run_folder(run, wishes=RunWishes(threads=1))
    assert found.older == ("base-q8_0.gguf", "tuned-q8_0.gguf")
    names = {entry.file for entry in found.verified}
    assert names == {"base-f16.gguf", "adapter.gguf", "tuned-f16.gguf"}


def test_what_changes_under_a_step_is_not_taken_for_what_it_was_made_of(tmp_path):
    source, target = tmp_path / "source", tmp_path / "x" / "target"
    target.parent.mkdir()
    source.write_text("before")

    def work() -> None:
        target.write_text(source.read_text())
        source.write_text("something after")

    step = LedgerStep("copy", (source,), (target,), work, {})
    ledger = StepLedger(tmp_path / "x" / "steps.json")
    inputs = ledger.hashes(step.inputs)
    step.do()
    ledger.write(step, inputs)
    assert not ledger.is_done(step)


def test_a_gguf_that_is_wrong_ends_the_run_and_is_named(tmp_path, monkeypatch):
    root = write_run(tmp_path)

    def wrong(folder: Path, file: Path, *_: object, **__: object) -> Path:
        other = tmp_path / "other"
        torch.manual_seed(99)
        pair = save_pair(other)
        weights = load_file(pair.base / "model.safetensors")
        weights["model.norm.weight"] *= 3
        save_file(weights, pair.base / "model.safetensors", {"format": "pt"})
        return convert_model(pair.base, file, quantization="f16", force=True)

    monkeypatch.setattr("convert.run.run_steps.convert_model", wrong)
    with pytest.raises(ConvertError, match=r"base-f16\.gguf is not what it was made"):
        convert_run_folder(root, wishes=WISHES)
    assert not (root / "merged").exists(), "nothing is made of it"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: root / "nowhere", "is not a folder"),
        (lambda root: root / "empty", "holds no adapter"),
        (lambda root: root / "bare", "name the folder of the base model with --base"),
    ],
)
def test_a_folder_that_is_no_run_is_told_so(tmp_path, spoil, said):
    (tmp_path / "empty").mkdir()
    bare = tmp_path / "bare"
    bare.mkdir()
    pair = save_pair(tmp_path / "pair")
    pair.plain.rename(bare / "adapter")
    pair.base.rename(tmp_path / "moved")
    with pytest.raises(ConvertError, match=said):
        convert_run_folder(spoil(tmp_path))
