"""`finetune train`: a LoRA on a base model, from a run folder's data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medassist.core.run_folder import RunFolder
from medassist.core.terminal import Proxy, confirm, room, say, show, watching
from medassist.core.words import duration, memory

if TYPE_CHECKING:
    from finetune.train.preparation import PreparedTraining
    from finetune.train.result import TrainingResult


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="A recipe (YAML), the name of one that comes with the program, or a "
            "run folder, whose own recipe is taken.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="RUN",
            help="The run folder, with its prepared data; by default runs/NAME.",
        ),
    ] = None,
    prepare_first: Annotated[
        bool,
        typer.Option(
            "--prepare",
            help="Prepare the recipe's data first, where RUN/data is not there.",
        ),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on where a training in RUN stopped."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Load and estimate everything; train nothing."),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Do not ask, even where it looks too much."),
    ] = False,
    price: Annotated[
        float | None,
        typer.Option(
            "--price",
            metavar="PER_HOUR",
            min=0,
            help="What this machine costs an hour, in dollars.",
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            metavar="USD",
            min=0,
            help="Stop, with a checkpoint, before the training has cost more.",
        ),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(
            "--base",
            metavar="DIR|GGUF",
            help="Where the base model lies, if not where the recipe says.",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where to train.")
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, help="Of a CPU; by default PyTorch's choice."),
    ] = None,
    download: Annotated[
        bool,
        typer.Option(
            "--download",
            help="Fetch the base from the hub, where it is an id that is not there.",
        ),
    ] = False,
    proxy: Proxy = None,
    tensorboard: Annotated[
        bool,
        typer.Option("--tensorboard", help="Write RUN/tensorboard/ as well."),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON.")
    ] = False,
) -> None:
    """Train a LoRA on a base model.

    RUN/data must have been prepared (`finetune prepare`, or --prepare). What comes
    out: RUN/adapter (PEFT), RUN/training.json, RUN/metrics.jsonl, and checkpoints to
    go on from. The best checkpoint by validation loss becomes the adapter. Ctrl-C
    keeps a checkpoint, and the best so far as the adapter.

    On several GPUs: torchrun --nproc-per-node N -m finetune train ...
    """
    with room("finetune"):
        from rich.console import Console

        from finetune.commands.prepare import prepare
        from finetune.train import preparation, train
        from finetune.train.stop_signal import asked_to_stop
        from finetune.train.training_folder import locked, open_run, root_of
        from medassist.core.settings_file import way_out
        from medassist.core.way_out import DIRECT
    root = root_of(recipe, out)
    if prepare_first and not RunFolder(root).split("train").is_file():
        prepare([recipe], out=root)
    folder = open_run(recipe, out, resume=resume, base=base, change=not dry_run)
    done = folder.finished()
    if done is not None:
        show(done, f"{folder.root} is trained already.\n{_result(done)}", json=json)
        return
    console = Console(stderr=True, quiet=json)
    wishes = preparation.TrainingWishes(
        resume=resume,
        device=device,
        price=price,
        budget=budget,
        tensorboard=tensorboard,
        download=download,
        way=way_out(proxy) if download else DIRECT,
        threads=threads,
    )
    with locked(folder.root), asked_to_stop() as asked:
        with watching(quiet=json) as watcher:
            prepared = preparation.prepare(folder, wishes, watcher=watcher, asked=asked)
        main = prepared.tuner.is_world_process_zero()
        if main:
            say(_before(prepared), err=True)
        if dry_run:
            preparation.forget(prepared)
            return
        doubt = _doubt(prepared)
        if main and doubt:
            say(doubt, err=True)
            if sys.stdin.isatty() and not yes and not confirm("Train all the same?"):
                preparation.forget(prepared)
                raise typer.Exit(1)
        result = train.train(prepared, console)
    if result is not None:
        show(result, _result(result), json=json)


def _before(prepared: PreparedTraining) -> str:
    found, recipe = prepared.estimate, prepared.run.recipe
    data, method = prepared.train, prepared.method
    lines = [
        f"{recipe.name}: {method.kind} r {method.rank} on {recipe.base}",
        f"  hardware    {prepared.hardware.words}",
        f"  trainable   {found.trainable:,} of {found.parameters:,} parameters "
        f"({found.trainable / found.parameters:.2%})",
        f"  data        {data.used:,} of {data.records:,} records in {data.rows:,} "
        f"rows, {data.tokens:,} tokens an epoch",
        f"              {data.answer_tokens:,} of them learned",
    ]
    lines += [
        f"              left out: {n:,} {why}" for why, n in data.left_out.items()
    ]
    if prepared.validation is None:
        lines.append("  validation  none: the last checkpoint will be the adapter")
    else:
        lines.append(f"  validation  {prepared.validation.used:,} records")
    lines += [
        f"  steps       {found.steps:,} of {recipe.train.rows} rows",
        f"  memory      about {memory(found.memory)} of {memory(found.available)}",
        f"  time        about {duration(found.seconds)}",
    ]
    if found.cost is not None:
        lines.append(f"  cost        about ${found.cost:,.2f}")
    if prepared.resumed is not None:
        lines.append(f"  goes on from {prepared.resumed}")
    lines += [f"  {note}" for note in prepared.notes]
    return "\n".join(lines)


def _doubt(prepared: PreparedTraining) -> str:
    from finetune.train.shortage import smaller

    found, budget = prepared.estimate, prepared.wishes.budget
    if not found.fits:
        return (
            "Note: the memory may not suffice. If it does not: "
            f"{smaller(prepared.run.recipe)}."
        )
    if found.cost is not None and budget is not None and found.cost > budget:
        share = budget / found.cost
        return (
            f"Note: the budget of ${budget:,.2f} may end it at about {share:.0%}; then "
            "there is a checkpoint, and the best so far is the adapter."
        )
    return ""


def _result(result: TrainingResult) -> str:
    best, cost = result.best, result.cost
    why = {
        "finished": "to its end",
        "early": "until it no longer got better",
        "budget": "until the budget was spent",
        "asked": "until it was stopped",
    }[result.stopped_why]
    lines = [
        f"trained {why}: {result.steps:,} of {result.planned_steps:,} steps, "
        f"{result.tokens:,} tokens in {duration(result.seconds)} "
        f"({result.tokens_per_second:,.0f} tok/s in steps), "
        f"{memory(result.peak_memory)}",
    ]
    if best.validation_loss is not None and result.first_validation_loss is not None:
        lines.append(
            f"validation loss {result.first_validation_loss:.4f} (base) -> "
            f"{best.validation_loss:.4f} (step {best.step:,})"
        )
    if cost is not None:
        lines.append(f"cost ${cost.spent:,.2f} at ${cost.price_per_hour:g} an hour")
    if result.stopped_why == "budget":
        lines.append("go on with --resume and a higher --budget")
    lines += [f"Note: {note}." for note in result.notes]
    return "\n".join(lines)
