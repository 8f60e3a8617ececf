"""data/manifest.json: sources, counts and licences of a run's data.

Long lists lie beside it, a JSON object a line, and are named in `lists`: the licence
decision of every document, the inputs with their hashes, what each step took out.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from finetune.data.recipe import DataPart
from finetune.errors import FinetuneError
from medassist.core.run_folder import DATA, MANIFEST
from medassist.frozen_model import FrozenModel


class SourceFacts(FrozenModel):
    """Facts about a data set as it was read."""

    name: str
    title: str
    path: str
    """Path as the recipe or the command line gave it."""
    licence: str
    """Licence of the set as a whole, or `per article`."""
    terms: str
    """Further terms of its owners; mostly empty."""
    files: int
    bytes: int
    sha256: str
    """Hash of the lines `sha256  path` of all its files, sorted as by sha256sum."""
    documents: int
    """Documents or patients: groups."""
    read: int
    """Records that were read."""
    broken: int
    """Documents that could not be read; data/dropped/read.jsonl says which and why."""
    kept: int
    """Records that are in one of the splits."""
    licences: dict[str, int]
    """Records that were read, by the licence that they carry."""
    columns: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Tables only: the columns that each field was read from, over all files."""
    unused_columns: tuple[str, ...] = ()
    """Tables only: columns that no record uses, in one file at least."""
    missing_cells: dict[str, int] = Field(default_factory=dict)
    """Tables only: cells with a word for nothing (NaN, N/A, NULL), taken for empty."""


class StepCount(FrozenModel):
    """Records that a step took and left."""

    name: str
    """read, licence, clean, language, missing, length, overlap, duplicates,
    identifiers, split."""
    into: int
    out: int
    dropped: dict[str, int]
    """Records that were taken out, by reason."""
    changed: dict[str, int] = Field(default_factory=dict)
    """Records that were changed, by what was changed; a record can count twice."""
    found: dict[str, int] = Field(default_factory=dict)
    """Records in which something was found and left as it is."""
    list: str | None = None
    """The file with what was dropped or found, relative to data/."""


class LicenceCount(FrozenModel):
    """A decision on records of one licence."""

    licence: str
    evidence: str
    """An example of what said so."""
    used: bool
    why: str
    records: int


class SplitFacts(FrozenModel):
    """Facts about one split."""

    name: str
    file: str
    records: int
    groups: int
    bytes: int
    sha256: str
    texts: int
    dialogues: int
    sources: dict[str, int]
    """Records, by data set."""


class Lists(FrozenModel):
    """Files beside the manifest, relative to data/; JSON objects, one a line."""

    inputs: str
    """Each file that was read: source, file, bytes, sha256."""
    licences: str
    """Each document: source, id, licence, evidence, used, why."""
    dropped: dict[str, str]
    """By step: what was taken out; source, id, reason, and what it resembles."""
    identifiers: str | None
    """Records in which a patient's identifier may stand: source, id, rule, where."""


class Timing(FrozenModel):
    """Duration of the preparation."""

    seconds: float
    """Wall time; of the last call, where it was interrupted and resumed."""
    records_per_second: float
    tasks: int
    workers: int
    executor: str


class Manifest(FrozenModel):
    """Content of manifest.json."""

    version: int = 1
    when: str
    """The end of the preparation, ISO 8601 in UTC."""
    settings: DataPart
    settings_sha256: str
    """Hash of `settings`: another recipe has another hash."""
    inputs_sha256: str
    """Hash of the inputs' paths, sizes and times, which tells whether they changed."""
    sources: tuple[SourceFacts, ...]
    steps: tuple[StepCount, ...]
    licences: tuple[LicenceCount, ...]
    splits: tuple[SplitFacts, ...]
    divided: tuple[str, ...] = ()
    """Groups of which several splits have a stretch, as there were fewer groups than
    splits; the records between two stretches are in none."""
    warnings: tuple[str, ...]
    """Sentences for the user: identifiers, documents that were divided, small splits,
    terms of a data set."""
    lists: Lists
    timing: Timing
    versions: dict[str, str]
    """Versions of Python and of the packages that had a part in it."""

    def split(self, name: str) -> SplitFacts:
        """The facts on one split.

        Raises:
            KeyError: there is none of this name.
        """
        for split in self.splits:
            if split.name == name:
                return split
        raise KeyError(name)


def read_manifest(run: Path) -> Manifest:
    """Read the manifest of a run folder's data.

    Raises:
        FinetuneError: it is not there, or it is not one.
    """
    file = run / DATA / MANIFEST
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        raise FinetuneError(
            f"{file} is not there; medassist finetune prepare RECIPE --out {run} "
            "writes it"
        ) from None
    except (OSError, ValidationError) as error:
        raise FinetuneError(
            f"{file} is no account of prepared data ({_short(error)}); prepare the "
            "data again"
        ) from error


def _short(error: OSError | ValidationError) -> str:
    if isinstance(error, OSError):
        return error.strerror or "it cannot be read"
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
