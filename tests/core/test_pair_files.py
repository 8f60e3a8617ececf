"""Which files a pair may have, and one of its panes changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from medassist.core.values import PairFiles

BASE, ADAPTER, OTHER = Path("base.gguf"), Path("adapter.gguf"), Path("other.gguf")
ADAPTED = PairFiles(base=BASE, adapter=ADAPTER)


def test_an_adapter_keeps_its_weights_when_the_base_pane_gets_another_model() -> None:
    changed = ADAPTED.with_pane("base", (OTHER,))
    assert changed.files("base") == (OTHER,)
    assert changed.files("tuned") == (BASE, ADAPTER)
    assert changed.with_pane("base", (BASE,)) == ADAPTED


def test_the_base_pane_stays_when_the_tuned_one_gets_another_model() -> None:
    changed = ADAPTED.with_pane("tuned", (OTHER,))
    assert changed == PairFiles(base=BASE, tuned=OTHER)
    assert changed.with_pane("tuned", (BASE, ADAPTER)) == ADAPTED


def test_a_pair_of_one_pane_keeps_one_pane() -> None:
    assert PairFiles(base=BASE).with_pane("base", (OTHER,)) == PairFiles(base=OTHER)
    alone = PairFiles(tuned=BASE).with_pane("tuned", (OTHER, ADAPTER))
    assert alone.panes == ("tuned",)
    assert alone.files("tuned") == (OTHER, ADAPTER)


def test_what_no_engine_could_load_is_refused() -> None:
    with pytest.raises(ValueError, match="without an adapter"):
        ADAPTED.with_pane("base", (OTHER, ADAPTER))
    with pytest.raises(ValueError, match="need the adapter"):
        PairFiles(base=BASE, adapter_base=OTHER)
    with pytest.raises(ValueError, match="not both"):
        PairFiles(tuned=BASE, adapter=ADAPTER, adapter_base=OTHER)
