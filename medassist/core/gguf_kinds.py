"""Recognises files that are not models, and says which file to give instead.

A repository of a model holds more GGUF files than the one that answers: the eyes of a
multimodal model, an importance matrix, the second part of a split one. They are as
whole as can be, so to convert or download them again helps nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from medassist.core.errors import ModelFileError
from medassist.core.validated import from_json

TABLE = Path(__file__).with_name("gguf_kinds.json")
SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
"""Name of a file of a split model; llama.cpp finds them by their names."""
RANKS_OR_EMBEDS = (1, 2, 3, 4)
"""Values of `pooling_type`: a mean, the first token, the last one, a rank (llama.h)."""


@dataclass(frozen=True)
class OtherKind:
    """A kind of file that is no model to be answered with.

    Attributes:
        found: what it is, to stand behind "found".
        advice: what to do, as an order.
    """

    found: str
    advice: str

    def error(self, path: Path) -> ModelFileError:
        """The error that says so of the file at `path`."""
        return wrong_file(path, self.found, self.advice)


def wrong_file(path: Path, found: str, advice: str) -> ModelFileError:
    """The error for a file that is no model: what it is, and what to do."""
    return ModelFileError(
        f"{path}: expected a model in GGUF, found {found}. To go on: {advice}.", path
    )


@dataclass(frozen=True)
class _Row:
    found: str
    give: str

    @property
    def kind(self) -> OtherKind:
        return OtherKind(self.found, self.give)


@dataclass(frozen=True)
class _NamedKind(_Row):
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Beginning(_Row):
    hex: str


@dataclass(frozen=True)
class _KindsTable:
    first_bytes: tuple[_Beginning, ...]
    types: tuple[_NamedKind, ...]
    architectures: tuple[_NamedKind, ...]
    reads_only: _Row
    no_weights: _Row
    adapter: _Row
    nameless: _Row


@cache
def _table() -> _KindsTable:
    return from_json(_KindsTable, TABLE.read_bytes())


def begins_like(first: bytes) -> OtherKind:
    """Kind of a file that does not begin as a GGUF does, by its first bytes."""
    for row in _table().first_bytes:
        if first.startswith(bytes.fromhex(row.hex)):
            return row.kind
    if not any(first):
        return OtherKind(
            "a file of zeros", "copy or download it again: it was never filled"
        )
    start = first.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return OtherKind(
            "a web page that was saved in its place",
            "download the file itself, not the page that shows it",
        )
    # A length of eight bytes, then JSON.
    if first[8:10] == b'{"' and first[5:8] == bytes(3):
        return OtherKind(
            "weights as safetensors",
            "convert the folder that it lies in: medassist convert gguf FOLDER",
        )
    return OtherKind(
        "a file of another kind (it does not begin with GGUF)",
        "choose a file that ends in .gguf",
    )


def kind_by_header(
    metadata: Mapping[str, object], tensors: int, name: str
) -> OtherKind | None:
    """Kind of a GGUF that is no model to be answered with; `None`: it may be one.

    Args:
        metadata: the keys and values of its header.
        tensors: how many it has.
        name: the file's.
    """
    table = _table()
    architecture = str(metadata.get("general.architecture", ""))
    if metadata.get("general.type") == "adapter":
        return table.adapter.kind
    part = _part(metadata, name)
    if part is not None:
        return part
    found = _named(table.types, metadata.get("general.type")) or _named(
        table.architectures, architecture
    )
    if found is not None:
        return found
    if not architecture:
        return table.nameless.kind
    if (
        metadata.get(f"{architecture}.pooling_type") in RANKS_OR_EMBEDS
        or metadata.get(f"{architecture}.attention.causal") is False
    ):
        return table.reads_only.kind
    if tensors == 0 and SHARD.search(name) is None:
        return table.no_weights.kind
    return None


def _part(metadata: Mapping[str, object], name: str) -> OtherKind | None:
    """Sentence on a part of a split model that cannot be loaded by its name."""
    count, number = metadata.get("split.count", 1), metadata.get("split.no", 0)
    if not isinstance(count, int) or not isinstance(number, int) or count < 2:
        return None
    named = SHARD.search(name)
    first = f"{name[: named.start()] if named else 'NAME'}-00001-of-{count:05}.gguf"
    if number > 0:
        return OtherKind(
            f"part {number + 1} of {count} of a model",
            f"give the first part, {first}, with the others beside it",
        )
    if named is None or (int(named[1]), int(named[2])) != (1, count):
        return OtherKind(
            f"the first of {count} parts of a model under a name of its own",
            f"call it {first}, and the others likewise: they are found by their names",
        )
    return None


def _named(rows: Sequence[_NamedKind], name: object) -> OtherKind | None:
    return next((row.kind for row in rows if name in row.names), None)
