"""One file from an address: resumed, checked, whole or not there."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx2

from medassist.core.errors import NetworkError
from medassist.core.files import (
    SHARED_FILE,
    UNFINISHED,
    give_name,
    open_own,
    write_whole,
)
from medassist.core.progress import Watcher

PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each further try
LONGEST_PAUSE = 60.0  # seconds that a server may ask for
CHUNK = 1 << 20  # bytes
AGAIN = (408, 425, 429, 500, 502, 503, 504)
"""Answers that mean: later, perhaps."""

Algorithm = Literal["md5", "sha256", "git-sha1"]


@dataclass(frozen=True)
class Checksum:
    """Expected hash of a file; `git-sha1` is git's own of a blob."""

    algorithm: Algorithm
    value: str

    def __str__(self) -> str:
        return f"{self.algorithm} {self.value}"


@dataclass(frozen=True)
class Wanted:
    """A file to be downloaded, and what is known of it before."""

    url: str
    file: str
    """Name with slashes; where it goes is the caller's to say."""
    size: int | None = None
    """Bytes, where the server said so before."""
    checksum: Checksum | None = None
    token: str = ""
    """Sent to the address alone, not to where it redirects; never shown."""

    @property
    def shown(self) -> str:
        """Its address without the signature that may open it."""
        return self.url.partition("?")[0]


@dataclass(frozen=True)
class Got:
    """A file that is here now."""

    file: str
    url: str
    size: int
    sha256: str
    was_there: bool


def get(
    client: httpx2.Client,
    wanted: Wanted,
    target: Path,
    watcher: Watcher,
    *,
    mode: int = SHARED_FILE,
) -> Got:
    """Download a file, or take it for done if it is here and as it should be.

    Args:
        client: of `network.connected`.
        wanted: where it lies.
        target: its name here; given only when it is whole.
        watcher: is told `wanted.file` and the bytes of it that are here; what it
            raises ends the download.
        mode: its permissions when it is whole; before, it is the user's alone.

    Raises:
        NetworkError: the server refuses, breaks off again and again, or sends something
            else than was announced. What was received stays for the next time.
        OSError: it cannot be written.
    """
    if (there := _is_done(target, wanted)) is not None:
        return Got(wanted.file, wanted.url, target.stat().st_size, there, True)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}{UNFINISHED}")
    tag = target.with_name(f".{target.name}.etag")
    for pause in (*PAUSES, None):
        resumed = part.is_file()
        try:
            _receive(client, wanted, part, tag, watcher)
        except _Later as later:
            if pause is None:
                raise NetworkError(
                    f"{wanted.shown}: {later} ({len(PAUSES) + 1} tries); try again "
                    "later, what was received is kept"
                ) from later
            time.sleep(max(pause, min(later.seconds, LONGEST_PAUSE)))
            continue
        except _Wrong as wrong:
            told = str(wrong)
        else:
            watcher(f"checking {wanted.file}", 0, 0)
            found = _is_done(part, wanted)
            if found is not None:
                part.chmod(mode)
                give_name(part, target)
                tag.unlink(missing_ok=True)
                size = target.stat().st_size
                return Got(wanted.file, wanted.url, size, found, False)
            told = _difference(part, wanted)
        part.unlink(missing_ok=True)
        tag.unlink(missing_ok=True)
        # A piece of an older file in front of a newer one's rest: once from the start.
        if not resumed:
            raise NetworkError(
                f"{wanted.shown} is not what was announced: {told}. It was thrown "
                "away; try again later"
            )
    raise NetworkError(f"{wanted.shown} could not be received; try again later")


class _Later(Exception):
    """Not now; `seconds` is what the server asks to wait."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class _Wrong(Exception):
    """It is not what was announced."""


def _receive(
    client: httpx2.Client,
    wanted: Wanted,
    part: Path,
    tag: Path,
    watcher: Watcher,
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
            _check_status(response, wanted.shown)
            goes_on = response.status_code == 206 and _starts_at(response) == have
            if response.status_code == 206 and not goes_on:
                part.unlink(missing_ok=True)
                raise _Later("the server sent another part than was asked for")
            _keep_tag(response, tag)
            _write(response, wanted, part, have if goes_on else 0, watcher)
    except httpx2.TransportError as error:
        raise _Later(f"the connection failed ({error})") from error


def _keep_tag(response: httpx2.Response, tag: Path) -> None:
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/") and etag.isascii():
        write_whole(tag, etag)
    else:
        tag.unlink(missing_ok=True)


def _write(
    response: httpx2.Response,
    wanted: Wanted,
    part: Path,
    done: int,
    watcher: Watcher,
) -> None:
    """Write a body behind the first `done` bytes of `part`, no more than announced."""
    length = response.headers.get("Content-Length", "")
    total = done + int(length) if length.isdigit() else wanted.size or 0
    due = total if wanted.size is None else wanted.size
    if total > due:
        raise _Wrong(f"it has {total} bytes instead of {due}")
    with os.fdopen(open_own(part), "r+b") as out:
        out.seek(done)
        out.truncate()
        watcher(wanted.file, done, total)
        # As they come: larger pieces would be lost with the connection.
        for piece in response.iter_raw():
            done += len(piece)
            if due and done > due:
                raise _Wrong(f"it has more than {due} bytes")
            out.write(piece)
            watcher(wanted.file, done, total)
    if done < total:
        raise _Later(f"the connection ended after {done} of {total} bytes")


def ask(
    client: httpx2.Client, url: str, params: dict[str, str] | None = None
) -> httpx2.Response:
    """A small answer, with further tries where the server asks for them.

    Raises:
        NetworkError: the server refuses, or does not answer in several tries.
    """
    for pause in (*PAUSES, None):
        try:
            response = client.get(url, params=params)
            _check_status(response, url)
            return response
        except (_Later, httpx2.TransportError) as error:
            if pause is None:
                raise NetworkError(
                    f"{url} does not answer ({error}); try again later"
                ) from error
            seconds = error.seconds if isinstance(error, _Later) else 0.0
            time.sleep(max(pause, min(seconds, LONGEST_PAUSE)))
    raise AssertionError


def _check_status(response: httpx2.Response, url: str) -> None:
    status = response.status_code
    if status in AGAIN:
        wait = response.headers.get("Retry-After", "")
        raise _Later(
            f"the server answers {status}", float(wait) if wait.isdigit() else 0.0
        )
    if status in (401, 403):
        raise NetworkError(
            f"{url}: the server does not give it to us ({status}). If it asks for "
            "consent, give it on its page, and put a token into HF_TOKEN"
        )
    if status in (404, 410):
        raise NetworkError(
            f"{url} is not there ({status}); look at the name and version"
        )
    if status not in (200, 206):
        raise NetworkError(f"{url}: the server answers {status}")


def _starts_at(response: httpx2.Response) -> int:
    said = response.headers.get("Content-Range", "")
    start = said.removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdigit() else -1


def _is_done(file: Path, wanted: Wanted) -> str | None:
    """The sha256 of a file that is whole and right; none if it is not."""
    if not file.is_file() or wanted.size not in (None, file.stat().st_size):
        return None
    sha256 = digest_of(file, "sha256")
    due = wanted.checksum
    if due is None:
        return sha256
    found = sha256 if due.algorithm == "sha256" else digest_of(file, due.algorithm)
    return sha256 if found == due.value.lower() else None


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
