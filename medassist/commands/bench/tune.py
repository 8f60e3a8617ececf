"""`medassist bench tune`: finds and remembers the best number of threads."""

from __future__ import annotations

from typing import Annotated

import typer


def tune(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A GGUF, or a name of the library."),
    ],
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget what was found for it.")
    ] = False,
) -> None:
    """Try numbers of threads for some seconds, and remember the best one.

    It holds for this file on this computer with this build of llama.cpp, and is taken
    where neither the settings nor the command line name a number.
    """
    from medassist.bench.machine import Sensors
    from medassist.bench.targets import named
    from medassist.bench.tune import Tuned, tune_model
    from medassist.core.terminal import say
    from medassist.library.tuned_threads import forget_threads, remember_threads

    file, adapter = named(model)[0]
    if forget:
        gone = forget_threads(file)
        say(f"{file.name}: {'forgotten' if gone else 'nothing was remembered'}.")
        return
    for found in tune_model(file, adapter, Sensors()):
        if isinstance(found, Tuned):
            _tell(file.name, found)
            remember_threads(file, found.threads)


def _tell(name: str, found: object) -> None:
    from statistics import median

    from medassist.bench.tune import READ, WRITTEN, Tuned
    from medassist.core.terminal import say

    assert isinstance(found, Tuned)
    for threads, speeds in sorted(found.speeds.items()):
        mark = " (default)" if threads == found.default else ""
        say(
            f"{threads} threads{mark}: {1 / median(speeds):.2f} s for {READ} tokens "
            f"read and {WRITTEN} written"
        )
    if found.threads == found.default:
        said = "the default: no other is shown to be faster"
        say(f"{name}: {found.threads} threads, {said}.")
    else:
        by = 100 * (found.faster - 1)
        say(f"{name}: {found.threads} threads, {by:.0f} % faster than the default.")
