"""Perplexity and KL divergence with standard errors, as llama-perplexity has them.

The names are those of its lines, so that a figure can be laid beside a published
one. Two things differ: it keeps the reference's log-probabilities in 16 bits and
leaves out what is below exp(-16), which adds about 0.0005 to a mean KLD; here they
are whole.

Source: llama.cpp, `tools/perplexity`. An error is that of the mean of tokens that
are taken for independent, carried through exp and differences to first order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from medassist.exams.log_probs import Floats, TokenComparison
from medassist.frozen_model import FrozenModel

KLD_PERCENTILES = (99.9, 99.0, 95.0, 90.0, 50.0, 10.0, 5.0, 1.0, 0.1)
DELTA_P_PERCENTILES = (99.9, 99.0, 95.0, 90.0, 75.0, 50.0, 25.0, 10.0, 5.0, 1.0, 0.1)
LEAST_FOR_ERROR = 10  # values; of fewer no standard error is given
MEAN_KLD = "Mean KLD"
MAXIMUM_KLD = "Maximum KLD"
SAME_TOP = "Same top p"
PPL = "Mean PPL(Q)"
PPL_BASE = "Mean PPL(base)"
PPL_RATIO = "Mean PPL(Q)/PPL(base)"


class FigureWithError(FrozenModel):
    """A figure and, where it is an estimate, its standard error."""

    value: float
    error: float | None = None
    unit: str = ""

    def __str__(self) -> str:
        error = "" if self.error is None else f" ± {self.error:.6f}"
        return f"{self.value:.6f}{error}{' ' * bool(self.unit)}{self.unit}"


class TextDivergence(FrozenModel):
    """Divergence of a quantized model's predictions from the original's on a text.

    Attributes:
        tokens: that were scored.
        chunks: of the text.
        context: tokens of a chunk.
        figures: by the names of llama-perplexity's lines; those of probabilities
            are in percent, as there.
    """

    tokens: int
    chunks: int
    context: int
    figures: dict[str, FigureWithError]

    def value(self, name: str) -> float:
        """The figure of that name."""
        return self.figures[name].value


def mean(values: Floats) -> FigureWithError:
    """The mean of `values` and its standard error."""
    count = len(values)
    if count == 0:
        raise ValueError("there is no mean of nothing")
    error = math.sqrt(float(values.var()) / (count - 1)) if _enough(count) else 0.0
    return FigureWithError(value=float(values.mean()), error=error)


def perplexity(losses: Floats) -> FigureWithError:
    """The exponential of the mean loss in nats, with its error."""
    loss = mean(losses)
    value = math.exp(loss.value)
    return FigureWithError(value=value, error=value * (loss.error or 0.0))


def text_loss(parts: Sequence[TokenComparison], context: int) -> TextDivergence:
    """The figures of a text from its comparisons chunk by chunk.

    Args:
        parts: one for each chunk.
        context: tokens of a chunk.
    """
    nll = np.concatenate([part.nll for part in parts])
    base = np.concatenate([part.base_nll for part in parts])
    kld = np.concatenate([part.kld for part in parts])
    same = np.concatenate([part.same_top for part in parts])
    figures = _perplexities(nll, base)
    figures |= _divergences(kld)
    figures |= _probabilities(np.exp(-nll) - np.exp(-base))
    share = float(same.mean())
    error = math.sqrt(share * (1 - share) / max(1, len(same) - 1))
    figures[SAME_TOP] = FigureWithError(value=100 * share, error=100 * error, unit="%")
    return TextDivergence(
        tokens=len(nll), chunks=len(parts), context=context, figures=figures
    )


def _perplexities(nll: Floats, base: Floats) -> dict[str, FigureWithError]:
    own, reference = mean(nll), mean(base)
    own_error, reference_error = own.error or 0.0, reference.error or 0.0
    covariance = 0.0
    if _enough(len(nll)):
        product = float((nll * base).mean()) - own.value * reference.value
        covariance = product / (len(nll) - 1)
    # Both lose on the same hard tokens: the difference is known far better than
    # either perplexity.
    together = own_error * reference_error
    correlation = covariance / together if together else 1.0
    log_ratio = own.value - reference.value
    log_error = _root(own_error**2 + reference_error**2 - 2 * covariance)
    ratio = math.exp(log_ratio)
    ppl, ppl_base = perplexity(nll), perplexity(base)
    ppl_error, base_error = ppl.error or 0.0, ppl_base.error or 0.0
    difference_error = _root(
        ppl_error**2 + base_error**2 - 2 * ppl.value * ppl_base.value * covariance
    )
    return {
        PPL: ppl,
        PPL_BASE: ppl_base,
        "Cor(ln(PPL(Q)), ln(PPL(base)))": FigureWithError(
            value=100 * correlation, unit="%"
        ),
        "Mean ln(PPL(Q)/PPL(base))": FigureWithError(value=log_ratio, error=log_error),
        PPL_RATIO: FigureWithError(value=ratio, error=ratio * log_error),
        "Mean PPL(Q)-PPL(base)": FigureWithError(
            value=ppl.value - ppl_base.value, error=difference_error
        ),
    }


def _divergences(kld: Floats) -> dict[str, FigureWithError]:
    figures = {
        MEAN_KLD: mean(kld),
        MAXIMUM_KLD: FigureWithError(value=float(kld.max())),
    }
    figures |= _percentiles(kld, KLD_PERCENTILES, "KLD")
    figures["Minimum KLD"] = FigureWithError(value=float(kld.min()))
    return figures


def _probabilities(change: Floats) -> dict[str, FigureWithError]:
    """Changes of the probability of the token that came, in percent."""
    percent = 100 * change
    average = mean(percent)
    figures = {"Mean Δp": average.model_copy(update={"unit": "%"})}
    figures["Maximum Δp"] = FigureWithError(value=float(percent.max()), unit="%")
    figures |= _percentiles(percent, DELTA_P_PERCENTILES, "Δp", "%")
    figures["Minimum Δp"] = FigureWithError(value=float(percent.min()), unit="%")
    square = mean(change**2)
    rms = math.sqrt(square.value)
    error = 0.5 * (square.error or 0.0) / rms if rms else 0.0
    figures["RMS Δp"] = FigureWithError(value=100 * rms, error=100 * error, unit="%")
    return figures


def _percentiles(
    values: Floats, percentiles: Sequence[float], of: str, unit: str = ""
) -> dict[str, FigureWithError]:
    found = np.percentile(values, percentiles)
    names = [f"Median {of}" if p == 50 else f"{p:.1f}% {of}" for p in percentiles]
    return {
        name: FigureWithError(value=float(value), unit=unit)
        for name, value in zip(names, found, strict=True)
    }


def _enough(count: int) -> bool:
    return count > LEAST_FOR_ERROR


def _root(variance: float) -> float:
    # Of equal models the terms cancel but for rounding, which may fall below zero.
    return math.sqrt(max(0.0, variance))
