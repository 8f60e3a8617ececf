"""Plan of a download: files, sizes, hashes and all hosts.

Making the plan asks the Hub for the list of files, so the user is asked before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ConfigDict

from medassist.core.clean import clean_line
from medassist.core.errors import told_as
from medassist.core.gguf_kinds import SHARD
from medassist.core.hub import endpoint, hub_host, is_repo, online, token
from medassist.core.run_folder import CARD
from medassist.core.way_out import DIRECT, WayOut, address_of
from medassist.core.words import size
from medassist.library.errors import LibraryError
from medassist.library.hub.access import require_library, sentences

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

HOST = re.compile(r"[a-z0-9:.-]+")
REVISION = re.compile(r"[\w./-]{1,128}", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}")
SUFFIX = ".gguf"
PAPERS = (CARD,)
"""Small files that say what the model is, taken along where the repository has them."""
MAX_PAPER_BYTES = 4 * 1024 * 1024
MAX_FILES = 200
SHOWN = 30


class PullFile(BaseModel):
    """A file that will be downloaded."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Name in the repository."""
    bytes: int
    sha256: str | None
    """Hash by the Hub; only large files have one there."""
    url: str
    """Address of its storage, without the token that opens the Hub's own host."""
    host: str


class PullPlan(BaseModel):
    """Files to download, and their addresses."""

    model_config = ConfigDict(frozen=True)

    repo: str
    revision: str
    commit: str
    endpoint: str
    licence: str
    files: tuple[PullFile, ...]
    uses_token: bool
    """The user's token goes to the Hub's own host."""

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def host(self) -> str:
        """The Hub's own host."""
        return address_of(self.endpoint)[0]

    @property
    def hosts(self) -> tuple[str, ...]:
        """All hosts, the Hub's own first."""
        others = {file.host for file in self.files} - {self.host}
        return (self.host, *sorted(others))


def require_repo(repo: str, revision: str = "main") -> None:
    """Check that `repo` and `revision` are valid names.

    Raises:
        LibraryError: they cannot.
    """
    if not is_repo(repo):
        raise LibraryError(
            f"{repo!r} is no repository of the Hub; it has to be OWNER/NAME."
        )
    if not REVISION.fullmatch(revision) or ".." in revision:
        raise LibraryError(f"{revision!r} is no branch, tag or commit of the Hub.")


def make_plan(
    repo: str, file: str | None = None, revision: str = "main", way: WayOut = DIRECT
) -> PullPlan:
    """Ask the Hub what `repo` holds, and what fetching `file` of it takes.

    Args:
        repo: OWNER/NAME.
        file: the model's file; may be left out where there is one only.
        revision: a branch, tag or commit.
        way: how the Hub is reached.

    Raises:
        LibraryError: there is no such file, or the Hub cannot be asked.
    """
    require_library()
    require_repo(repo, revision)
    with told_as(LibraryError):
        address, host = endpoint(), hub_host()
    secret = token()
    with sentences(f"{repo} at {revision}", host), online([host], way):
        from huggingface_hub import HfApi

        api = HfApi(endpoint=address, token=secret or False)
        info = api.model_info(repo, revision=revision, files_metadata=True)
        commit = info.sha or ""
        if not COMMIT.fullmatch(commit):
            raise LibraryError(f"{host} names no commit for {repo}; nothing is done.")
        chosen = _chosen(repo, file, info.siblings or [])
        wanted = tuple(
            _look_up(repo, commit, address, secret, entry) for entry in chosen
        )
        licence = _licence(info.card_data)
    return PullPlan(
        repo=repo,
        revision=revision,
        commit=commit,
        endpoint=address,
        licence=licence,
        files=wanted,
        uses_token=bool(secret),
    )


def _licence(card: object) -> str:
    said: object = getattr(card, "license", None)
    names = cast("list[object]", said) if isinstance(said, list) else [said or ""]
    return clean_line(", ".join(str(name) for name in names))[:120]


def _chosen(
    repo: str, file: str | None, siblings: Sequence[RepoSibling]
) -> list[RepoSibling]:
    entries = {entry.rfilename: entry for entry in siblings}
    models = {
        name: entry
        for name, entry in entries.items()
        if name.lower().endswith(SUFFIX) and _is_safe(name)
    }
    if file is None:
        firsts = [name for name in models if name == _group(name, models)[0]]
        if not firsts:
            raise LibraryError(
                f"{repo} has no GGUF file, and only those can be used. Look for a "
                "repository of the same model whose name ends in GGUF, or convert it: "
                "medassist convert gguf."
            )
        if len(firsts) > 1:
            raise LibraryError(
                f"{repo} has several models; name the one that you want: "
                + "; ".join(f"{n} ({_size(models, n)})" for n in firsts[:SHOWN])
                + ("; ..." if len(firsts) > SHOWN else ".")
            )
        file = firsts[0]
    if file not in models:
        near = ", ".join(sorted(models)[:SHOWN]) or "none"
        raise LibraryError(f"{repo} has no {file}; its GGUF files are: {near}.")
    names = _group(file, models)
    missing = [name for name in names if name not in models]
    if missing:
        raise LibraryError(
            f"{repo}: {file} is one of several files of a model, and {missing[0]} is "
            "not there."
        )
    papers = [
        name for name in PAPERS if name in entries and _is_small_paper(entries[name])
    ]
    return [entries[name] for name in (*names, *papers)]


def _group(name: str, models: object) -> list[str]:
    """All files of the model that `name` belongs to."""
    found = SHARD.search(name)
    if found is None:
        return [name]
    count = min(int(found[2]), MAX_FILES)
    start = name[: found.start()]
    return [f"{start}-{n:05}-of-{int(found[2]):05}.gguf" for n in range(1, count + 1)]


def _is_safe(name: str) -> bool:
    """Whether a name from the Hub is a plain path inside a folder."""
    path = PurePosixPath(name)
    return (
        not path.is_absolute()
        and "\\" not in name
        and ":" not in name
        and not any(part.startswith(".") for part in path.parts)
        and name.isprintable()
    )


def _is_small_paper(entry: RepoSibling) -> bool:
    return (entry.size or 0) <= MAX_PAPER_BYTES


def _size(models: dict[str, RepoSibling], name: str) -> str:
    return size(sum(models[n].size or 0 for n in _group(name, models) if n in models))


def _look_up(
    repo: str, commit: str, address: str, secret: str, entry: RepoSibling
) -> PullFile:
    """Ask where a file lies, without fetching it: that names the second host."""
    from huggingface_hub import (
        get_hf_file_metadata,  # pyright: ignore[reportUnknownVariableType]
        hf_hub_url,
    )

    url = hf_hub_url(repo, entry.rfilename, revision=commit, endpoint=address)
    found = get_hf_file_metadata(
        url, token=secret or False, timeout=30, endpoint=address
    )
    sha256 = entry.lfs.sha256 if entry.lfs else None
    size = found.size if found.size is not None else entry.size
    if size is None or (entry.size is not None and size != entry.size):
        raise LibraryError(
            f"The Hub names two sizes for {entry.rfilename} ({entry.size} and "
            f"{found.size} bytes). Repeat the command later."
        )
    if entry.rfilename.lower().endswith(SUFFIX) and not SHA256.fullmatch(sha256 or ""):
        raise LibraryError(
            f"The Hub names no sha256 for {entry.rfilename}, so it could not be "
            "checked. Nothing is fetched."
        )
    host = address_of(found.location)[0]
    if not HOST.fullmatch(host):
        raise LibraryError(
            f"The Hub says that {entry.rfilename} lies on {host!r}, which is no name "
            "of a computer. Nothing is fetched."
        )
    return PullFile(
        name=entry.rfilename,
        bytes=size,
        sha256=sha256,
        url=found.location,
        host=host,
    )
