"""`medassist bench`, `bench compare` and `bench tune`.

What stands behind `bench` is a model, unless it is one of the two verbs: a file that is
called like a verb is given as ./compare.
"""

from __future__ import annotations

from typing import Any

import typer

from medassist.commands.bench import compare, measure, tune
from medassist.core.verbs import Verbs

MEASURE = "measure"


class BenchVerbs(Verbs):
    """Command group whose first verb is the default."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the default verb, unless another one is named."""
        if not args or args[0] not in self.commands:
            args = [MEASURE, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=BenchVerbs,
    name="bench",
    help="Measure models on this computer: speed, memory, loading, quality, exams.",
    rich_markup_mode=None,
)


@app.callback()
def _bench() -> None:
    pass


app.command(MEASURE, epilog=measure.EPILOG)(measure.measure)
app.command("compare", epilog=compare.EPILOG)(compare.compare)
app.command("tune")(tune.tune)
