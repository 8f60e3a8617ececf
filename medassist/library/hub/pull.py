"""Fetching what a plan names: resumed where it broke off, checked before it is used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from medassist.core.card import sha256_of_file
from medassist.core.files import make_folder, open_own
from medassist.core.gguf import read_header, require_model
from medassist.core.progress import Watcher, unwatched
from medassist.library.errors import LibraryError
from medassist.library.hub.access import address_of, online, sentences, token
from medassist.library.hub.plan import SUFFIX, Plan, Wanted
from medassist.library.registry import (
    StoredModel,
    changing,
    free_name,
    models_dir,
    require_name,
)

UNFINISHED = ".unfinished"
SPARE_BYTES = 64 * 1024 * 1024


class PullStopped(LibraryError):
    """The user stopped it; what was fetched is kept."""


def pull(
    plan: Plan,
    name: str | None = None,
    *,
    watcher: Watcher = unwatched,
    stopped: Callable[[], bool] = lambda: False,
) -> str:
    """Fetch the files of `plan` and take the model into the library.

    A file is given its name only when its sha256 is the Hub's. What a broken-off pull
    has fetched is gone on with.

    Args:
        plan: what was shown to the user.
        name: what to call the model; by default as its file is called.
        watcher: is told the file, and the bytes of it that are there.
        stopped: is asked between pieces whether to stop.

    Returns:
        The name of the model in the library.

    Raises:
        LibraryError: a file is not what the Hub said, or could not be fetched.
        ModelFileError: what was fetched is no GGUF.
    """
    if name is not None:
        require_name(name)
    folder = models_dir() / plan.repo.replace("/", "--") / plan.commit[:12]
    fetched: list[Path] = []
    with online(plan.addresses), sentences(plan.repo, plan.host):
        make_folder(folder)
        _require_room(plan, folder)
        for wanted in plan.files:
            target = folder / PurePosixPath(wanted.name).name
            _fetch(wanted, plan, target, watcher, stopped)
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


def _require_room(plan: Plan, folder: Path) -> None:
    here = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    needed = plan.bytes - here + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise LibraryError(
            f"{plan.repo} takes {needed:,} bytes more and {folder} has room for "
            f"{free:,}. Make room, or move the folder of the data."
        )


def _fetch(
    wanted: Wanted,
    plan: Plan,
    target: Path,
    watcher: Watcher,
    stopped: Callable[[], bool],
) -> None:
    if target.is_file() and _is_right(target, wanted, watcher):
        return
    unfinished = target.with_name(f".{target.name}{UNFINISHED}")
    begun = unfinished.stat().st_size if unfinished.exists() else 0
    if begun > wanted.bytes:
        unfinished.unlink()
        begun = 0
    from huggingface_hub.file_download import (
        http_get,  # pyright: ignore[reportUnknownVariableType]
    )

    # The rights are the user's alone from the first byte on.
    number = open_own(unfinished)
    with os.fdopen(number, "r+b") as file:
        file.seek(0, os.SEEK_END)
        http_get(
            wanted.url,
            file,
            resume_size=begun,
            headers=_headers(wanted, plan),
            expected_size=wanted.bytes,
            displayed_filename=target.name,
            tqdm_class=_bar(target.name, wanted.bytes, begun, watcher, stopped),
        )
        file.flush()
        os.fsync(file.fileno())
    if not _is_right(unfinished, wanted, watcher):
        unfinished.unlink()
        raise LibraryError(
            f"{wanted.name} of {plan.repo} is not what the Hub says: its sha256 "
            f"differs from {wanted.sha256}. It was deleted; repeat the command."
        )
    unfinished.replace(target)


def _headers(wanted: Wanted, plan: Plan) -> dict[str, str]:
    """The token goes to the Hub's own host, and to no other that it names."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "medassist"}
    secret = token()
    if secret and address_of(wanted.url) == address_of(plan.endpoint):
        headers["authorization"] = f"Bearer {secret}"
    return headers


def _is_right(file: Path, wanted: Wanted, watcher: Watcher) -> bool:
    if file.stat().st_size != wanted.bytes:
        return False
    if wanted.sha256 is None:  # a paper: the Hub knows no sha256 of small files
        return not wanted.name.lower().endswith(SUFFIX)
    watcher(f"checking {file.name.removesuffix(UNFINISHED).lstrip('.')}", 0, 0)
    return sha256_of_file(file) == wanted.sha256


def _bar(
    name: str,
    total: int,
    begun: int,
    watcher: Watcher,
    stopped: Callable[[], bool],
) -> Any:
    """What the Hub's library takes for a progress bar of tqdm."""
    from tqdm import tqdm

    class Told(tqdm):  # pyright: ignore[reportUntypedBaseClass, reportMissingTypeArgument]
        def __init__(self, *_: Any, **__: Any) -> None:
            self.fetched = begun
            super().__init__(disable=True)  # pyright: ignore[reportUnknownMemberType]

        def update(self, n: float | None = 1) -> None:
            if stopped():
                raise PullStopped(
                    f"The download of {name} was stopped. What was fetched is kept; "
                    "repeat the command to go on."
                )
            self.fetched += int(n or 0)
            if self.fetched > total:
                raise LibraryError(
                    f"More is sent than the {total:,} bytes that {name} has. The "
                    "download was ended; repeat the command."
                )
            watcher(name, self.fetched, total)

    return Told
