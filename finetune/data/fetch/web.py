"""Downloads data sets in public repositories, at a fixed commit."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import yaml
from pydantic import TypeAdapter

from finetune.data.fetch.download_plan import DownloadPlan
from finetune.errors import FinetuneError
from medassist.core.download import Checksum, Wanted
from medassist.core.network import connected
from medassist.core.way_out import WayOut
from medassist.frozen_model import FrozenModel

CATALOGUE = Path(__file__).with_suffix(".yaml")


class WebFile(FrozenModel):
    """A file at a fixed version."""

    url: str
    file: str
    sha256: str | None = None


@cache
def catalogue() -> dict[str, tuple[WebFile, ...]]:
    """The files of each set."""
    return TypeAdapter(dict[str, tuple[WebFile, ...]]).validate_python(
        yaml.safe_load(CATALOGUE.read_text("utf-8"))
    )


def plan_web(source: str, way: WayOut) -> DownloadPlan:
    """The files of a set, with their sizes as the servers say them.

    Raises:
        FinetuneError: none are known, or a server does not answer.
        NetworkError: the way to a server fails.
    """
    if source not in catalogue():
        raise FinetuneError(f"no download of {source} is known; see its own page")
    wanted: list[Wanted] = []
    entries = catalogue()[source]
    hosts = tuple(dict.fromkeys(urlsplit(e.url).hostname or "" for e in entries))
    with connected(hosts, way) as client:
        for entry in entries:
            try:
                length = client.head(entry.url).headers.get("Content-Length", "")
            except httpx2.HTTPError as error:
                raise FinetuneError(f"{entry.url} does not answer ({error})") from error
            wanted.append(
                Wanted(
                    url=entry.url,
                    file=entry.file,
                    size=int(length) if length.isdigit() and int(length) else None,
                    checksum=Checksum("sha256", entry.sha256) if entry.sha256 else None,
                )
            )
    return DownloadPlan(source, source, hosts, tuple(wanted))
