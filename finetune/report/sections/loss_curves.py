"""Section on the training: loss curves, figures, cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from finetune.report.public_names import base_name
from finetune.report.wording import counted, number
from finetune.train.metrics import TrainingStep
from finetune.train.result import Method, TrainingResult
from medassist.core.words import duration, size
from medassist.report.elements import (
    Column,
    Curve,
    Items,
    Lines,
    Part,
    Section,
    Table,
    Text,
)

MOST_POINTS = 240  # of a curve: more than a chart can show
METHODS = {
    "lora": "LoRA",
    "rslora": "rank-stabilised LoRA",
    "dora": "DoRA",
    "qlora": "QLoRA: LoRA on the base in 4 bits (nf4)",
    "alora": "activated LoRA",
}
STOPPED = {
    "finished": "It ran to its end.",
    "early": "It stopped early, since the validation loss no longer fell.",
    "budget": "It stopped before the budget was exceeded, so it is not finished.",
    "asked": "It was stopped, so it is not finished.",
}


def training(
    result: TrainingResult | None, steps: Sequence[TrainingStep]
) -> Section | None:
    """The section, of what there is; None where there is neither result nor steps."""
    parts: list[Part] = []
    if result is not None:
        parts.append(Text(_told(result)))
        if result.unfinished:
            parts.append(Text(_why(result), tone="warning"))
    curves = loss_curves(steps, result)
    if curves is not None:
        parts.append(curves)
    if result is not None:
        parts.append(figures(result))
        parts.append(cost(result))
        if result.notes:
            parts.append(Items(result.notes, on_slides=False))
    if not parts:
        return None
    return Section(
        "training",
        "Training and cost",
        tuple(parts),
        notes="A validation loss that rises while the training loss falls means that "
        "the model learns its data by heart; the checkpoint kept is the one with the "
        "lowest validation loss.",
    )


def _told(result: TrainingResult) -> str:
    method = result.method
    share = 100 * method.trainable / max(1, result.base.parameters)
    said = (
        f"{METHODS[method.kind]} of rank {method.rank} on "
        f"{base_name(result.base.name)} "
        f"({number(result.base.parameters / 1e6, 1)} million parameters): "
        f"{number(method.trainable / 1e6, 2)} million parameters were trained, "
        f"{number(share, 2)} % of the base's number. It took "
        f"{duration(result.seconds)} for {epochs(result.epochs)} and "
        f"{counted(result.tokens, 'token')}."
    )
    return said if result.unfinished else f"{said} {_why(result)}"


def _why(result: TrainingResult) -> str:
    return STOPPED[result.stopped_why]


def loss_curves(
    steps: Sequence[TrainingStep], result: TrainingResult | None
) -> Lines | None:
    """The loss by tokens, in training and on held-out text; None without a step."""
    trained = [
        (step.tokens / 1e6, step.loss)
        for step in steps
        if step.loss is not None and math.isfinite(step.loss)
    ]
    checked = [
        (step.tokens / 1e6, step.validation_loss)
        for step in steps
        if step.validation_loss is not None and math.isfinite(step.validation_loss)
    ]
    if len(trained) < 2:
        return None
    together = -(-len(trained) // MOST_POINTS)
    curves = [Curve("Training", "training", _means(trained, together))]
    told = (
        f"The training loss went from {number(trained[0][1], 3)} at the first step to "
        f"{number(trained[-1][1], 3)} at the last of {len(trained):,}."
    )
    if checked:
        curves.append(Curve("Validation", "validation", tuple(checked), marked=True))
        lowest = min(loss for _, loss in checked)
        told += (
            f" The validation loss went from {number(checked[0][1], 3)} to "
            f"{number(checked[-1][1], 3)}; its lowest was {number(lowest, 3)}."
        )
    note = f"Each point is the mean of {together} steps." if together > 1 else ""
    return Lines(
        "Loss while training",
        "Tokens trained on, in millions",
        "Nats per token",
        tuple(curves),
        told,
        mark=_best_mark(steps, result),
        note=note,
    )


def _best_mark(
    steps: Sequence[TrainingStep], result: TrainingResult | None
) -> tuple[float, str] | None:
    if result is None or result.best.validation_loss is None:
        return None
    step = result.best.step
    tokens = [found.tokens for found in steps if found.step == step]
    return (tokens[-1] / 1e6, f"kept: step {step:,}") if tokens else None


def _means(
    points: list[tuple[float, float]], together: int
) -> tuple[tuple[float, float], ...]:
    parts = (points[at : at + together] for at in range(0, len(points), together))
    return tuple(
        (part[-1][0], sum(loss for _, loss in part) / len(part)) for part in parts
    )


def epochs(count: float) -> str:
    """`3 epochs`, `0.25 epochs`."""
    return f"{round(count, 2):g} {'epoch' if round(count, 2) == 1 else 'epochs'}"


def figures(result: TrainingResult) -> Table:
    """Rows of figures about the training."""
    best = result.best
    rows: list[tuple[str, str]] = [
        ("Base model", base_name(result.base.name)),
        ("Method", _method(result.method)),
        ("Modules with an adapter", ", ".join(result.method.targets)),
        ("Prompts made by", result.method.chat_format),
        (
            "Records trained on",
            f"{result.train.used:,} of {result.train.records:,}, in "
            f"{counted(result.train.rows, 'row')}",
        ),
        (
            "Tokens of an epoch",
            f"{result.train.tokens:,}, of them {result.train.answer_tokens:,} in the "
            "loss",
        ),
        ("Steps", f"{result.steps:,} of {result.planned_steps:,} planned"),
        ("Training loss, last steps", f"{number(result.training_loss, 4)} nats/token"),
    ]
    if result.first_validation_loss is not None:
        first = number(result.first_validation_loss, 4)
        rows.append(("Validation loss before", f"{first} nats/token"))
    if best.validation_loss is not None:
        rows.append(
            (
                "Validation loss, checkpoint kept",
                f"{number(best.validation_loss, 4)} nats/token (step {best.step:,})",
            )
        )
    rows += [
        ("Precision", result.precision),
        ("Seed", f"{result.seed}"),
    ]
    left_out = result.train.left_out
    if left_out:
        rows.insert(
            5,
            (
                "Records left out",
                "; ".join(f"{count:,}: {why}" for why, count in left_out.items()),
            ),
        )
    return Table(
        "The training in figures",
        (Column("What"), Column("Value", wide=True)),
        tuple(rows),
        on_slides=False,
    )


def _method(method: Method) -> str:
    return (
        f"{METHODS[method.kind]}, rank {method.rank}, alpha {method.alpha:g}, "
        f"dropout {method.dropout:g}"
    )


def cost(result: TrainingResult) -> Table:
    """Rows about its cost: time, memory, and money where a price was given."""
    rows = [
        ("Time", duration(result.seconds)),
        (
            "Hardware",
            result.hardware
            + (f", {result.processes} processes" if result.processes > 1 else ""),
        ),
        ("Tokens", f"{result.tokens:,}"),
        ("Speed", f"{number(result.tokens_per_second)} tokens/s"),
        ("Memory at the peak", size(result.peak_memory)),
    ]
    money = result.cost
    if money is None:
        rows.append(("Price", "none was given (`--price`)"))
    else:
        rows.append(("Price", f"${number(money.price_per_hour, 3)} an hour"))
        rows.append(("Spent", f"${number(money.spent, 2)}"))
        if money.budget is not None:
            rows.append(("Budget", f"${number(money.budget, 2)}"))
    return Table(
        "Cost",
        (Column("What"), Column("Value", wide=True)),
        tuple(rows),
        note=""
        if money is None
        else "Training alone: the measured time by the price. "
        "Preparing and evaluating are not in it.",
    )
