"""Layouts of PubMed Central's open-access articles, and the files beside them.

Since 2026: `PMC<id>.<version>/PMC<id>.<version>.xml` with a `.json` of the same name,
there or in `metadata/`. Before: archives and folders with a file list in CSV, one
licence for each article (https://pmc.ncbi.nlm.nih.gov/tools/pmcaws/).
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from finetune.data.jats.licence import CONFLICT
from finetune.data.prepared_records import Licence
from finetune.data.sources.csv_rows import check_columns, csv_rows
from finetune.data.sources.data_source import Broken
from medassist.text.licences.named_licences import UNKNOWN, without_version

_VERSIONED = re.compile(r"(?:^|/)(PMC\d+)\.(\d+)\.(?:xml|json)$")
_NUMBER = re.compile(r"PMC(\d+)")
_LIST_NAMES = ("*filelist.csv", "*file_list.csv", "*filelist.txt")
_LEVELS = 4  # folders above an article in which a file list is sought
_NO_CODE = ("", "no-cc code", "none", "unknown")


@dataclass(frozen=True)
class ArticleMetadata:
    """Facts about an article from its metadata or from the file list."""

    code: str = ""
    """`CC BY`, `CC BY-NC`, `TDM`; empty where it names none."""
    retracted: bool = False
    where: str = ""
    """The file and field, for the evidence."""


def versioned(name: str) -> tuple[str, int] | None:
    """PMCID and version of a file in the layout of 2026, else none."""
    found = _VERSIONED.search(name.replace("\\", "/"))
    return (found[1], int(found[2])) if found else None


def newest(names: Iterable[str]) -> dict[str, int]:
    """The newest version of each article among names in the layout of 2026."""
    latest: dict[str, int] = {}
    for name in names:
        if (found := versioned(name)) and found[1] > latest.get(found[0], -1):
            latest[found[0]] = found[1]
    return latest


def read_metadata(content: bytes, name: str) -> ArticleMetadata:
    """Reads a metadata file; nothing where it is not readable."""
    try:
        found: Any = json.loads(content)
    except ValueError:
        return ArticleMetadata()
    if not isinstance(found, dict):
        return ArticleMetadata()
    return ArticleMetadata(
        code=str(found.get("license_code") or ""),
        retracted=found.get("is_retracted") in (True, "true", "yes", 1),
        where=f"{PurePosixPath(name).name} license_code",
    )


def metadata_beside(file: Path) -> ArticleMetadata:
    """The metadata of an article that is a file of its own."""
    name = f"{file.name.removesuffix('.xml')}.json"
    for place in (
        file.parent,
        file.parent / "metadata",
        file.parent.parent / "metadata",
    ):
        try:
            return read_metadata((place / name).read_bytes(), name)
        except OSError:
            continue
    return ArticleMetadata()


class FileList:
    """A file list of PMC: millions of rows in 8 bytes each."""

    def __init__(self, file: Path) -> None:
        self._name = file.name
        self._codes: list[str] = []
        rows = csv_rows(file, (), "a file list of PMC")
        entries = array("Q")
        place: dict[str, int] = {}
        columns: tuple[str, str] | None = None
        for row in rows:
            if isinstance(row, Broken):
                continue
            if columns is None:
                columns = _columns(file, list(row.cells))
            number = _NUMBER.search(row.cells[columns[0]])
            if number is None:
                continue
            code = row.cells[columns[1]].strip()
            gone = row.cells.get("Retracted", "").strip().lower() in (
                "yes",
                "true",
                "1",
            )
            index = place.setdefault(code, len(place))
            entries.append(int(number[1]) << 16 | min(index, 0x7FFF) << 1 | gone)
        self._codes = list(place)
        import numpy as np

        self._entries = np.sort(np.frombuffer(entries, dtype=np.uint64))

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, pmcid: str) -> ArticleMetadata | None:
        """Finds an article in the list; none if it is not listed."""
        import numpy as np

        number = _NUMBER.fullmatch(pmcid)
        if number is None or not len(self._entries):
            return None
        wanted = int(number[1])
        at = int(np.searchsorted(self._entries, np.uint64(wanted << 16)))
        if at == len(self._entries) or int(self._entries[at]) >> 16 != wanted:
            return None
        entry = int(self._entries[at]) & 0xFFFF
        return ArticleMetadata(
            code=self._codes[entry >> 1],
            retracted=bool(entry & 1),
            where=f"{self._name} License",
        )


def file_list_for(file: Path, named: str) -> FileList | None:
    """The file list that goes with an input: the named one, or one that lies near it.

    Raises:
        FinetuneError: the named one cannot be read.
    """
    if named:
        return _read_list(Path(named).expanduser())
    stem = re.sub(r"\.(?:tar(?:\.\w+)?|tgz|txz|zip)$", "", file.name)
    for suffix in (".filelist.csv", ".filelist.txt"):
        own = file.parent / f"{stem}{suffix}"
        if own.is_file():
            return _read_list(own)
    return _list_above(file.parent)


@lru_cache(maxsize=64)
def _list_above(folder: Path) -> FileList | None:
    for place in [folder, *folder.parents][:_LEVELS]:
        for inner in (place, place / "metadata" / "csv"):
            for pattern in _LIST_NAMES:
                found = sorted(inner.glob(pattern))
                # Several lists belong to several archives, which name their own.
                if len(found) == 1:
                    return _read_list(found[0])
    return None


@lru_cache(maxsize=2)
def _read_list(file: Path) -> FileList:
    return FileList(file)


def _columns(file: Path, found: list[str]) -> tuple[str, str]:
    number = next((n for n in found if n.replace(" ", "") == "AccessionID"), None)
    if number is None:
        check_columns(file, found, ("AccessionID",), "a file list of PMC")
    check_columns(file, found, ("License",), "a file list of PMC")
    assert number is not None
    return number, "License"


def with_beside(licence: Licence, beside: ArticleMetadata | None) -> Licence:
    """The article's licence and what lies beside it as one; a conflict is unknown."""
    if beside is None or beside.code.strip().lower() in _NO_CODE:
        return licence
    told = f"{beside.where}: {beside.code}"
    if licence.evidence.startswith(CONFLICT):
        return Licence(name=UNKNOWN, evidence=f"{licence.evidence}; {told}")
    if licence.name == UNKNOWN:
        return Licence(name=beside.code, evidence=f"{told}; {licence.evidence}")
    if without_version(licence.name) != without_version(beside.code):
        return Licence(
            name=UNKNOWN,
            evidence=f"{CONFLICT}: the article says {licence.name} "
            f"({licence.evidence}); {beside.where} says {beside.code}",
        )
    return Licence(name=licence.name, evidence=f"{licence.evidence}; {told}")


def metadata_in(
    names_and_contents: Iterable[tuple[str, bytes]],
) -> dict[str, ArticleMetadata]:
    """The metadata of an archive's articles by `PMCID.version`."""
    return {
        PurePosixPath(name).name.removesuffix(".json"): read_metadata(content, name)
        for name, content in names_and_contents
        if versioned(name)
    }
