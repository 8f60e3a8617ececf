"""`finetune fetch`: a data set from where it is openly given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medassist.core.terminal import Proxy, room, say, show, watching
from medassist.core.words import size


def fetch(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="The data set: pmc-oa, clinical-trials, medquad, pubmedqa, ...; "
            "`prepare --list` shows all.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The folder that the files go into."),
    ],
    ids: Annotated[
        str,
        typer.Option(
            metavar="LIST|FILE",
            help="Of pmc-oa: PMC numbers with commas between, a file with one a line, "
            "or an old file list of PMC. Of clinical-trials: NCT numbers.",
        ),
    ] = "",
    query: Annotated[
        str,
        typer.Option(
            metavar="WORDS",
            help="Of pmc-oa and clinical-trials: all that their own search finds.",
        ),
    ] = "",
    repo: Annotated[
        str,
        typer.Option(
            metavar="OWNER/NAME",
            help="A data set of the Hugging Face Hub; after kaggle: one of Kaggle.",
        ),
    ] = "",
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file", metavar="PATTERN", help="Of a repository, only files like that."
        ),
    ] = None,
    revision: Annotated[
        str, typer.Option(metavar="REV", help="Of a repository: branch, tag, commit.")
    ] = "main",
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", help="At most so many articles, studies or files."),
    ] = None,
    proxy: Proxy = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show hosts, files and sizes; download nothing."
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.")
    ] = False,
) -> None:
    """Download a data set: the one thing here that goes online, and only now.

    Hosts and sizes are shown first. A download that broke off goes on where it was, and
    files that are whole are not downloaded again; checksums are held where the server
    gives some. fetched.json in the folder says what came from where.
    """
    with room("finetune"):
        from finetune.data.fetch.fetch import FetchWish
        from finetune.data.fetch.fetch import fetch as work
        from medassist.core.settings_file import way_out

    wish = FetchWish(
        source=source,
        out=out,
        ids=ids,
        query=query,
        repository=repo,
        patterns=tuple(files or ()),
        revision=revision,
        limit=limit,
        dry_run=dry_run,
        way=way_out(proxy),
    )
    with watching(quiet=json) as watcher:
        fetched = work(wish, lambda text: say(text, err=True), watcher)
    if dry_run:
        told = [f"  {f.file} {size(f.bytes)}" for f in fetched.files[:50]]
        if len(fetched.files) > 50:
            told.append(f"  ... and {len(fetched.files) - 50} more")
        text = "\n".join(["would be downloaded:", *told])
    else:
        there = sum(each.was_there for each in fetched.files)
        text = (
            f"{len(fetched.files)} files, {size(fetched.bytes)}, in {fetched.out}"
            + (f"; {there} were there already" if there else "")
            + f"\nread them with: medassist finetune prepare {source}={fetched.out} "
            "--out RUN"
        )
    show(fetched, text, json=json)
