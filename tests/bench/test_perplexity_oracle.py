"""Perplexity and divergence are llama-perplexity's, on the same text and context."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from convert.quantize import quantize
from medassist.bench.events import Ended
from medassist.bench.results import Figure
from medassist.bench.rows import rows
from medassist.bench.targets import target, targets
from medassist.exams.chunks import CONTEXT
from medassist.exams.figures import MEAN_KLD, PPL, PPL_BASE, PPL_RATIO, SAME_TOP
from tests.bench.measured import SMALL, measure
from tests.llama_source import run_tool

pytestmark = pytest.mark.oracle
CHUNKS = 3
WITHIN = 0.01
ROUNDED_KLD = 0.0006
"""Nats that its 16 bits for the reference add at most; see exams/figures.py."""


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
    said = run_tool(
        *("llama-perplexity", "-m", model, *settings),
        *("--kl-divergence-base", kept, "--kl-divergence"),
    )
    found: dict[str, float] = {}
    for line in said.splitlines():
        one = re.match(r"(\S[^:]*?)\s*:\s*(-?[\d.]+)", line)
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


def test_of_two_models_that_differ_much(files, tmp_path):
    args = (files.merged, files.base, files.text, tmp_path)
    check(ours(*args), theirs(*args))


def test_of_a_quantized_model_with_real_words(files, tmp_path):
    (made,) = quantize(files.base, tmp_path / "q4.gguf", ["Q4_0"], threads=1).files
    args = (made.file, files.base, files.text, tmp_path)
    check(ours(*args), theirs(*args))
