"""Losses and divergences are what the formulas say, worked out token by token."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from medassist.exams.chunks import chunks_of
from medassist.exams.log_probs import compare, log_softmax
from medassist.exams.perplexity import text_loss

TOKENS, SIZE = 60, 37


@pytest.fixture
def both():
    random = np.random.default_rng(5)
    base = (3 * random.standard_normal((TOKENS, SIZE))).astype(np.float32)
    found = base + 0.3 * random.standard_normal((TOKENS, SIZE)).astype(np.float32)
    targets = random.integers(0, SIZE, TOKENS)
    return found.astype(np.float32), base, targets


def probabilities(row) -> list[float]:
    whole = math.fsum(math.exp(float(x)) for x in row)
    return [math.exp(float(x)) / whole for x in row]


def test_the_loss_on_a_token_is_minus_the_log_of_its_probability(both):
    found, base, targets = both
    expected = [
        -math.log(probabilities(row)[t]) for row, t in zip(found, targets, strict=True)
    ]
    assert compare(found, base, targets).nll == pytest.approx(expected, rel=1e-6)


def test_divergence_and_same_top_are_those_of_the_two_distributions(both):
    found, base, targets = both
    kld, same = [], []
    for row, base_row in zip(found, base, strict=True):
        q, p = probabilities(row), probabilities(base_row)
        kld.append(math.fsum(b * math.log(b / a) for a, b in zip(q, p, strict=True)))
        same.append(q.index(max(q)) == p.index(max(p)))
    compared = compare(found, base, targets)
    assert compared.kld == pytest.approx(kld, rel=1e-5)
    assert list(compared.same_top) == same
    assert 0 < sum(same) < TOKENS


def test_rows_are_worked_out_alike_however_many_fit_in_memory(both, monkeypatch):
    found, base, targets = both
    whole = compare(found, base, targets)
    monkeypatch.setattr("medassist.exams.log_probs.VALUES_AT_A_TIME", 5 * SIZE)
    parts = compare(found, base, targets)
    assert np.array_equal(whole.kld, parts.kld)
    assert np.array_equal(whole.nll, parts.nll)


def test_logits_of_a_large_size_do_not_overflow():
    assert log_softmax(np.array([[3e4, 0.0]], np.float32))[0, 0] == 0


def test_figures_are_those_of_llama_perplexity(both):
    compared = compare(*both)
    loss = text_loss([compared], 512)
    figures = loss.figures
    nll, base = list(compared.nll), list(compared.base_nll)
    ppl = math.exp(statistics.fmean(nll))
    error = statistics.stdev(nll) / math.sqrt(TOKENS)
    assert figures["Mean PPL(Q)"].value == pytest.approx(ppl)
    assert figures["Mean PPL(Q)"].error == pytest.approx(ppl * error)
    # The error of a ratio is that of the paired differences.
    differences = [a - b for a, b in zip(nll, base, strict=True)]
    paired = statistics.stdev(differences) / math.sqrt(TOKENS)
    log_ratio = figures["Mean ln(PPL(Q)/PPL(base))"]
    assert log_ratio.value == pytest.approx(statistics.fmean(differences))
    assert log_ratio.error == pytest.approx(paired)
    ratio = figures["Mean PPL(Q)/PPL(base)"]
    assert ratio.value == pytest.approx(math.exp(log_ratio.value))
    assert ratio.error == pytest.approx(ratio.value * paired)
    assert figures["Cor(ln(PPL(Q)), ln(PPL(base)))"].value == pytest.approx(
        100 * statistics.correlation(nll, base)
    )
    kld = sorted(compared.kld)
    assert figures["Median KLD"].value == pytest.approx(statistics.median(kld))
    assert figures["Maximum KLD"].value == pytest.approx(kld[-1])
    assert figures["90.0% KLD"].value == pytest.approx(
        statistics.quantiles(kld, n=10, method="inclusive")[-1]
    )
    change = [
        100 * (math.exp(-a) - math.exp(-b)) for a, b in zip(nll, base, strict=True)
    ]
    assert figures["Mean Δp"].value == pytest.approx(statistics.fmean(change))
    assert figures["RMS Δp"].value == pytest.approx(
        math.sqrt(statistics.fmean(x * x for x in change))
    )
    same = float(compared.same_top.mean())
    assert figures["Same top p"].value == pytest.approx(100 * same)
    assert figures["Same top p"].error == pytest.approx(
        100 * math.sqrt(same * (1 - same) / (TOKENS - 1))
    )


def test_the_names_are_those_of_its_lines(both):
    names = list(text_loss([compare(*both)], 512).figures)
    assert names[:7] == [
        "Mean PPL(Q)",
        "Mean PPL(base)",
        "Cor(ln(PPL(Q)), ln(PPL(base)))",
        "Mean ln(PPL(Q)/PPL(base))",
        "Mean PPL(Q)/PPL(base)",
        "Mean PPL(Q)-PPL(base)",
        "Mean KLD",
    ]
    for share in ("99.9", "99.0", "95.0", "90.0", "10.0", "5.0", "1.0", "0.1"):
        assert f"{share}% KLD" in names
        assert f"{share}% Δp" in names


def test_a_model_compared_with_itself_lost_nothing(both):
    _, base, targets = both
    figures = text_loss([compare(base, base, targets)], 512).figures
    assert figures["Mean KLD"].value == 0
    assert figures["Same top p"].value == 100
    ratio = figures["Mean PPL(Q)/PPL(base)"]
    assert (ratio.value, ratio.error) == (1, pytest.approx(0, abs=1e-7))


def test_models_of_different_vocabularies_are_not_compared(both):
    found, base, targets = both
    with pytest.raises(ValueError, match="against"):
        compare(found[:, :-1], base, targets)


def test_a_text_is_cut_into_chunks_that_begin_with_bos_and_count_from_the_middle():
    chunks = chunks_of([9, *range(100, 121)], bos=9, context=8)
    assert [c.tokens for c in chunks] == [
        (9, *range(100, 107)),
        (9, *range(108, 115)),
    ]
    assert list(chunks[1].targets) == [112, 113, 114]


def test_a_model_without_bos_keeps_the_first_token_of_each_chunk():
    chunks = chunks_of(list(range(16)), bos=None, context=8)
    assert [c.tokens[0] for c in chunks] == [0, 8]
