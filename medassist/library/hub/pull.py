"""Downloads the files of a plan: resumed, and checked before use."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from medassist.core.files import PRIVATE_FILE, make_folder
from medassist.core.gguf import read_header, require_model
from medassist.core.hub import token
from medassist.core.progress import Watcher, unwatched
from medassist.core.way_out import DIRECT, WayOut, address_of
from medassist.library.errors import LibraryError
from medassist.library.hub.access import sentences
from medassist.library.hub.pull_plan import PullFile, PullPlan
from medassist.library.registry import (
    StoredModel,
    changing,
    free_name,
    models_dir,
    require_name,
)

if TYPE_CHECKING:
    from httpx2 import Client

SPARE_BYTES = 64 * 1024 * 1024


class PullStopped(LibraryError):
    """The user stopped the download; what was fetched is kept."""


def pull(
    plan: PullPlan,
    name: str | None = None,
    *,
    way: WayOut = DIRECT,
    watcher: Watcher = unwatched,
    stopped: Callable[[], bool] = lambda: False,
) -> str:
    """Download the files of `plan` and add the model to the library.

    A file is given its name only when its sha256 is the Hub's. What a broken-off pull
    has fetched is gone on with.

    Args:
        plan: what was shown to the user.
        name: what to call the model; by default as its file is called.
        way: how the hosts are reached.
        watcher: is told the file, and the bytes of it that are there.
        stopped: is asked between pieces whether to stop.

    Returns:
        The name of the model in the library.

    Raises:
        LibraryError: a file is not what the Hub said, or could not be fetched.
        ModelFileError: what was fetched is no GGUF.
    """
    from medassist.core.network import connected

    if name is not None:
        require_name(name)
    folder = models_dir() / plan.repo.replace("/", "--") / plan.commit[:12]
    fetched: list[Path] = []

    def told(what: str, done: int, total: int) -> None:
        if stopped():
            raise PullStopped(
                f"The download of {plan.repo} was stopped. What was fetched is kept; "
                "repeat the command to go on."
            )
        watcher(what, done, total)

    with sentences(plan.repo, plan.host), connected(plan.hosts, way) as client:
        make_folder(folder)
        _require_room(plan, folder)
        for wanted in plan.files:
            target = folder / PurePosixPath(wanted.name).name
            _fetch(client, wanted, plan, target, told)
            fetched.append(target)
    model = fetched[0]
    header = read_header(model)
    if not header.is_adapter:
        require_model(model)
    with changing() as held:
        registry = held[0]
        known = registry.name_of(model)
        if known is not None:
            return known
        if name is not None and name in {*registry.models, *registry.pairs}:
            name = free_name(name, registry)
        chosen = name or free_name(model.stem, registry)
        held[0] = registry.with_model(
            chosen,
            StoredModel(
                path=model,
                adapter=header.is_adapter,
                origin="pulled",
                source=f"{plan.repo}@{plan.commit}",
                sha256=plan.files[0].sha256,
                licence=plan.licence,
            ),
        )
    return chosen


def _require_room(plan: PullPlan, folder: Path) -> None:
    here = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    needed = plan.bytes - here + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise LibraryError(
            f"{plan.repo} takes {needed:,} bytes more and {folder} has room for "
            f"{free:,}. Make room, or move the folder of the data."
        )


def _fetch(
    client: Client, wanted: PullFile, plan: PullPlan, target: Path, told: Watcher
) -> None:
    """Fetch a file; the token goes to the Hub's own host, and to no other it names."""
    from medassist.core.download import Checksum, get
    from medassist.core.download import Wanted as File

    is_own = address_of(wanted.url) == address_of(plan.endpoint)
    checksum = Checksum("sha256", wanted.sha256) if wanted.sha256 else None
    secret = token() if is_own else ""
    file = File(wanted.url, target.name, wanted.bytes, checksum, secret)
    get(client, file, target, told, mode=PRIVATE_FILE)
