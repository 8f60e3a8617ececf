"""Recognises the data set in a file or folder by its beginning."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path, PurePath

import yaml
from pydantic import TypeAdapter

from finetune.data.sources.archive import beginnings
from finetune.data.sources.foreign_files import refuse_foreign
from finetune.data.sources.inputs import BESIDE, COMPRESSED, DATA, compressed
from finetune.data.sources.packed import is_archive
from finetune.data.sources.sheet_rows import first_row
from finetune.data.sources.text_lines import opened
from finetune.errors import FinetuneError
from medassist.frozen_model import FrozenModel

MARKS = Path(__file__).with_name("recognise.yaml")
BEGINNING = 65_536  # bytes
FILES_LOOKED_AT = 40
MEMBERS_LOOKED_AT = 5
# What lies beside a data set, and is none.
_BESIDE = ("license", "licence", "readme", "source", "index.", "copying", "notice")
_PLAIN = ("table", "text")


class _Mark(FrozenModel):
    source: str
    endings: tuple[str, ...]
    words: tuple[str, ...]


@cache
def _marks() -> tuple[_Mark, ...]:
    rows = yaml.safe_load(MARKS.read_text("utf-8"))
    return TypeAdapter(tuple[_Mark, ...]).validate_python(rows)


def recognise(path: Path) -> str:
    """The name of the data set in `path`.

    Raises:
        FinetuneError: it is not there, it is none that is known, or there are several.
    """
    if not path.exists():
        raise FinetuneError(
            f"{path} is not there; a file or folder with a data set is expected, or "
            "NAME=PATH, or a recipe"
        )
    found = list(dict.fromkeys(name for name in _looked_at(path) if name))
    special = [name for name in found if name not in _PLAIN]
    chosen = special or found
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        for file in [path] if path.is_file() else _files(path):
            refuse_foreign(file)
        raise FinetuneError(
            f"{path} holds no data set that is recognised; say which it is, as "
            f"medquad={path} (medassist finetune prepare --list shows all)"
        )
    raise FinetuneError(
        f"{path} holds files of several data sets ({', '.join(chosen)}); say which to "
        f"read, as {chosen[0]}={path}"
    )


def _looked_at(path: Path) -> Iterator[str | None]:
    if path.is_file():
        yield from _in_file(path)
        return
    for file in _files(path):
        yield from _in_file(file)


def _files(folder: Path) -> Iterator[Path]:
    every = (
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not _is_beside(file.name)
    )
    return islice(every, FILES_LOOKED_AT)


def _is_beside(name: str) -> bool:
    alone = PurePath(name.lower()).name
    return (
        alone.startswith((".", *_BESIDE))
        or alone in BESIDE
        or "__macosx" in name.lower()
    )


def _in_file(file: Path) -> Iterator[str | None]:
    if is_archive(file):
        members = beginnings(file, compressed(*DATA), BEGINNING)
        shown = ((name, start) for name, start in members if not _is_beside(name))
        for name, start in islice(shown, MEMBERS_LOOKED_AT):
            yield _by_marks(name, start)
        return
    if file.name.lower().endswith((".xlsx", ".xlsm")):
        yield _by_marks(file.name, first_row(file).encode())
        return
    with opened(file) as stream:
        yield _by_marks(file.name, stream.read(BEGINNING))


def _by_marks(name: str, beginning: bytes) -> str | None:
    path = PurePath(name.lower())
    ending = path.suffix
    if ending and ending in COMPRESSED:
        ending = PurePath(path.stem).suffix
    for mark in _marks():
        if ending in mark.endings and all(
            word.encode() in beginning for word in mark.words
        ):
            return mark.source
    return None
