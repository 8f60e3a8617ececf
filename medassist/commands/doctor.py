"""`medassist doctor`: checks this computer and the installation."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer


def doctor(
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.")
    ] = False,
) -> None:
    """Say what is installed, what holds, what is wrong, and what to do about it.

    Changes nothing, asks for no passphrase, opens no records, uses no network. Exit
    code 1 where something is wrong.
    """
    from medassist.doctor.tell import run
    from medassist.tui.clipboard import programs

    copying = [p.command[0] for p in programs(os.environ, sys.platform)]
    raise typer.Exit(run(copying, as_json=json))
