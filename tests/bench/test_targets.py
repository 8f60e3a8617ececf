from __future__ import annotations

from pathlib import Path

from medassist.bench.app_session import Asking
from medassist.bench.targets import rows_of
from medassist.commands.bench.measurement import chosen
from medassist.commands.bench.request import BenchRequest
from medassist.core.values import EngineOptions, PairFiles
from medassist.session import default_pair
from medassist.session.choice import Choice
from tests.bench.measured import SMALL

BASE, TUNED, ADAPTER, OWN = map(Path, ("base", "tuned", "adapter", "own"))


def test_each_pane_of_a_pair_is_a_row():
    assert rows_of(PairFiles(BASE)) == [(BASE, None)]
    assert rows_of(PairFiles(BASE, TUNED)) == [(BASE, None), (TUNED, None)]
    assert rows_of(PairFiles(BASE, adapter=ADAPTER)) == [(BASE, None), (BASE, ADAPTER)]


def test_an_adapter_on_weights_of_its_own_is_measured_on_these():
    beside = PairFiles(BASE, adapter=ADAPTER, adapter_base=OWN)
    assert rows_of(beside) == [(BASE, None), (OWN, ADAPTER)]
    alone = PairFiles(adapter=ADAPTER, adapter_base=OWN)
    assert rows_of(alone) == [(OWN, ADAPTER)]
    asking = Asking(beside, EngineOptions(), 1)
    assert asking._pair.choice.files == beside
    asking.close()


def test_the_default_pair_is_measured_with_all_its_files(files, monkeypatch):
    pair = Choice(files.other_vocabulary, None, files.adapter, "", files.base)
    monkeypatch.setattr(default_pair, "opening", lambda *_files: pair)
    request = BenchRequest(SMALL)
    assert [(one.model, one.adapter) for one in chosen(request)] == [
        (files.other_vocabulary, None),
        (files.base, files.adapter),
    ]


def test_a_further_adapter_is_measured_on_the_first_model_of_the_default_pair(
    files, monkeypatch
):
    pair = Choice(files.base, files.merged)
    monkeypatch.setattr(default_pair, "opening", lambda *_files: pair)
    request = BenchRequest(SMALL, adapters=(files.adapter,))
    assert [(one.model, one.adapter) for one in chosen(request)] == [
        (files.base, None),
        (files.base, files.adapter),
    ]
