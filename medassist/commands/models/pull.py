"""`medassist models pull`: download from the Hub."""

from __future__ import annotations

from typing import Annotated

import typer

from medassist.commands.models.options import Json, Name, as_text
from medassist.core.terminal import Proxy, confirm, say


def pull(
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="On the Hub.")],
    file: Annotated[
        str | None, typer.Argument(help="The GGUF; may be left out if it is the only.")
    ] = None,
    revision: Annotated[str, typer.Option(help="A branch, tag or commit.")] = "main",
    name: Name = None,
    proxy: Proxy = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")
    ] = False,
    json: Json = False,
) -> None:
    """Download a model from the Hugging Face Hub; asks first, checks its sha256.

    The only command of these that uses the network.
    """
    from medassist.commands.models.output import planned
    from medassist.core.hub import hub_host
    from medassist.core.settings_file import way_out
    from medassist.core.terminal import watching
    from medassist.library.hub.access import require_library
    from medassist.library.hub.pull import pull as fetch
    from medassist.library.hub.pull_plan import make_plan, require_repo

    require_library()
    require_repo(repo, revision)
    way = way_out(proxy)
    if not yes:
        _ask(f"Ask {hub_host()}{way.told} which files {repo} has?")
    plan = make_plan(repo, file, revision, way)
    say(planned(plan), err=True)
    if not yes:
        _ask(f"Download this from {' and '.join(plan.hosts)}{way.told}?")
    with watching(quiet=json) as watcher:
        called = fetch(plan, name, way=way, watcher=watcher)
    say(
        as_text({"model": called, "repo": repo, "commit": plan.commit})
        if json
        else f"{called} is there, and its sha256 is the Hub's.",
        json=json,
    )


def _ask(question: str) -> None:
    if not confirm(question, err=True):
        say("Nothing was sent.", err=True)
        raise typer.Exit(1)
