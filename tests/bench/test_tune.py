from __future__ import annotations

import random

import numpy as np
import pytest

from medassist.bench.machine import Sensors
from medassist.bench.tune import Tuned, candidates, tune
from medassist.engine.scorer import GgufScorer
from medassist.library import tuned_threads


class FakeTimes:
    """A model that needs so many seconds a token with each number of threads."""

    def __init__(self, seconds: dict[int, float], noise: float = 0.0, seed=0) -> None:
        self._seconds = seconds
        self._noise = noise
        self._random = random.Random(seed)

    def seconds(self, *, prompt: int, written: int, threads: int) -> float:
        luck = 1 + self._noise * self._random.uniform(-1, 1)
        return (prompt / 10 + written) * self._seconds[threads] * luck


def tuned(times: FakeTimes, numbers=(8, 4, 7)) -> Tuned:
    last = list(tune(times, numbers))[-1]
    assert isinstance(last, Tuned)
    return last


def test_a_number_that_is_clearly_faster_is_taken():
    found = tuned(FakeTimes({8: 0.1, 4: 0.05, 7: 0.08}, noise=0.02))
    assert found.threads == 4
    assert found.faster == pytest.approx(2, rel=0.05)


def test_of_two_that_are_faster_the_fastest_is_taken():
    assert tuned(FakeTimes({8: 0.1, 4: 0.06, 7: 0.04}, noise=0.02)).threads == 7


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.2, 0.5])
def test_a_number_that_is_no_faster_is_hardly_ever_taken(noise):
    wrong = sum(
        tuned(FakeTimes({8: 0.1, 4: 0.1, 7: 0.12}, noise, seed)).threads != 8
        for seed in range(100)
    )
    assert wrong <= 10  # the interval has 5 % on that side


def test_a_slower_number_is_never_taken():
    for seed in range(100):
        times = FakeTimes({8: 0.1, 4: 0.2, 7: 0.15}, 0.2, seed)
        assert tuned(times).threads == 8


def test_threads_change_no_number_that_is_computed(files):
    found = []
    for threads in (1, 2):
        with GgufScorer(files.base, threads=threads) as scorer:
            found.append(scorer.logits(scorer.tokenize("Fever and a stiff neck.")))
    assert np.array_equal(*found)


def test_the_candidates_are_cores_fast_cores_one_less_and_half():
    class Hybrid(Sensors):
        def performance_cores(self) -> int | None:
            return 6

    assert candidates(Hybrid(), 14, 20) == [14, 6, 13, 7]
    assert candidates(Sensors(), 2, 2) == [2, 1]
    assert candidates(Sensors(), 1, 1) == [1]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(tuned_threads.os, "cpu_count", lambda: 16)
    made = tmp_path / "m.gguf"
    made.write_bytes(b"weights")
    return made


def test_the_number_is_remembered_for_the_content_of_the_file(file):
    assert tuned_threads.remembered_threads(file) is None
    tuned_threads.remember_threads(file, 6)
    assert tuned_threads.remembered_threads(file) == 6
    file.write_bytes(b"other weights")
    assert tuned_threads.remembered_threads(file) is None


def test_another_build_or_processor_is_tuned_anew(file, monkeypatch):
    tuned_threads.remember_threads(file, 6)
    monkeypatch.setattr(tuned_threads, "_processor", lambda: "another")
    assert tuned_threads.remembered_threads(file) is None
    monkeypatch.undo()


def test_what_was_remembered_can_be_forgotten(file):
    tuned_threads.remember_threads(file, 6)
    assert tuned_threads.forget_threads(file)
    assert tuned_threads.remembered_threads(file) is None
    assert not tuned_threads.forget_threads(file)


def test_a_damaged_memory_is_no_error(file):
    tuned_threads.remember_threads(file, 6)
    (tuned_threads.config_dir() / tuned_threads.FILE).write_text("{broken")
    assert tuned_threads.remembered_threads(file) is None
