"""The audit log: who asked when, and how it went; never what.

Each line is JSON and has a code (HMAC-SHA256) over the line and the code of the line
before it, so that a line that was changed, moved or taken out breaks the chain. The
key, the number of lines and the last code stand in a file of their own beside it: a log
that was cut at its end shows too. Whoever can read that file can make a chain anew;
keep it, or a copy of it, where those who are audited cannot reach.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medassist.core.files import (
    append_whole,
    open_file,
    open_own,
    read_bytes,
    write_whole,
)
from medassist.core.locks import HeldError, Lock
from medassist.serve.errors import ServeError

KEY_ENDS: Final = ".key"
LOCK_ENDS: Final = ".lock"
FIRST: Final = "0" * 64
"""Value in place of the code before the first line."""
LONGEST_LINE: Final = 64 * 1024
LARGEST: Final = 64 * 1024 * 1024
"""Bytes after which a new file is begun, which goes on with the chain of the old."""
_CODE: Final = r"^[0-9a-f]{64}$"


class _State(BaseModel):
    """Content of the key's file."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(pattern=_CODE)
    before: str = Field(default=FIRST, pattern=_CODE)
    """The code that the first line of the file goes on from."""
    lines: int = Field(default=0, ge=0)
    last: str = Field(default=FIRST, pattern=_CODE)


@dataclass(frozen=True)
class VerifiedLog:
    """An audit log whose chain is whole.

    Attributes:
        lines: how many there are.
        last: the code of the last one.
        first_at: time of the first line; empty: there is none.
        last_at: time of the last one.
    """

    lines: int
    last: str
    first_at: str = ""
    last_at: str = ""


class AuditError(ServeError):
    """The log is not what was written, or cannot be written."""

    exit_code = 1


class Audit:
    """Appends lines to an audit log; one process at a time.

    Args:
        file: the log; made if need be.
        now: the time, for tests.
        largest: bytes after which a new file is begun.

    Raises:
        AuditError: another process writes it, or what is there is no whole chain.
    """

    def __init__(
        self,
        file: Path,
        now: Callable[[], float] = time.time,
        largest: int = LARGEST,
    ) -> None:
        self._file = file
        self._now = now
        self._largest = largest
        self._lock = Lock(_beside(file, LOCK_ENDS), passing=True)
        self.problem = ""
        """Why nothing can be written any more, in a sentence; empty: it can."""
        try:
            self._lock.take()
        except HeldError as error:
            raise AuditError(f"{error}. Name another file with --audit.") from None
        except OSError as error:
            raise AuditError(f"{file}: {error.strerror or error}.") from None
        try:
            self._state = self._begin()
            self._out = FileIO(open_own(file), "ab", closefd=True)
            self._out.seek(0, os.SEEK_END)
        except OSError as error:
            self._lock.release()
            sentence = f"{file}: it cannot be written ({error.strerror or error})."
            raise AuditError(sentence) from None
        except BaseException:
            self._lock.release()
            raise

    def write(self, event: str, **more: Any) -> None:
        """Append a line; it is on the disk when this returns.

        Raises:
            AuditError: it cannot be written; nothing half is left.
        """
        time = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds")
        said = {"time": time, "event": event, **more}
        try:
            if self._out.tell() > self._largest:
                self._rotate()
            code = _code(self._state, self._state.last, said)
            line = json.dumps({**said, "prev": self._state.last, "mac": code})
            append_whole(self._out, line.encode() + b"\n")
            self._state.lines += 1
            self._state.last = code
            self._save()
        except OSError as error:
            why = error.strerror or str(error)
            self.problem = f"{self._file}: the audit log cannot be written ({why})."
            raise AuditError(self.problem) from None

    def close(self) -> None:
        """Close the log, for others to write."""
        self._out.close()
        self._lock.release()

    def _begin(self) -> _State:
        key = _beside(self._file, KEY_ENDS)
        if not key.exists():
            if self._file.exists() and self._file.stat().st_size:
                raise AuditError(
                    f"{self._file} is there and {key} is not: whether the log is whole "
                    "cannot be said. Move it away, and a new one is begun."
                )
            state = _State(key=secrets.token_hex(32))
            self._state = state
            self._save()
            return state
        state = _read_state(key)
        found = verify(self._file)
        # A line that was written when the power failed is on the disk before its
        # number is.
        state.lines, state.last = found.lines, found.last
        return state

    def _rotate(self) -> None:
        """Go on in a new file, whose first line follows on the last of the old one."""
        stamp = datetime.fromtimestamp(self._now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        old = self._file.with_name(f"{self._file.name}.{stamp}")
        self._out.close()
        if old.exists():
            raise FileExistsError(17, "there is one of that time already", str(old))
        key = _beside(self._file, KEY_ENDS)
        write_whole(_beside(old, KEY_ENDS), read_bytes(key))
        self._file.rename(old)
        self._state.before, self._state.lines = self._state.last, 0
        self._save()
        self._out = FileIO(open_own(self._file), "ab", closefd=True)

    def _save(self) -> None:
        key = _beside(self._file, KEY_ENDS)
        write_whole(key, self._state.model_dump_json() + "\n")


def verify(file: Path) -> VerifiedLog:
    """Follow the chain of a log from its first line to its last.

    Raises:
        AuditError: it is broken; the message says where.
    """
    state = _read_state(_beside(file, KEY_ENDS))
    last, count, first_at, last_at = state.before, 0, "", ""
    passed = state.lines == 0 and state.last == state.before
    for number, line in _lines(file):
        said = _said(file, number, line)
        prev, code = said.pop("prev", None), said.pop("mac", None)
        if prev != last:
            raise AuditError(
                f"{file}, line {number}: it does not follow on the line before it. A "
                "line was taken out, put in or moved here."
            )
        wanted = _code(state, last, said)
        if not isinstance(code, str) or not hmac.compare_digest(code, wanted):
            raise AuditError(f"{file}, line {number}: it was changed.")
        last, count = code, number
        first_at, last_at = first_at or str(said.get("time")), str(said.get("time"))
        passed |= count == state.lines and last == state.last
    if not passed:
        raise AuditError(
            f"{file}: {state.lines:,} lines were written and {count:,} are there. It "
            "was cut at its end."
        )
    return VerifiedLog(count, last, first_at, last_at)


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    try:
        if not file.exists():
            return
        with open_file(file) as opened:
            number = 0
            while line := opened.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE or not line.endswith(b"\n"):
                    raise AuditError(f"{file}, line {number}: it is not whole.")
                yield number, line
    except OSError as error:
        raise AuditError(f"{file}: {error.strerror or error}.") from None


def _said(file: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise AuditError(f"{file}, line {number}: it was changed.")
    return said  # pyright: ignore[reportUnknownVariableType]


def _code(state: _State, before: str, said: Mapping[str, Any]) -> str:
    text = json.dumps([before, said], sort_keys=True, separators=(",", ":"))
    return hmac.new(bytes.fromhex(state.key), text.encode(), "sha256").hexdigest()


def _read_state(file: Path) -> _State:
    try:
        return _State.model_validate_json(read_bytes(file))
    except OSError as error:
        raise AuditError(
            f"{file}: {error.strerror or error}. Without it nothing can be said of "
            "the log."
        ) from None
    except ValidationError:
        raise AuditError(f"{file}: it is no key of an audit log.") from None


def _beside(file: Path, ends: str) -> Path:
    return file.with_name(file.name + ends)
