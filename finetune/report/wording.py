"""Figures and verdicts in words, for page, slides and card."""

from __future__ import annotations

import math
from dataclasses import dataclass

from finetune.evaluate.result import Comparison
from medassist.exams.statistics import Outcome

MINUS = "\N{MINUS SIGN}"
IGNORANT = "neither model is shown to know more than one fixed answer to every question"


@dataclass(frozen=True)
class Metric:
    """Format of a metric.

    Attributes:
        name: what it is called.
        unit: of the figure and of a difference.
        decimals: that are shown.
        factor: shares are shown in hundredths.
        about: what it says, in a sentence.
    """

    name: str
    unit: str
    decimals: int
    factor: float
    about: str


METRICS = {
    "nll": Metric(
        "loss",
        "nats per token",
        3,
        1.0,
        "Loss is what the model did not expect of the right text, in nats per token; "
        "less is better.",
    ),
    "bits_per_byte": Metric(
        "bits per byte",
        "bits per byte",
        3,
        1.0,
        "Bits per byte is the same loss by the bytes of the text, so that models with "
        "different tokenizers can be compared; less is better.",
    ),
    "token_accuracy": Metric(
        "token accuracy",
        "%",
        1,
        100.0,
        "Token accuracy is the share of tokens that the model held for the likeliest.",
    ),
    "rouge_l": Metric(
        "ROUGE-L",
        "of 100",
        1,
        100.0,
        "ROUGE-L is the overlap of an answer with the reference in words of the same "
        "order, from 0 to 100; it does not say that an answer is right.",
    ),
    "semantic": Metric(
        "semantic score",
        "of 100",
        1,
        100.0,
        "The semantic score is how close a model of sentences finds answer and "
        "reference, up to 100; it does not say that an answer is right.",
    ),
    "acc": Metric(
        "accuracy",
        "%",
        1,
        100.0,
        "Accuracy is the share of questions answered right, by the likeliest choice.",
    ),
    "acc_norm": Metric(
        "accuracy by length",
        "%",
        1,
        100.0,
        "Accuracy by length takes the choice that is likeliest by character.",
    ),
}
KINDS = {"dialogue": "answers", "text": "running text"}


def metric_of(name: str) -> Metric:
    """The format of a metric by name; unknown ones stay as they are."""
    return METRICS.get(name) or Metric(name.replace("_", " "), "", 4, 1.0, "")


def number(value: float, decimals: int = 0, *, sign: bool = False) -> str:
    """A number with thousands apart; `sign` writes a plus too."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    written = f"{abs(value):,.{decimals}f}"
    zero = not any(digit in written for digit in "123456789")
    if value < 0 and not zero:
        return MINUS + written
    return ("+" if sign and not zero else "") + written


def counted(count: int, one: str, many: str = "") -> str:
    """`1 record`, `2,000 records`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def figure(value: float, metric: Metric, *, unit: bool = False) -> str:
    """A figure of a metric."""
    written = number(value * metric.factor, metric.decimals)
    return written + _unit(metric.unit if unit or metric.unit == "%" else "")


def difference(comparison: Comparison) -> str:
    """Tuned less base, with its sign and unit."""
    metric = metric_of(comparison.metric)
    written = number(
        comparison.difference * metric.factor, _fine(comparison), sign=True
    )
    return written + _unit("points" if metric.factor != 1 else "")


def interval(comparison: Comparison) -> str:
    """`+0.080 to +0.120`, as fine as it needs so that no end is a false zero."""
    metric = metric_of(comparison.metric)
    decimals = _fine(comparison)
    low, high = (
        number(end * metric.factor, decimals, sign=True)
        for end in (comparison.interval.low, comparison.interval.high)
    )
    return f"{low} to {high}"


def level(comparison: Comparison) -> str:
    """`95 %`."""
    return f"{100 * comparison.interval.level:g} %"


def subject(comparison: Comparison, titles: dict[str, str]) -> str:
    """Name of what was compared."""
    return titles.get(comparison.subject, comparison.subject)


def claim(comparison: Comparison, titles: dict[str, str]) -> str:
    """The conclusion from a comparison, with n, difference and interval."""
    metric = metric_of(comparison.metric)
    what = f"{subject(comparison, titles)}, {metric.name}"
    figures = (
        f"base {figure(comparison.base, metric)}, tuned "
        f"{figure(comparison.tuned, metric, unit=True)}; difference "
        f"{difference(comparison)} ({level(comparison)} interval "
        f"{interval(comparison)}, n = {comparison.n:,})"
    )
    match comparison.outcome:
        case Outcome.TOO_FEW:
            said = f"{comparison.said}; an interval of so few is too narrow"
        case Outcome.NOT_SHOWN:
            said = short_verdict(comparison)
        case Outcome.CANNOT_TELL:
            said = f"{comparison.said}; {IGNORANT}"
        case outcome:
            said = f"the tuned model is {outcome}"
    return f"{capital(what)}: {said}. {capital(figures)}."


def short_verdict(comparison: Comparison) -> str:
    """`better`, `no difference shown`, ...; n stands in a column of its own."""
    return comparison.said.split(" (")[0]


def probability(value: float | None) -> str:
    """A p-value; one that is very small is not written as zero."""
    if value is None:
        return ""
    return "< 0.0001" if value < 0.0001 else number(value, 4)


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def capital(words: str) -> str:
    """The text with a capital at the beginning, and the rest left as it is."""
    return words[:1].upper() + words[1:]


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""


def _fine(comparison: Comparison) -> int:
    """Decimals at which an end beside zero does not look like zero."""
    metric = metric_of(comparison.metric)
    ends = (comparison.interval.low, comparison.interval.high, comparison.difference)
    decimals = metric.decimals
    while decimals < 6 and any(
        end != 0 and abs(end * metric.factor) < 0.5 * 10.0**-decimals for end in ends
    ):
        decimals += 1
    return decimals
