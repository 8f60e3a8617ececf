"""`medassist bench compare`: compares two results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
Exit codes: 0 nothing slower or worse; 1 a file failed; 2 nothing to compare; 4 slower
or worse shown; 5 not decided.
"""


def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD.jsonl", help="An older result.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.jsonl", help="A newer one.")],
    margin: Annotated[
        float, typer.Option(min=0.01, max=50.0, help="Points that may be lost.")
    ] = 1.0,
    threshold: Annotated[
        float,
        typer.Option(
            min=0.1, max=90.0, help="Percent of a speed that count as the same."
        ),
    ] = 5.0,
) -> None:
    """Compare a result with an older one: slower, the same, or not decided."""
    from medassist.bench import against
    from medassist.bench.results import read_results
    from medassist.commands.bench.measurement import told
    from medassist.core.terminal import say

    result = against.compare(
        read_results(new), read_results(old), margin / 100, threshold / 100
    )
    say(told(result))
    raise typer.Exit(int(result.code))
