"""Checks permissions and places of the program's folders."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from medassist.core.files import PRIVATE_FOLDER
from medassist.core.paths import cache_dir, config_dir, data_dir
from medassist.core.words import size
from medassist.doctor.finding import Finding, brief, typed
from medassist.doctor.machine import is_encrypted

PART = "folders"
OF_OTHERS = 0o077
MODELS = "models"
"""A folder of files that everybody may have; they hold nothing of the user's."""
MOST_FILES = 5_000
LITTLE_ROOM = 200 * 10**6
SYNCHRONISED = {
    "dropbox": "Dropbox",
    "onedrive": "OneDrive",
    "google drive": "Google Drive",
    "nextcloud": "Nextcloud",
    "mobile documents": "iCloud",
}
"""Names of folders that a program copies to other computers."""


def folders() -> list[Finding]:
    """Findings about the three folders; call it inside `only_looked_at`."""
    found: list[Finding] = []
    places = {"settings": config_dir(), "data": data_dir(), "cache": cache_dir()}
    for name, folder in places.items():
        found += _folder(name, folder)
    data = places["data"]
    return [*found, *_ancestors(data), *_whereabouts(data)]


def _folder(name: str, folder: Path) -> Iterator[Finding]:
    try:
        status = folder.stat()
    except FileNotFoundError:
        yield Finding(PART, "ok", f"{name}: {brief(folder)}, not made yet.")
        return
    except OSError as error:
        yield Finding(
            PART, "wrong", f"{name}: {brief(folder)} cannot be read: {error.strerror}."
        )
        return
    if not stat.S_ISDIR(status.st_mode):
        yield Finding(
            PART,
            "wrong",
            f"{name}: {brief(folder)} is no folder.",
            "Move that file away; the program makes the folder",
        )
        return
    if sys.platform == "win32":
        yield Finding(PART, "ok", f"{name}: {brief(folder)}.")
        return
    if status.st_uid != os.geteuid():
        yield Finding(
            PART,
            "wrong",
            f"{name}: {brief(folder)} belongs to another user of this computer.",
            f"sudo chown -R $(id -u):$(id -g) {typed(folder)}",
        )
        return
    open_ = status.st_mode & OF_OTHERS
    loose = [file for file in _files(folder) if _is_loose(file)]
    if open_:
        yield Finding(
            PART,
            "wrong",
            f"{name}: other users of this computer can look into {brief(folder)} "
            f"({stat.S_IMODE(status.st_mode):04o} instead of {PRIVATE_FOLDER:04o}).",
            f"chmod 700 {typed(folder)}",
        )
    if loose:
        several = f"{len(loose)} files in {brief(folder)} are"
        one = f"{brief(loose[0])} is"
        yield Finding(
            PART,
            "wrong",
            f"{name}: {one if len(loose) == 1 else several} not for you alone (0600).",
            f"chmod -R go= {typed(loose[0] if len(loose) == 1 else folder)}",
        )
    if not open_ and not loose:
        yield Finding(PART, "ok", f"{name}: {brief(folder)}, for you alone.")


def _files(folder: Path) -> Iterator[Path]:
    """Files and folders of the user's own, a bounded number of them."""
    seen = 0
    for base, inner, names in os.walk(folder):
        inner[:] = [one for one in inner if one != MODELS]
        for name in (*inner, *names):
            seen += 1
            if seen > MOST_FILES:
                return
            yield Path(base, name)


def _is_loose(file: Path) -> bool:
    try:
        status = file.lstat()
    except OSError:
        return False
    return not stat.S_ISLNK(status.st_mode) and bool(status.st_mode & OF_OTHERS)


def _ancestors(folder: Path) -> Iterator[Finding]:
    """A folder above, in which everybody may rename what is below."""
    if sys.platform == "win32":
        return
    for above in folder.parents:
        try:
            mode = above.stat().st_mode
        except OSError:
            continue
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            yield Finding(
                PART,
                "wrong",
                f"Everybody on this computer can write in {brief(above)}, and so put "
                "another folder in the place of yours.",
                f"chmod o-w {typed(above)}",
            )


def _whereabouts(folder: Path) -> Iterator[Finding]:
    names = [part.lower() for part in folder.parts]
    for part, service in SYNCHRONISED.items():
        if any(name.startswith(part) for name in names):
            yield Finding(
                PART,
                "note",
                f"{brief(folder)} lies in a folder of {service}: what is saved leaves "
                "this computer, encrypted as it is.",
                "MEDASSIST_HOME=FOLDER medassist keeps everything in another folder",
            )
    there = next((one for one in (folder, *folder.parents) if one.is_dir()), None)
    if there is None:
        return
    free = shutil.disk_usage(there).free
    if free < LITTLE_ROOM:
        yield Finding(
            PART,
            "note",
            f"{size(free)} are left on the disk of {brief(folder)}: saving will fail "
            "soon.",
            "Make room on this disk",
        )
    if sys.platform == "linux":
        how = "not known to be encrypted; records are"
        if is_encrypted(there):
            how = "encrypted"
        yield Finding(PART, "ok", f"The disk under the data folder is {how}.")
