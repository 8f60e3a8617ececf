"""A file that loads and is damaged all the same is named before it answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medassist.core.errors import ModelFileError
from medassist.core.values import Mode, PairFiles
from medassist.engine.client import AskEvent
from medassist.engine.scorer import GgufScorer
from medassist.engine.soundness import fault_of
from medassist.engine.wire import Answered
from tests.engine.conversation import answers, question, tiny_engine
from tests.tiny_models import (
    TinyPair,
    Weights,
    random_adapter,
    write_adapter,
    write_model,
)

NOT_A_NUMBER = "it computes what is no number"
ALL_ALIKE = "it expects every token alike"


def one_nan(weights: Weights) -> None:
    weights["blk.1.attn_k.weight"][0, 0] = np.nan


def one_infinity(weights: Weights) -> None:
    weights["blk.0.ffn_down.weight"][3, 5] = np.inf


def an_infinite_row_of_the_head(weights: Weights) -> None:
    weights["output.weight"][17] = np.inf


def all_zero(weights: Weights) -> None:
    for values in weights.values():
        values[:] = 0


def a_head_of_zeros(weights: Weights) -> None:
    weights["output.weight"][:] = 0


DAMAGES: list[tuple[Callable[[Weights], None], str]] = [
    (one_nan, NOT_A_NUMBER),
    (one_infinity, NOT_A_NUMBER),
    (an_infinite_row_of_the_head, NOT_A_NUMBER),
    (all_zero, ALL_ALIKE),
    (a_head_of_zeros, ALL_ALIKE),
]


def copied(weights: Weights) -> Weights:
    return {key: value.copy() for key, value in weights.items()}


def broken(tiny: TinyPair, path: Path, damage: Callable[[Weights], None]) -> Path:
    weights = copied(tiny.weights)
    damage(weights)
    return write_model(path, weights, tiny.tokenizer)


@pytest.mark.parametrize(
    ("damage", "fault"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES]
)
async def test_a_damaged_model_is_named_in_place_of_an_answer(
    tiny: TinyPair, tmp_path: Path, damage: Callable[[Weights], None], fault: str
) -> None:
    path = broken(tiny, tmp_path / "torn.gguf", damage)
    async with tiny_engine(PairFiles(base=path)) as engine:
        with pytest.raises(ModelFileError) as caught:
            await answers(engine, question("Why?"))
        assert str(caught.value).startswith(f"{path}: the file is damaged: {fault}.")
        assert caught.value.file == path


@pytest.mark.parametrize("mode", ["together", "in-turn"])
async def test_of_two_models_the_one_that_is_damaged_is_named(
    tiny: TinyPair, tmp_path: Path, mode: Mode
) -> None:
    path = broken(tiny, tmp_path / "torn.gguf", one_nan)
    events: list[AskEvent] = []
    async with tiny_engine(PairFiles(base=tiny.base, tuned=path)) as engine:
        both = dict.fromkeys(engine.files.panes, question("Why?"))
        with pytest.raises(ModelFileError, match=r"torn\.gguf: the file is damaged"):
            async for event in engine.ask(both, mode):
                events.append(event)  # noqa: PERF401 - kept when it raises
        # The other one has answered, and can still be asked.
        (answer,) = (event for event in events if isinstance(event, Answered))
        again = (await answers(engine, {"base": question("Why?")}))["base"]
    assert answer.pane == "base"
    assert answer.text == again.text != ""


@pytest.mark.parametrize("invocation", [False, True])
async def test_a_damaged_adapter_is_named_and_not_its_base(
    tiny: TinyPair, tmp_path: Path, invocation: bool
) -> None:
    adapter = random_adapter(tiny.weights, 3)
    adapter["blk.0.attn_q.weight.lora_b"][0, 0] = np.nan
    on = tiny.tokenizer.encode("<|assistant|>").ids if invocation else None
    path = write_adapter(tmp_path / "torn.gguf", adapter, on)
    async with tiny_engine(PairFiles(base=tiny.base, adapter=path)) as engine:
        with pytest.raises(ModelFileError) as caught:
            await answers(engine, question("Why?"))
        assert str(caught.value).startswith(f"{path}: the adapter is damaged: ")
        assert "tiny-base.gguf without it does not" in str(caught.value)
        assert (await answers(engine, {"base": question("Why?")}))["base"].text


async def test_a_damaged_base_below_an_adapter_is_named_and_not_the_adapter(
    tiny: TinyPair, tmp_path: Path
) -> None:
    path = broken(tiny, tmp_path / "torn.gguf", one_nan)
    async with tiny_engine(PairFiles(base=path, adapter=tiny.plain)) as engine:
        with pytest.raises(ModelFileError, match=r"torn\.gguf: the file is damaged"):
            await answers(engine, {"tuned": question("Why?")})


async def test_a_damage_that_only_a_written_token_meets_is_named_there(
    tiny: TinyPair, tmp_path: Path
) -> None:
    async with tiny_engine(PairFiles(base=tiny.base)) as engine:
        text = (await answers(engine, question("Why?")))["base"].text
    # The first token of the answer, whose embedding no prompt of these words needs.
    first = tiny.tokenizer.encode(text).ids[0]
    weights = copied(tiny.weights)
    weights["token_embd.weight"][first] = np.nan
    path = write_model(tmp_path / "torn.gguf", weights, tiny.tokenizer)
    async with tiny_engine(PairFiles(base=path)) as engine:
        with pytest.raises(ModelFileError, match=r"torn\.gguf: the file is damaged"):
            await answers(engine, question("Why?"))


# What measures models.


@pytest.mark.parametrize(
    ("damage", "fault"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES]
)
def test_a_damaged_model_gets_no_figures(
    tiny: TinyPair, tmp_path: Path, damage: Callable[[Weights], None], fault: str
) -> None:
    path = broken(tiny, tmp_path / "torn.gguf", damage)
    with GgufScorer(path, threads=1) as scorer:
        tokens = scorer.tokenize("Asthma narrows the airways.")
        with pytest.raises(ModelFileError, match=fault) as caught:
            scorer.logits(tokens)
        assert caught.value.file == path
        with pytest.raises(ModelFileError, match=fault):
            scorer.greedy(tokens, 3)


def test_who_looks_for_a_faulty_conversion_gets_the_numbers_as_they_are(
    tiny: TinyPair, tmp_path: Path
) -> None:
    path = broken(tiny, tmp_path / "torn.gguf", one_nan)
    with GgufScorer(path, threads=1, exact=True) as scorer:
        logits = scorer.logits(scorer.tokenize("Asthma narrows the airways."))
    assert np.isnan(logits).any()


def test_a_damaged_adapter_gets_no_figures_and_its_base_does(
    tiny: TinyPair, tmp_path: Path
) -> None:
    adapter = random_adapter(tiny.weights, 3)
    adapter["blk.0.attn_q.weight.lora_b"][0, 0] = np.nan
    path = write_adapter(tmp_path / "torn.gguf", adapter)
    with GgufScorer(tiny.base, path, threads=1) as scorer:
        tokens = scorer.tokenize("Asthma narrows the airways.")
        assert np.isfinite(scorer.logits(tokens)).all()
        with pytest.raises(ModelFileError, match=r"torn\.gguf: the adapter is damaged"):
            scorer.logits(tokens, adapted_from=0)


def test_whole_logits_have_no_fault() -> None:
    rows = np.array([[1.0, 2.0], [-3e38, 3e38]], np.float32)
    assert fault_of(rows) == ""
    assert fault_of(rows[:0]) == ""
    assert fault_of(np.array([[1.0, 2.0], [5.0, 5.0]], np.float32)) == ALL_ALIKE
    assert fault_of(np.array([1.0, -np.inf], np.float32)) == NOT_A_NUMBER
