"""Plan of a download, and the record of what was downloaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from finetune.data.sources.archive import refusal
from finetune.errors import FinetuneError
from medassist.core.download import Got, Wanted, get
from medassist.core.files import SHARED_FILE, write_whole
from medassist.core.network import connected
from medassist.core.progress import Watcher
from medassist.core.way_out import DIRECT, WayOut
from medassist.core.words import size

RECORD = "fetched.json"


@dataclass(frozen=True)
class DownloadPlan:
    """Files to download, and the hosts that they come from."""

    source: str
    what: str
    """Subject of the request: ids, a query, a repository."""
    hosts: tuple[str, ...]
    files: tuple[Wanted, ...]
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Total size, as far as the servers told."""
        return sum(wanted.size or 0 for wanted in self.files)


class FetchedFile(BaseModel):
    """A file that was downloaded."""

    model_config = ConfigDict(frozen=True)

    file: str
    url: str
    bytes: int
    sha256: str
    was_there: bool = False


class FetchRecord(BaseModel):
    """Content of fetched.json."""

    model_config = ConfigDict(frozen=True)

    source: str
    what: str
    hosts: tuple[str, ...]
    out: str
    files: tuple[FetchedFile, ...] = ()
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(each.bytes for each in self.files)


def place_of(wanted: Wanted, folder: Path) -> Path:
    """Path that a file is downloaded to.

    Raises:
        FinetuneError: its name leads out of the folder.
    """
    reason = refusal(wanted.file) if wanted.file else "it has no name"
    if reason:
        raise FinetuneError(
            f"{wanted.url} cannot be stored as {wanted.file!r}: {reason}"
        )
    return folder / wanted.file


def carry_out(
    plan: DownloadPlan, out: Path, watcher: Watcher, way: WayOut
) -> FetchRecord:
    """Download the missing files of a plan, and record all of them.

    Raises:
        NetworkError: a file cannot be had; those before it stay.
        FinetuneError: a file cannot be written.
    """
    places = [place_of(wanted, out) for wanted in plan.files]
    got: list[Got] = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        with connected(plan.hosts, way) as client:
            for number, (wanted, place) in enumerate(
                zip(plan.files, places, strict=True)
            ):
                watcher("files", number, len(plan.files))
                got.append(get(client, wanted, place, watcher))
            watcher("files", len(plan.files), len(plan.files))
        return record(plan, out, got)
    except OSError as error:
        raise FinetuneError(
            f"{error.filename or out} cannot be written: {error.strerror or error}. "
            "What was received is kept; make room, and give the same command again"
        ) from error


def record(plan: DownloadPlan, out: Path, got: Iterable[Got]) -> FetchRecord:
    """Write down where the files come from, beside them."""
    fetched = FetchRecord(
        source=plan.source,
        what=plan.what,
        hosts=plan.hosts,
        out=str(out),
        notes=plan.notes,
        files=tuple(
            FetchedFile(
                file=each.file,
                url=each.url,
                bytes=each.size,
                sha256=each.sha256,
                was_there=each.was_there,
            )
            for each in got
        ),
    )
    write_whole(out / RECORD, fetched.model_dump_json(indent=2) + "\n", SHARED_FILE)
    return fetched


def announced(plan: DownloadPlan, way: WayOut = DIRECT) -> str:
    """A plan in words."""
    hosts = ", ".join(plan.hosts)
    unknown = sum(wanted.size is None for wanted in plan.files)
    sent = size(plan.size)
    if unknown == len(plan.files):
        sent = "of unknown size"
    elif unknown:
        sent += f" and {unknown} of unknown size"
    lines = [f"{plan.what}: {len(plan.files)} files, {sent}, from {hosts}{way.told}"]
    return "\n".join([*lines, *(f"note: {note}" for note in plan.notes)])
