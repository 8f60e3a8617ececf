"""One file from an address: resumed, checked, whole or not there."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx2 as httpx

from finetune.data.fetch.network import FetchError
from finetune.data.sources.archive import refusal
from medassist.core.progress import Watcher

PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each further try
LONGEST_PAUSE = 60.0  # seconds that a server may ask for
CHUNK = 1 << 20  # bytes
AGAIN = (408, 425, 429, 500, 502, 503, 504)
"""Answers that mean: later, perhaps."""

Algorithm = Literal["md5", "sha256", "git-sha1"]


@dataclass(frozen=True)
class Checksum:
    """What a file must have; `git-sha1` is git's own of a blob."""

    algorithm: Algorithm
    value: str

    def __str__(self) -> str:
        return f"{self.algorithm} {self.value}"


@dataclass(frozen=True)
class Wanted:
    """A file to be downloaded."""

    url: str
    file: str
    """Below the folder, with slashes."""
    size: int | None = None
    """Bytes, where the server said so before."""
    checksum: Checksum | None = None
    token: str = ""
    """Sent to the address alone, not to where it redirects; never shown."""


@dataclass(frozen=True)
class Got:
    """A file that is here now."""

    file: str
    url: str
    size: int
    sha256: str
    was_there: bool


def place_of(wanted: Wanted, folder: Path) -> Path:
    """Where a file goes.

    Raises:
        FetchError: its name leads out of the folder.
    """
    reason = refusal(wanted.file) if wanted.file else "it has no name"
    if reason:
        raise FetchError(f"{wanted.url} cannot be stored as {wanted.file!r}: {reason}")
    return folder / wanted.file


def get(client: httpx.Client, wanted: Wanted, folder: Path, watcher: Watcher) -> Got:
    """Download a file, or take it for done if it is here and as it should be.

    Raises:
        FetchError: the server refuses, breaks off again and again, or sends something
            else than was announced. What was received stays for the next time.
        OSError: it cannot be written.
    """
    target = place_of(wanted, folder)
    if (there := _is_done(target, wanted)) is not None:
        return Got(wanted.file, wanted.url, target.stat().st_size, there, True)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    tag = target.with_name(f".{target.name}.etag")
    wrong = 0
    for pause in (*PAUSES, None):
        try:
            _receive(client, wanted, part, tag, watcher)
        except _Later as later:
            if pause is None:
                raise FetchError(
                    f"{wanted.url}: {later} ({len(PAUSES) + 1} tries); try again "
                    "later, what was received is kept"
                ) from later
            time.sleep(max(pause, min(later.seconds, LONGEST_PAUSE)))
            continue
        found = _is_done(part, wanted)
        if found is not None:
            part.replace(target)
            tag.unlink(missing_ok=True)
            return Got(wanted.file, wanted.url, target.stat().st_size, found, False)
        told = _difference(part, wanted)
        part.unlink()
        tag.unlink(missing_ok=True)
        wrong += 1
        # A piece of an older file in front of a newer one's rest: once from the start.
        if wrong > 1:
            raise FetchError(
                f"{wanted.url} is not what was announced: {told}. It was thrown away; "
                "try again later"
            )
    raise FetchError(f"{wanted.url} could not be received; try again later")


class _Later(Exception):
    """Not now; `seconds` is what the server asks to wait."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


def _receive(
    client: httpx.Client, wanted: Wanted, part: Path, tag: Path, watcher: Watcher
) -> None:
    """Write what is missing of a file into `part`."""
    have = part.stat().st_size if part.is_file() else 0
    if have and have == wanted.size:
        return
    headers: dict[str, str] = {}
    if wanted.token:
        headers["Authorization"] = f"Bearer {wanted.token}"
    known = tag.read_text("ascii") if have and tag.is_file() else ""
    if have and (known or wanted.checksum):
        headers["Range"] = f"bytes={have}-"
        if known:
            headers["If-Range"] = known
    try:
        with client.stream("GET", wanted.url, headers=headers) as response:
            if response.status_code == 416:
                part.unlink(missing_ok=True)
                raise _Later("the server has less than was received before")
            check_status(response, wanted.url)
            goes_on = response.status_code == 206 and _starts_at(response) == have
            if response.status_code == 206 and not goes_on:
                part.unlink(missing_ok=True)
                raise _Later("the server sent another part than was asked for")
            etag = response.headers.get("ETag", "")
            if etag and not etag.startswith("W/") and etag.isascii():
                tag.write_text(etag, "ascii")
            else:
                tag.unlink(missing_ok=True)
            done = have if goes_on else 0
            length = response.headers.get("Content-Length", "")
            total = done + int(length) if length.isdigit() else wanted.size or 0
            with part.open("ab" if goes_on else "wb") as out:
                watcher(wanted.file, done, total)
                # As they come: larger pieces would be lost with the connection.
                for piece in response.iter_raw():
                    out.write(piece)
                    done += len(piece)
                    watcher(wanted.file, done, total)
                out.flush()
                os.fsync(out.fileno())
            if done < total:
                raise _Later(f"the connection ended after {done} of {total} bytes")
    except httpx.TransportError as error:
        raise _Later(f"the connection failed ({error})") from error


def check_status(response: httpx.Response, url: str) -> None:
    """Hold a server's answer.

    Raises:
        FetchError: it refuses.
        _Later: it asks to come again.
    """
    status = response.status_code
    if status in AGAIN:
        wait = response.headers.get("Retry-After", "")
        raise _Later(
            f"the server answers {status}", float(wait) if wait.isdigit() else 0.0
        )
    if status in (401, 403):
        raise FetchError(
            f"{url}: the server does not give it to us ({status}). If it asks for "
            "consent, give it on its page, and put a token into HF_TOKEN"
        )
    if status in (404, 410):
        raise FetchError(f"{url} is not there ({status}); look at the name and version")
    if status not in (200, 206):
        raise FetchError(f"{url}: the server answers {status}")


def ask(
    client: httpx.Client, url: str, params: dict[str, str] | None = None
) -> httpx.Response:
    """A small answer, with further tries where the server asks for them.

    Raises:
        FetchError: the server refuses, or does not answer in several tries.
    """
    for pause in (*PAUSES, None):
        try:
            response = client.get(url, params=params)
            check_status(response, url)
            return response
        except (_Later, httpx.TransportError) as error:
            if pause is None:
                raise FetchError(
                    f"{url} does not answer ({error}); try again later"
                ) from error
            seconds = error.seconds if isinstance(error, _Later) else 0.0
            time.sleep(max(pause, min(seconds, LONGEST_PAUSE)))
    raise AssertionError


def _starts_at(response: httpx.Response) -> int:
    said = response.headers.get("Content-Range", "")
    start = said.removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdigit() else -1


def _is_done(file: Path, wanted: Wanted) -> str | None:
    """The sha256 of a file that is whole and right; none if it is not."""
    if not file.is_file() or wanted.size not in (None, file.stat().st_size):
        return None
    if wanted.size is None and wanted.checksum is None and file.suffix == ".part":
        return digest_of(file, "sha256")
    due = wanted.checksum
    if due is not None and digest_of(file, due.algorithm) != due.value.lower():
        return None
    return digest_of(file, "sha256")


def _difference(file: Path, wanted: Wanted) -> str:
    size = file.stat().st_size
    if wanted.size not in (None, size):
        return f"it has {size} bytes instead of {wanted.size}"
    assert wanted.checksum is not None
    found = digest_of(file, wanted.checksum.algorithm)
    return f"its {wanted.checksum.algorithm} is {found}, not {wanted.checksum.value}"


def digest_of(file: Path, algorithm: Algorithm) -> str:
    """The checksum of a file, in hexadecimal digits."""
    name = "sha1" if algorithm == "git-sha1" else algorithm
    digest = hashlib.new(name, usedforsecurity=False)
    if algorithm == "git-sha1":
        digest.update(f"blob {file.stat().st_size}\0".encode())
    with file.open("rb") as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()
