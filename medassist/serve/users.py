"""Users of the server: names, and of each token only its sha256.

A token is 256 random bits, so a plain hash keeps it: there is nothing to guess. It is
shown once, when it is made, and can be revoked, not looked up.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medassist.core.files import make_folder, read_bytes, write_whole
from medassist.core.paths import data_dir, data_place
from medassist.frozen_model import FrozenModel
from medassist.serve.errors import ServeError

FOLDER: Final = "serve"
FILE: Final = "users.json"
MOST_BYTES: Final = 1024 * 1024
TOKEN_BYTES: Final = 32
PREFIX: Final = "medassist-"
"""By which a token is known where it has strayed to."""
_NAME: Final = r"[a-z0-9][a-z0-9._-]{0,31}"
ALONE: Final = "you"
"""The one user of a server for which nobody was named."""


class User(FrozenModel):
    """One who may use the server."""

    name: str = Field(pattern=rf"^{_NAME}$")
    token_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    added: datetime


class _UsersFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = Field(default=1, ge=1, le=1)
    users: list[User] = []


@dataclass(frozen=True)
class Users:
    """The users as they stood when the file was read."""

    users: tuple[User, ...] = ()

    def of(self, token: str) -> str | None:
        """The name of the user whose token it is; `None`: it is nobody's.

        All are looked at, whichever it is.
        """
        digest = _digest(token)
        found = None
        for user in self.users:
            if hmac.compare_digest(digest, user.token_sha256):
                found = user.name
        return found

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(user.name for user in self.users)


def only_you() -> tuple[Users, str]:
    """A user for this run alone, and the token."""
    token = _new_token()
    return Users((_user(ALONE, token),)), token


def default_file() -> Path:
    """Default path of the list of users."""
    return data_place() / FOLDER / FILE


def load(file: Path) -> Users:
    """The users in `file`; nobody where there is none.

    Raises:
        ServeError: it cannot be read, is open to others, or is not as expected.
    """
    try:
        if not file.exists():
            return Users()
        status = file.stat()
        content = read_bytes(file) if status.st_size <= MOST_BYTES else b""
    except OSError as error:
        raise ServeError(f"{file}: it cannot be read ({error.strerror}).") from None
    if sys.platform != "win32" and status.st_mode & 0o022:
        raise ServeError(
            f"{file}: others on this computer may change it, and so let themselves in. "
            f"`chmod 600 {file}` takes that away; then look who stands in it."
        )
    try:
        read = _UsersFile.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise ServeError(
            f"{file}: it is no list of users as `medassist serve user add` writes it"
            f" ({place or 'the file'}: {problem['msg']})."
        ) from None
    _expect_each_once(read.users, file)
    return Users(tuple(read.users))


def add(file: Path, name: str) -> str:
    """Add a user; the token, which stands nowhere afterwards.

    Raises:
        ServeError: the name cannot be one, is taken, or the file cannot be used.
    """
    if not re.fullmatch(_NAME, name) or name == ALONE:
        raise ServeError(
            f"{name!r} cannot be a user's name. Take small letters, digits, '.', '_' "
            "and '-', up to 32, and not 'you'."
        )
    known = load(file)
    if name in known.names:
        raise ServeError(
            f"There is a user {name!r} already. Revoke it first: its token cannot be "
            "shown again."
        )
    token = _new_token()
    _save(file, [*known.users, _user(name, token)])
    return token


def revoke(file: Path, name: str) -> None:
    """Take a user off the list.

    Raises:
        ServeError: there is none of that name, or the file cannot be used.
    """
    known = load(file)
    left = [user for user in known.users if user.name != name]
    if len(left) == len(known.users):
        raise ServeError(f"There is no user {name!r} in {file}.")
    _save(file, left)


def _save(file: Path, users: Iterable[User]) -> None:
    content = _UsersFile(users=list(users)).model_dump_json(indent=2)
    try:
        if file.parent == data_place() / FOLDER:
            make_folder(data_dir() / FOLDER)
        write_whole(file, content + "\n")
    except OSError as error:
        raise ServeError(f"{file}: it cannot be written ({error.strerror}).") from None


def _expect_each_once(users: list[User], file: Path) -> None:
    names = [user.name for user in users]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ServeError(f"{file}: the user {twice!r} stands in it twice.")


def _user(name: str, token: str) -> User:
    now = datetime.now(UTC).replace(microsecond=0)
    return User(name=name, token_sha256=_digest(token), added=now)


def _new_token() -> str:
    return PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
