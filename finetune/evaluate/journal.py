"""Findings of an unfinished evaluation, a line each, so that it can be resumed.

It lies in the run folder under `evaluation.unfinished/` until evaluation.json stands.
A part (losses, answers, an exam) belongs to the exact models, data and settings that
it was found with, by their hash: found with others, it does not count.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from pydantic import TypeAdapter, ValidationError

from medassist.core.files import PRIVATE_FOLDER
from medassist.core.run_folder import EVALUATING

Found = TypeVar("Found")


class JournalPart(Generic[Found]):
    """Findings of one part by place, saved as they are made.

    Args:
        file: where they lie.
        adapter: reads and writes a finding.
    """

    def __init__(self, file: Path, adapter: TypeAdapter[Found]) -> None:
        self._adapter = adapter
        self.found: dict[int, Found] = {}
        whole = 0
        if file.exists():
            data = file.read_bytes()
            for line in data.splitlines(keepends=True):
                if not line.endswith(b"\n") or not self._take(line):
                    break  # a kill cut it off
                whole += len(line)
        # Opened for both: a line that was cut off goes.
        self._out = file.open("r+b" if file.exists() else "wb")
        self._out.truncate(whole)
        self._out.seek(whole)
        file.chmod(0o600)

    def add(self, place: int, finding: Found) -> None:
        """Keep a finding; it is with the system when this returns."""
        self.found[place] = finding
        text = self._adapter.dump_json(finding)
        self._out.write(b'{"at":%d,"found":%b}\n' % (place, text))
        self._out.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._out.close()

    def _take(self, line: bytes) -> bool:
        try:
            row = json.loads(line)
            self.found[int(row["at"])] = self._adapter.validate_python(
                row["found"], strict=False
            )
        except (ValueError, KeyError, TypeError, ValidationError):
            return False
        return True


class Journal:
    """The unfinished evaluation of a run.

    Args:
        run: the run folder.
        resume: go on with what is there; else it is begun anew.
        name: of the folder in `run`.
    """

    def __init__(self, run: Path, *, resume: bool, name: str = EVALUATING) -> None:
        self.folder = run / name
        if not resume:
            self.remove()
        self.folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        self._seconds = self.folder / "seconds"

    def part(
        self, name: str, depends: Mapping[str, object], adapter: TypeAdapter[Found]
    ) -> JournalPart[Found]:
        """The findings of a part, earlier ones first.

        Args:
            name: of the part.
            depends: all that its findings depend on.
            adapter: reads and writes a finding.
        """
        text = json.dumps(depends, sort_keys=True)
        mark = hashlib.sha256(text.encode()).hexdigest()[:16]
        return JournalPart(self.folder / f"{name}-{mark}.jsonl", adapter)

    @property
    def seconds(self) -> float:
        """Computing time of earlier sittings."""
        try:
            return float(self._seconds.read_text("ascii"))
        except (OSError, ValueError):
            return 0.0

    def spent(self, seconds: float) -> None:
        """Save the total computing time of all sittings."""
        self._seconds.write_text(repr(seconds), "ascii")

    def remove(self) -> None:
        """Delete the journal."""
        shutil.rmtree(self.folder, ignore_errors=True)
