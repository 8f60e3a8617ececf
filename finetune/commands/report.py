"""`finetune report`: a run told to people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medassist.core.clean import clean
from medassist.core.terminal import room, show, watching


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder that a fine-tune left.")
    ],
    verdicts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Clinicians' verdicts: a CSV with the columns consultation, pair, "
            "side_a, side_b (base or tuned), verdict (A, B, tie, both poor), reasons, "
            "when.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where it is written; by default into RUN."),
    ] = None,
    base_licence: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The licence of the base model (MIT, Apache 2.0, Llama 2, ...), for "
            "the cards; they keep it.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.")
    ] = False,
) -> None:
    """Write a run's report: a page, slides, a model card, card.json.

    All of it comes from the run folder's files; what they lack is left out, and the
    report says so. Nothing is sent anywhere. The page and the slides quote questions
    of the held-out data: look at them before you pass them on.
    """
    with room("finetune"):
        from finetune.report.write import write_report

    with watching(quiet=json) as watcher:
        found = write_report(
            run, verdicts=verdicts, out=out, base_licence=base_licence, watcher=watcher
        )
    files = [found.page, found.slides, found.readme, found.card]
    lines = [str(file) for file in files if file is not None]
    lines += [f"not in it, for the run lacks {file}" for file in found.missing]
    lines += [clean(claim) for claim in found.claims]
    show(found, "\n".join(lines), json=json)
