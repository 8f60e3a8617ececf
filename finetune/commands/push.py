"""`finetune push`: a run's adapter to the Hugging Face Hub, when asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medassist.core.terminal import Proxy, confirm, room, say, show, watching


def push(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder that a fine-tune left.")
    ],
    repo: Annotated[
        str, typer.Argument(metavar="REPO", help="Where to: USER/NAME on the Hub.")
    ],
    private: Annotated[
        bool,
        typer.Option(
            "--private", help="If the repository is made now, as a private one."
        ),
    ] = False,
    revision: Annotated[
        str,
        typer.Option(metavar="BRANCH", help="The branch; it is made if need be."),
    ] = "main",
    with_evaluation: Annotated[
        bool,
        typer.Option(
            "--with-evaluation",
            help="Send evaluation.json, report.html and slides.pptx too, which quote "
            "the held-out questions.",
        ),
    ] = False,
    storage_host: Annotated[
        str | None,
        typer.Option(
            metavar="HOST",
            help="A host that the Hub may have large files sent to, where it names one "
            "that is not known.",
        ),
    ] = None,
    proxy: Proxy = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent; send nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.")
    ] = False,
) -> None:
    """Send a run's adapter and its model card to the Hugging Face Hub.

    Never sent: the data, the checkpoints, the GGUFs. The token comes from HF_TOKEN or
    from `hf auth login`. The host is HF_ENDPOINT, or huggingface.co.
    """
    with room("finetune"):
        from finetune import push as work
        from medassist.core.settings_file import way_out

    way = way_out(proxy)
    plan = work.make_plan(
        run, repo, revision=revision, private=private, with_evaluation=with_evaluation
    )
    if not json or not yes:
        say(work.told(plan), err=json)
    if dry_run:
        if json:
            show(plan, "", json=True)
        return
    if not yes:
        confirm(f"Send this to {plan.host}{way.told}?", abort=True, err=json)
    with watching(quiet=json) as watcher:
        done = work.push(plan, storage_host=storage_host, way=way, watcher=watcher)
    show(done, f"sent: {done.url}", json=json)
