from __future__ import annotations

from types import SimpleNamespace

from medassist.bench.speed import MOST_WARM_UPS, Lane, LoadedModels, called, warm_up
from medassist.bench.targets import targets
from medassist.bench.work import Setting, Wishes, in_rounds, settings


class FakeModel:
    """Takes so many seconds, run by run."""

    def __init__(self, *seconds: float) -> None:
        self._left = list(seconds)

    def run(self, **_run: int) -> SimpleNamespace:
        seconds = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        return SimpleNamespace(ns=round(1e9 * seconds))


def test_it_is_warm_when_three_runs_agree():
    assert warm_up(FakeModel(1.0)) == 3  # pyright: ignore[reportArgumentType]
    slow = FakeModel(5.0, 2.0, 1.2, 1.0, 1.01, 1.02)
    assert warm_up(slow) == 6  # pyright: ignore[reportArgumentType]


def test_a_model_that_never_agrees_is_not_waited_for_without_end():
    wild = FakeModel(*(1.0 + number % 2 for number in range(MOST_WARM_UPS + 5)))
    assert warm_up(wild) is None  # pyright: ignore[reportArgumentType]


def test_rows_go_there_and_back():
    assert in_rounds(3, 3) == [(0, [0, 1, 2]), (1, [2, 1, 0]), (2, [0, 1, 2])]


def test_tests_are_called_as_llama_bench_calls_them():
    assert called({"n_prompt": 512, "n_gen": 0, "n_depth": 0}) == "pp512"
    assert called({"n_prompt": 0, "n_gen": 128, "n_depth": 512}) == "tg128 @ d512"


def test_every_way_of_loading_is_a_row_and_q8_0_has_flash_attention():
    wishes = Wishes(threads=(1, 2), kv=("f16", "q8_0"), flash=(False, True))
    found = settings(wishes)
    assert len(found) == 6
    assert Setting(1, "q8_0", True) in found
    assert Setting(1, "q8_0", False) not in found


def test_a_model_makes_room_for_the_next_where_memory_is_short(files, monkeypatch):
    from medassist.library import fit

    one, two = (Lane(t, Setting(1, "f16", False)) for t in targets(
        [files.base, files.merged]
    ))  # fmt: skip
    monkeypatch.setattr(fit, "available_memory", lambda: 10**12)
    with LoadedModels(64) as kept:
        first = kept.model(one)
        kept.model(two)
        assert kept.model(one) is first
        assert len(kept.pids) == 2
        monkeypatch.setattr(fit, "available_memory", lambda: 10)
        kept.drop(two)
        kept.model(two)
        assert len(kept.pids) == 1


def test_a_line_names_the_chunk_that_the_engine_reads():
    from medassist.engine import context

    facts = settings(Wishes())[0].facts(512)
    assert (facts.n_batch, facts.n_ubatch) == (context.CHUNK, context.CHUNK)
