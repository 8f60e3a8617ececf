"""Protocol of a data set's reader, for the pipeline.

A source is a frozen value, so that it can be sent to another process: its options are
its fields. It says which files it reads (they are hashed, and dealt out to workers),
and gives the records of each. What it gives is parsed: what belongs to the form of its
pages (a heading, a table's text) is left out, a missing answer is an empty string, and
boilerplate that any text may hold stands where it stood. Only what cannot be read at
all becomes a `Broken`, and the reading goes on behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from finetune.data.prepared_records import DialogueRecord, TextRecord

LONGEST_RECORD = 4_000_000
"""Characters of a record; a million words are more, and no document is so long."""

RETRACTED = "retracted"
"""The key in `meta` that says, with its evidence, that an article was retracted."""

CONCERN = "expression of concern"
"""The key in `meta` that says, with its evidence, that editors doubt an article."""

LANGUAGE = "language"
"""The key in `meta` with a record's language, as its document has it: `en`, `pt-BR`."""

ARTICLE_TYPE = "article_type"
"""The key in `meta` with JATS's kind of article: `research-article`, `case-report`."""


@dataclass(frozen=True)
class Broken:
    """A document, row or record that could not be read."""

    id: str
    """Its name within the file: a member of an archive, a line's number, an id."""
    file: str
    """The file that it stands in."""
    reason: str
    """A sentence without the document's own words."""


def unlike(what: str, error: Exception) -> str:
    """The reason of a `Broken` that is not what its file is of.

    Args:
        what: it should be: `note of EHR-DS-QA`.
        error: what reading it raised; of a key that is missing, its name is told.
    """
    if isinstance(error, KeyError):
        return f"is no {what}: it has no `{error.args[0]}`"
    return f"is no {what}: its parts are of other kinds"


class PassedOver(Broken):
    """Something readable that is none: a correction, an older version, another page."""


@dataclass(frozen=True)
class Columns:
    """Columns of a user's own table, as they were understood."""

    taken: Mapping[str, tuple[str, ...]]
    """Our fields, each with the columns that it was read from."""
    unused: tuple[str, ...]
    """Columns of which nothing is in the records."""
    missing: Mapping[str, int]
    """Cells that held a word for nothing (NaN, N/A, NULL) and were taken for empty, by
    column."""
    changed: Mapping[str, int] = field(default_factory=dict[str, int])
    """Rows in which something was changed on the way, by what: turns cut, joined."""


Read = TextRecord | DialogueRecord | Broken
Reading = Generator[Read, None, Columns | None]
"""Records one after the other; at the end, what a table's columns were taken for."""


class DataSource(Protocol):
    """A data set that has been opened with its options."""

    def files(self, root: Path) -> list[Path]:
        """The inputs under `root` (a file or a folder), sorted.

        Raises:
            FinetuneError: nothing of this data set is there.
        """
        ...

    def read(self, file: Path) -> Iterator[Read]:
        """The records of one of `files`, in its order, streaming.

        A source of the user's own tables gives a `Reading`, others any iterator.

        Raises:
            FinetuneError: the file as a whole is not of this data set, or is cut off.
        """
        ...


@dataclass(frozen=True)
class SourceInfo:
    """Facts about a data set before it is opened."""

    name: str
    """Name in recipes and commands: `medquad`."""
    title: str
    about: str
    """One or two sentences: what is in it, and in which files it comes."""
    licence: str
    """Licence of the set, or how its documents name it: `CC BY 4.0`, `per article`."""
    terms: str
    """Terms that a user must know before; empty where the licence says all."""
    kind: Literal["text", "dialogue", "either"]
    open_source: Callable[..., DataSource]
    """Makes the source of its options, which are keyword arguments."""
    options: tuple[str, ...] = ()
    """The names of the options."""
    reads_archives: bool = False
    """Whether it reads zips and tars by itself; else it is given what lies in them."""
    text_shortest: int | None = None
    """Characters from which its texts are whole, where they are short by their nature;
    else the bound of all recipes."""
    fetch: str = ""
    """Provider of `finetune fetch`: `pmc`, `hub`, `kaggle`, `ctgov`, `web`, or none."""
