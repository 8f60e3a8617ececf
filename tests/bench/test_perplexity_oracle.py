"""Perplexity and divergence are llama-perplexity's, on the same text and context."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from convert.quantize import quantize
from medassist.bench.events import Ended
from medassist.bench.result_rows import rows
from medassist.bench.results import Figure
from medassist.bench.targets import target, targets
from medassist.exams.chunks import CONTEXT
from medassist.exams.perplexity import MEAN_KLD, PPL, PPL_BASE, PPL_RATIO, SAME_TOP
from tests.bench.measured import SMALL, measure
from tests.llama_source import run_tool
from tests.tiny_models import random_weights, tokenizer, write_model

pytestmark = pytest.mark.oracle
CHUNKS = 3
WITHIN = 0.01
TRIES = 20
"""With a tiny model it may end before the thread that prints has printed all."""
FLAT = 0.2
ROUNDED_KLD = 0.0006
"""Nats that its 16 bits for the reference add at most; see exams/perplexity.py."""


def theirs(model: Path, reference: Path, text: Path, folder: Path) -> dict[str, float]:
    """Its figures by name, of `model` against `reference`."""
    kept = folder / "reference.logits"
    settings = (
        *("-f", text, "-c", CONTEXT, "-b", CONTEXT, "-ub", 128, "-t", 1, "-fa", "off"),
        *("--chunks", CHUNKS),
    )
    run_tool(
        "llama-perplexity", "-m", reference, *settings, "--kl-divergence-base", kept
    )
    compared = (*settings, "--kl-divergence-base", kept, "--kl-divergence")
    said = ""
    for _ in range(TRIES):
        said = run_tool("llama-perplexity", "-m", model, *compared)
        if f"{SAME_TOP}:" in said:
            return read(said)
    raise AssertionError(f"llama-perplexity never came to an end: {said[-2000:]}")


def read(said: str) -> dict[str, float]:
    """The figures of its last tables, by name."""
    found: dict[str, float] = {}
    for line in said.splitlines():
        one = re.match(r"\s*(\S[^:]*?)\s*:\s*(-?[\d.]+)", line)
        if one:
            found[" ".join(one[1].split())] = float(one[2])
    return found


def ours(model: Path, reference: Path, text: Path, folder: Path) -> dict[str, Figure]:
    wishes = replace(
        SMALL,
        tests=frozenset(("quality",)),
        text=text,
        reference=target(reference),
        chunks=CHUNKS,
    )
    events = measure(wishes, targets([model]), folder / "r.jsonl")
    ended = next(event for event in events if isinstance(event, Ended))
    return rows(ended.lines)[0].quality


def check(own: dict[str, Figure], other: dict[str, float]) -> None:
    # Every line of it has a figure of ours under its very name.
    assert set(own) <= set(other)
    for name in (PPL, PPL_BASE, PPL_RATIO):
        assert own[name].value == pytest.approx(other[name], rel=WITHIN), name
    assert own[MEAN_KLD].value == pytest.approx(
        other[MEAN_KLD], rel=WITHIN, abs=ROUNDED_KLD
    )
    tokens = CHUNKS * (CONTEXT // 2 - 1)
    assert own[SAME_TOP].value == pytest.approx(other[SAME_TOP], abs=300 / tokens)


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    return flat(tmp_path_factory.mktemp("flat") / "reference.gguf", seed=7)


def flat(file: Path, seed: int) -> Path:
    """A tiny model that holds no token for next to impossible.

    Of the reference's log-probabilities llama-perplexity keeps what lies within 16 nats
    of the likeliest, and a random model of the usual strength has most of them below.
    """
    made = tokenizer()
    weights = random_weights(made.get_vocab_size(), seed)
    weights["output.weight"] *= np.float32(FLAT)
    return write_model(file, weights, made)


def test_of_two_models_that_differ_much(files, reference, tmp_path):
    other = flat(tmp_path / "other.gguf", seed=8)
    args = (other, reference, files.text, tmp_path)
    check(ours(*args), theirs(*args))


def test_of_a_model_and_what_was_quantized_of_it(files, reference, tmp_path):
    (made,) = quantize(reference, tmp_path / "q4.gguf", ["Q4_0"], threads=1).files
    args = (made.file, reference, files.text, tmp_path)
    check(ours(*args), theirs(*args))
