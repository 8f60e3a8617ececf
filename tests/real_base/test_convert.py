"""The converter on a real small model: an adapter merged, and what quantizing costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.gguf.contents import read_model
from convert.gguf.model import convert_model
from convert.gguf.tensors import stored_tensors
from convert.merge.gguf_merge import merge_gguf
from convert.quantization_types import quantization_types
from convert.quantize import quantize
from convert.unpack.unpack import unpack
from convert.verify import logits
from convert.verify import merged_gguf as proof
from convert.verify.gate import verify_model
from convert.verify.merged_gguf import verify_merged
from convert.verify.quantized_tensors import compare_tensors
from convert.verify.result import require_verified
from convert.verify.texts import prose, short_prompts
from medassist.engine.scorer import GgufScorer
from medassist.exams.perplexity import MEAN_KLD, PPL_BASE
from medassist.exams.scorer import compare_on_text

CHUNK = 64
"""Tokens: three of them say which type is worse, and take seconds."""
FALLING = ("Q8_0", "Q4_K_M", "Q3_K_M")


@pytest.fixture
def few_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """All 32 take a minute and more on two cores."""
    few = proof.short_prompts()[:4]
    monkeypatch.setattr(proof, "short_prompts", lambda: few)
    monkeypatch.setattr(proof, "prose", lambda: prose()[:200])


def test_an_adapter_is_merged_and_proven(
    real_base, real_adapter, few_prompts, tmp_path
):
    made = merge_gguf(real_base, real_adapter, tmp_path / "merged.gguf")
    found = verify_merged(real_base, real_adapter, made.file)
    assert found.passed, found.failed
    assert {check.name for check in found.checks} >= {"logits", "the pair as it is"}
    assert require_verified(made.file) == found
    assert made.changed == 60
    old, new = read_model(real_base), read_model(made.file)
    assert new.template == old.template
    assert new.ends == old.ends == ("<|im_end|>",)
    assert {t.type for t in new.tensors} == {"F16", "F32"}


@pytest.fixture
def few_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    """All prompts of the gate take a minute and more on two cores."""
    few = short_prompts()[:2]
    monkeypatch.setattr(logits, "short_prompts", lambda: few)
    monkeypatch.setattr(logits, "prose", lambda: prose()[:200])


def test_unpacked_and_converted_anew_it_is_the_model(
    real_base, decoded, few_logits, tmp_path
):
    folder = tmp_path / "folder"
    unpack(real_base, folder)
    again = convert_model(folder, tmp_path / "again-f16.gguf")
    old, new = read_model(decoded), read_model(again)
    assert (new.template, new.ends) == (old.template, old.ends)
    expected = stored_tensors(decoded)
    for name, weight in stored_tensors(again).items():
        rows = slice(0, weight.shape[0])
        assert np.array_equal(weight.floats(rows), expected.pop(name).floats(rows))
    assert not expected
    found = verify_model(folder, again)
    assert found.passed, found.failed


def loss(model: Path, against: Path) -> dict[str, float]:
    with (
        GgufScorer(against, context=CHUNK) as base,
        GgufScorer(model, context=CHUNK) as small,
    ):
        chunks = base.chunks(prose())[:3]
        found = compare_on_text(small, base, chunks)
    return {name: figure.value for name, figure in found.figures.items()}


def test_fewer_bits_cost_more_and_what_is_made_is_the_model(decoded, tmp_path):
    made = quantize(decoded, tmp_path / "{type}.gguf", FALLING).files
    lost = [loss(file.file, decoded) for file in made]
    assert lost[0][PPL_BASE] < 60  # it has learned to read
    prices = [each[MEAN_KLD] for each in lost]
    assert prices == sorted(prices)
    for name, price in zip(FALLING, prices, strict=True):
        assert 0 < price < quantization_types()[name].most_kld
    sizes = [file.bytes for file in made]
    assert sizes == sorted(sizes, reverse=True)
    for file in made:
        assert compare_tensors(file.file, decoded).passed


@pytest.mark.soak
@pytest.mark.parametrize(
    "name", [n for n, kind in quantization_types().items() if not kind.needs_imatrix]
)
def test_every_type_that_needs_no_matrix_keeps_its_price(decoded, tmp_path, name):
    made = quantize(decoded, tmp_path / "small.gguf", [name]).files[0]
    assert compare_tensors(made.file, decoded).passed
    assert loss(made.file, decoded)[MEAN_KLD] < quantization_types()[name].most_kld
