"""`finetune evaluate`: base and tuned on the same held-out data, and in exams."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medassist.core.run_folder import RunFolder
from medassist.core.terminal import room, show, watching

if TYPE_CHECKING:
    from finetune.evaluate.result import Comparison, Evaluation

PERCENT = {"acc", "acc_norm", "token_accuracy"}


def evaluate(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A run folder, with data/ and a trained adapter/."
        ),
    ],
    exams: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Multiple-choice exams in their published files: MedQA, MedMCQA, "
            "PubMedQA, MMLU, MedXpertQA; compressed or not.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Held-out part of the data; default: test, or validation where the "
            "data has no test part.",
        ),
    ] = None,
    semantic: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A folder with a text encoder, to score answers by meaning as well.",
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|GGUF",
            help="Where the base model lies, if no longer as trained.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="At most so many records, and questions an exam."
        ),
    ] = None,
    generate: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Held-out questions to answer in full; default 50."
        ),
    ] = None,
    shots: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Solved questions before each of MMLU; default 5."
        ),
    ] = None,
    exam_chat: Annotated[
        bool | None,
        typer.Option(
            "--exam-chat/--no-exam-chat",
            help="Put exam questions by the chat template; by default only to an "
            "activated LoRA.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what was broken off.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the processor.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the whole evaluation as JSON.")
    ] = False,
) -> None:
    """Compare the tuned model with its base, on data kept out of the tuning.

    Losses, answers and exams go item by item into RUN/evaluation.json. "Better" and
    "worse" are said only where the 95 % interval of the difference excludes zero, and
    nothing of fewer than ten items or documents.
    Needs no network. Ctrl-C keeps what was found; --resume goes on.
    """
    with room("finetune"):
        import torch

        from finetune.evaluate.evaluate import evaluate_run
        from finetune.evaluate.recipe import part_of
    if threads is not None:
        torch.set_num_threads(threads)
    wishes = {
        "split": split,
        "generate": generate,
        "shots": shots,
        "exam_chat": exam_chat,
    }
    given = {key: value for key, value in wishes.items() if value is not None}
    with watching(quiet=json) as watcher:
        found = evaluate_run(
            run,
            part_of(run).model_copy(update=given),
            exams=exams,
            semantic=semantic,
            base=base,
            limit=limit,
            exactly=split is not None,
            resume=resume,
            watcher=watcher,
        )
    show(found, told_evaluation(run, found), json=json)


def told_evaluation(run: Path, found: Evaluation) -> str:
    """An evaluation as a person reads it."""
    from finetune.report.wording import IGNORANT
    from medassist.exams.statistics import Outcome

    data, tuned = found.data, found.models.tuned
    lines = [
        f"{tuned.name} ({tuned.kind} LoRA, rank {tuned.rank}) on "
        f"{found.models.base.name}: {data.records:,} records of {data.split} "
        f"from {data.groups:,} documents"
        + (f", {data.tokens:,} tokens" if data.tokens else ""),
        *([data.note] if data.note else []),
        "",
        f"{'':<32} {'base':>10} {'tuned':>10} {'difference':>11}  95 % interval",
    ]
    lines += [_line(one) for one in found.comparisons]
    for loss in found.losses:
        what = "answers" if loss.kind == "dialogue" else "text"
        lines.append(
            f"perplexity of {what}: base {loss.base.perplexity:,.2f}, "
            f"tuned {loss.tuned.perplexity:,.2f}"
        )
    if data.unscored:
        lines.append(f"{data.unscored:,} records could not be scored.")
    if data.not_read:
        lines.append(f"{data.not_read:,} records of {data.split} were left out.")
    lines += [f"Exam not sat: {why}" for why in found.exams_unlike]
    if worse := found.with_outcome(Outcome.WORSE):
        lines.append(f"Became worse: {', '.join(one.name for one in worse)}.")
    if untold := found.with_outcome(Outcome.CANNOT_TELL):
        lines.append(f"{', '.join(one.name for one in untold)}: {IGNORANT}.")
    lines.append(f"{found.seconds:,.1f} s; all of it: {RunFolder(run).evaluation_file}")
    return "\n".join(lines)


def _line(one: Comparison) -> str:
    share = one.metric in PERCENT
    factor, unit = (100, " %") if share else (1, "")
    digits = 1 if share else 4
    interval = (
        f"{factor * one.interval.low:+.{digits}f} to "
        f"{factor * one.interval.high:+.{digits}f}"
    )
    p = "" if one.p is None else f", p {one.p:.3g} ({one.holm_p:.3g} by Holm)"
    return (
        f"{one.name + unit:<32} {factor * one.base:>10.{digits}f} "
        f"{factor * one.tuned:>10.{digits}f} {factor * one.difference:>+11.{digits}f}  "
        f"{interval:<20} {one.said}{p}"
    )
