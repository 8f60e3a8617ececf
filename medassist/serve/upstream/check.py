"""Whether an engine elsewhere can be used, for `medassist serve --check`."""

from __future__ import annotations

from medassist.serve.upstream.discover import discover
from medassist.serve.upstream.http_client import HttpClient
from medassist.serve.upstream.options import UpstreamOptions, key_in, place_of
from medassist.settings import Settings


async def looked_at(options: UpstreamOptions, settings: Settings) -> str:
    """Checks the engine; returns what it is, in a sentence.

    Raises:
        ServeError: it cannot be used.
    """
    place = place_of(options.url)
    client = HttpClient(place, key_in(options.key_file), settings.network)
    try:
        found = await discover(client, options)
    finally:
        await client.close()
    names = ", ".join(f"{pane} {one.label}" for pane, one in found.panes.items())
    leaves = "" if place.is_here else "; questions leave this computer"
    many = f"; {found.at_once} questions at once" if found.at_once > 1 else ""
    return f"{place.host} answers, as {found.kind}: {names}{many}{leaves}"
