"""Ledger of a run folder: steps that are done, with the hashes of their files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from convert.chat_template import TEMPLATES
from convert.errors import ConvertError
from medassist.core.card import Sha256
from medassist.core.files import SHARED_FILE, write_whole
from medassist.core.seen_file import SeenFile, seen
from medassist.frozen_model import FrozenModel

Hashed = Callable[[Path], Sha256]


def _holds(_: Hashed) -> bool:
    return True


@dataclass(frozen=True)
class LedgerStep:
    """A step that made `outputs` from `inputs`.

    Attributes:
        inputs: files, and folders whose files all count (hidden ones do not, and of
            folders in them only that of further chat templates does).
        settings: what else shapes the outputs.
        do: does it; whatever it writes appears whole or not at all.
        holds: whether what the step found the last time holds still; it is given what
            knows the hashes of files.
    """

    name: str
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    do: Callable[[], object]
    settings: Mapping[str, str]
    holds: Callable[[Hashed], bool] = _holds


class _Done(FrozenModel):
    inputs: dict[str, Sha256]
    outputs: dict[str, Sha256]
    settings: dict[str, str]


EDITION = 2
"""Of what the steps do. 1 lost an output layer of its own where config.json ties it
to the embedding, and passed it: there what it did is done again."""


class _Book(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = EDITION
    steps: dict[str, _Done] = {}
    files: dict[str, SeenFile] = {}


class StepLedger:
    """The steps done in a run folder, with the hashes of all files.

    A file whose size and time of change are as they were is not hashed again.
    """

    def __init__(self, file: Path, *, trusts_older: bool = True) -> None:
        """Open the ledger `file`; a missing one is an empty one.

        Args:
            file: in the run's folder of GGUFs.
            trusts_older: what older editions of the steps did need not be done again.

        Raises:
            ConvertError: it is broken.
        """
        self._file = file
        self._root = file.parent.parent
        self._book = _Book()
        if file.exists():
            try:
                self._book = _Book.model_validate_json(file.read_bytes())
            except (OSError, ValidationError) as error:
                raise ConvertError(
                    f"{file} cannot be read as a list of finished steps; remove it, "
                    "and all steps are done again"
                ) from error
            if self._book.version != EDITION:
                kept = self._book if trusts_older else _Book()
                self._book = kept.model_copy(update={"version": EDITION})

    def is_done(self, step: LedgerStep) -> bool:
        """Whether `step` was done with the same inputs, and its outputs exist."""
        done = self._book.steps.get(step.name)
        return (
            done is not None
            and done.settings == dict(step.settings)
            and all(output.exists() for output in step.outputs)
            and done.inputs == self.hashes(step.inputs)
            and done.outputs == self.hashes(step.outputs)
            and step.holds(self.hash)
        )

    def write(self, step: LedgerStep, inputs: dict[str, Sha256]) -> None:
        """Record that `step` is done.

        Args:
            step: the step.
            inputs: their hashes from before it: what changed meanwhile may be half in
                it, and the step is to be done again.
        """
        self._book.steps[step.name] = _Done(
            inputs=inputs,
            outputs=self.hashes(step.outputs),
            settings=dict(step.settings),
        )
        whole = self._book.model_dump_json(indent=2) + "\n"
        write_whole(self._file, whole, SHARED_FILE)

    def hashes(self, paths: Iterable[Path]) -> dict[str, Sha256]:
        """The sha256 of all files of `paths`, by name."""
        return {self._name(file): self.hash(file) for file in _files(paths)}

    def _name(self, file: Path) -> str:
        if file.is_relative_to(self._root):
            return file.relative_to(self._root).as_posix()
        return str(file)

    def hash(self, file: Path) -> Sha256:
        """The sha256 of `file`.

        Raises:
            ConvertError: it cannot be read.
        """
        try:
            name = self._name(file)
            now = seen(file, self._book.files.get(name))
        except OSError as error:
            raise ConvertError(f"{file} cannot be read: {error.strerror}") from error
        self._book.files[name] = now
        return now.sha256


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [*path.iterdir(), *(path / TEMPLATES).glob("*")]
            found += sorted(f for f in inside if f.is_file() and f.name[0] != ".")
        else:
            found.append(path)
    return found
