"""Exact numbers of tokens are read and written in a child, and timed."""

from __future__ import annotations

import os
import signal

import pytest

from medassist.core.errors import EngineDied, EngineError
from medassist.engine.timing import TimedModel, TimedSettings
from tests.tiny_models import TinyPair, write_pair


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def loaded(tiny):
    with TimedModel(tiny.base, None, TimedSettings(700, 1)) as model:
        yield model


def test_what_was_loaded_says_how_long_that_took_and_what_computes(loaded):
    opened = loaded.opened
    assert 0 < opened.weights_ns <= opened.ready_ns <= opened.first_ns
    assert opened.parameters > 100_000
    assert opened.tensor_bytes > 400_000
    assert opened.description.startswith("llama")
    assert opened.commit and opened.version


def test_more_tokens_take_longer_and_the_depth_is_not_timed(loaded):
    def shortest(**run) -> int:
        return min(loaded.run(**run).ns for _ in range(5))

    assert shortest(written=60) > 3 * shortest(written=6)
    assert shortest(prompt=512) > 2 * shortest(prompt=64)
    # Six tokens at a depth take nothing like the reading of the depth.
    assert shortest(written=1, depth=600) < shortest(prompt=600) / 2


def test_depths_come_in_any_order(loaded):
    for depth in (200, 0, 600, 128, 129, 600):
        assert loaded.run(prompt=32, written=4, depth=depth).ns > 0


def test_what_does_not_fit_is_told_and_it_goes_on(loaded):
    with pytest.raises(EngineError, match="701 tokens, where 700 have room"):
        loaded.run(prompt=700, written=1)
    with pytest.raises(EngineError, match="0 tokens"):
        loaded.run()
    assert loaded.run(written=1).ns > 0


def test_an_adapter_is_loaded_and_computes(tiny):
    with TimedModel(tiny.base, tiny.plain, TimedSettings(128, 1)) as model:
        assert model.run(prompt=16, written=2, depth=40).cpu_ns > 0


def test_an_eight_bit_cache_is_there_with_flash_attention(tiny):
    settings = TimedSettings(128, 1, kv="q8_0", flash_attention=True)
    with TimedModel(tiny.base, None, settings) as model:
        assert model.run(written=2).ns > 0


def test_a_file_that_is_no_model_is_named(tiny, tmp_path):
    other = tmp_path / "other.gguf"
    other.write_bytes(b"no model at all")
    with pytest.raises(EngineError, match=r"other\.gguf"):
        TimedModel(other, None, TimedSettings(128, 1))
    with pytest.raises(EngineError, match="adapter"):
        TimedModel(tiny.plain, None, TimedSettings(128, 1))


def test_the_death_of_the_child_is_a_sentence(tiny):
    with TimedModel(tiny.base, None, TimedSettings(128, 1)) as model:
        os.kill(model.pid, signal.SIGKILL)
        with pytest.raises(EngineDied, match="while it was measured"):
            model.run(written=1)
