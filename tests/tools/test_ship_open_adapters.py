"""An adapter ships only if it was trained on the base that the program opens with."""

from __future__ import annotations

import sys

from medassist.core.card import read_card
from medassist.core.run_folder import OWN_CARD
from medassist.starter import FOLDER, OWN_ADAPTERS
from medassist.starter.open_base import SMOLLM2
from tests.finetune.report.example_run import write_run
from tools import ship_open_adapters


def test_a_run_on_another_base_is_refused_and_nothing_is_changed(
    tmp_path, monkeypatch, capsys
):
    run = write_run(tmp_path / "run")
    before = {p: p.read_bytes() for p in FOLDER.iterdir() if p.is_file()}
    monkeypatch.setattr(sys, "argv", ["ship", str(run)])
    assert ship_open_adapters.main() == 1
    assert f"no adapter that was trained on {SMOLLM2.name}" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in FOLDER.iterdir() if p.is_file()} == before


def test_what_is_no_run_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ship", str(tmp_path / "nowhere")])
    assert ship_open_adapters.main() == 1
    assert "a run folder is expected" in capsys.readouterr().err


def test_what_ships_was_proven_on_the_base_itself():
    for name in OWN_ADAPTERS.values():
        file = FOLDER / name
        if not file.is_file():
            continue
        card = read_card(file.with_suffix(OWN_CARD))
        assert card.lineage.base == SMOLLM2.sha256
        assert card.verified[name].passed
        assert card.verified[name].sha256 == card.lineage.gguf[name]
