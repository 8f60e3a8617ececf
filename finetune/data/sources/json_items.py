"""Items of large JSON files one at a time: memory does not grow with the file.

ijson reads; what it has no bound for (how deep, how long an item) is bounded here, and
what Python's own library writes or reads beyond JSON is made JSON before.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import ijson
from ijson.common import ObjectBuilder

from finetune.data.sources.data_source import LONGEST_RECORD
from finetune.data.sources.json_shapes import KindOfRecord, Shape, by_columns, shape_of
from finetune.data.sources.row_conversation import is_turn
from finetune.data.sources.text_lines import opened
from finetune.errors import FinetuneError

CHUNK = 1 << 16  # bytes of a reading
LONGEST_ITEM = 16 * LONGEST_RECORD  # characters that are looked at for one item
LOOKED_AT = 2**23  # characters by which it is told how a table is written
DEEPEST = 500  # objects and arrays one within the other
# Escapes, and what stands for them while quotes are looked for: no text has surrogates.
_ESCAPES = (("\\\\", "\ud800"), ('\\"', "\ud801"))
_CONTROL = re.compile(r"[\x00-\x1f]")
_NAN = re.compile(r"-?(?:NaN|Infinity)")
_CUT_NAN = re.compile(r"(?<![A-Za-z])(?:-|-?Na?|-?I[nfit]{0,6})\Z")
_OPENING, _CLOSING = ("start_map", "start_array"), ("end_map", "end_array")


Row = tuple[str, Any]
"""A row with its key or number."""


class Keys(dict[str, Any]):
    """An object that knows whether a key stood twice in it; the last value is kept."""

    def __init__(self, pairs: Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__()
        self.twice = False
        for key, value in pairs:
            self[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        self.twice |= key in self
        super().__setitem__(key, value)


def json_items(
    file: Path, what: str, at: str = "", *, watch_keys: bool = False
) -> Iterator[Row]:
    """The items of the array or object that `file` is, or that lies at a key of it.

    Args:
        file: JSON in UTF-8, compressed by its ending.
        what: the data set, for errors.
        at: the key of the outermost object whose array is read; what lies beside it is
            passed over. An outermost array is read all the same.
        watch_keys: give `Keys` for objects.

    Yields:
        An item with its key, or with its number in the array, from 0.

    Raises:
        FinetuneError: it is no such JSON, or cut off; items before that were given.
    """
    with opened(file) as stream:
        yield from _Items(stream, file, what, Keys if watch_keys else dict).read(at)


def json_rows(file: Path, what: str, kind_of_record: KindOfRecord) -> Iterator[Row]:
    """The rows of a table that was written as JSON, whichever of the usual ways.

    A list of objects; objects under their keys, or one after the other; a list at a key
    (`{"data": [...]}`, `{"train": [...], "test": [...]}`), each in `row` as the hub's
    server gives them; and what pandas writes: a list or an object for each column
    (`orient` list, columns), or names and rows apart (split). Columns are held whole.

    Args:
        file: JSON in UTF-8, compressed by its ending.
        what: the data set, for errors.
        kind_of_record: whether names of columns, and those of them that hold turns of a
            conversation, make a record.

    Yields:
        As `json_items`, with `Keys` for objects.

    Raises:
        FinetuneError: as of `json_items`, or columns are not of one length.
    """
    with opened(file) as stream:
        shape = _Items(stream, file, what, Keys, several=True).shape(kind_of_record)
    with opened(file) as stream:
        yield from _Items(stream, file, what, Keys, several=True).rows(shape)


class _Items:
    def __init__(
        self,
        stream: Any,
        file: Path,
        what: str,
        map_type: type[dict[str, Any]],
        *,
        several: bool = False,
    ) -> None:
        self._file, self._what, self._map_type = file, what, map_type
        self._bytes = _Plain(stream, file)
        self._events: Iterator[Row] = ijson.basic_parse(
            self._bytes, buf_size=CHUNK, multiple_values=several
        )
        self._number = -1  # of the item that is read; none yet

    def read(self, at: str) -> Iterator[Row]:
        try:
            event, _ = next(self._events)
            self._number = 0
            if event == "start_array":
                yield from self._array()
            elif event != "start_map":
                raise self._wrong("expected an array or an object")
            elif at:
                yield from self._array_at(at)
            else:
                yield from self._members()
            next(self._events, None)  # what stands behind the end is an error
        except (ijson.JSONError, ValueError) as error:
            raise self._wrong(_in_words(str(error), self._number)) from error

    def shape(self, kind_of_record: KindOfRecord) -> Shape:
        """Shape of the table in the file, by the members of its first object."""
        try:
            event, _ = next(self._events)
            if event != "start_map":
                return "rows"
            members: dict[str, str] = {}
            for event, key in self._events:
                if event == "end_map" or self._bytes.seen > LOOKED_AT:
                    break
                members[key] = self._member(*next(self._events))
        except (ijson.JSONError, ValueError, StopIteration):
            return "rows"  # the reading proper tells what is wrong
        return shape_of(members, kind_of_record)

    def _member(self, event: str, value: Any) -> str:
        """Shape of a member, by its own first one; it is passed over."""
        if event not in _OPENING:
            return "value"
        kind = "list" if event == "start_array" else "object"
        inner, value = next(self._events)
        if inner == "map_key":
            inner, value = next(self._events)
        if inner in _CLOSING:
            return f"{kind} of nothing"
        of = {"start_map": "objects", "start_array": "lists"}.get(inner, "values")
        if kind == "list" and of == "objects":
            found = self._value(inner, value)
            # As the hub's server wraps them, beside a list that describes the columns.
            wrapped = isinstance(found.get("row"), dict)
            of = "turns" if is_turn(found) else "wrapped rows" if wrapped else of
        elif of != "values":
            self._value(inner, value, kept=False)
        depth = 1
        while depth and self._bytes.seen <= LOOKED_AT:
            event, _ = next(self._events)
            depth += (event in _OPENING) - (event in _CLOSING)
            self._bytes.given = 0
        return f"{kind} of {of}"

    def rows(self, shape: Shape) -> Iterator[Row]:
        """The rows of a table of that shape; see `json_rows`."""
        try:
            self._number = 0
            for event, value in self._events:
                if event == "start_array":
                    yield from self._array()
                elif event != "start_map":
                    raise self._wrong("expected an array or an object")
                elif shape == "under keys":
                    yield from self._members()
                elif shape == "lists at keys":
                    yield from self._lists(lambda row: row)
                elif shape == "lists of wrapped rows at keys":
                    yield from self._lists(lambda row: row.get("row"))
                elif shape == "rows":
                    yield str(self._number), self._value(event, value)
                else:
                    whole = self._value(event, value)
                    rows = by_columns(whole, shape, self._file)
                    yield from ((str(n), row) for n, row in enumerate(rows))
            if not self._number and not self._bytes.seen:
                raise self._wrong("expected an array or an object, the file ends")
        except (ijson.JSONError, ValueError) as error:
            raise self._wrong(_in_words(str(error), self._number)) from error

    def _lists(self, inner: Callable[[dict[str, Any]], Any]) -> Iterator[Row]:
        """The objects of the lists at keys; a list of anything else is none of rows."""
        for event, key in self._events:
            if event == "end_map":
                return
            event, value = next(self._events)
            if event != "start_array":
                self._value(event, value, kept=False)
                continue
            of_rows = True
            for number, (_, row) in enumerate(self._array()):
                row = inner(row) if isinstance(row, dict) else row
                if not number:
                    of_rows = isinstance(row, dict)
                if of_rows:
                    yield f"{key}/{number}", row

    def _array(self) -> Iterator[Row]:
        self._number = 0
        for event, value in self._events:
            if event == "end_array":
                return
            yield str(self._number), self._value(event, value)

    def _members(self) -> Iterator[Row]:
        for event, key in self._events:
            if event == "end_map":
                return
            yield key, self._value(*next(self._events))

    def _array_at(self, at: str) -> Iterator[Row]:
        found = False
        for event, key in self._events:
            if event == "end_map":
                break
            event, value = next(self._events)
            if key != at:
                self._value(event, value, kept=False)
            elif event == "start_array":
                found = True
                yield from self._array()
            else:
                raise self._wrong(f"expected an array at `{at}`")
        if not found:
            raise FinetuneError(
                f"{self._file}: {self._what} has its records in an array at `{at}`; "
                "there is none in this file"
            )

    def _value(self, event: str, value: Any, *, kept: bool = True) -> Any:
        """Value that begins with an event; what is not kept is not held in memory."""
        builder = ObjectBuilder(self._map_type)
        depth = 0
        while True:
            depth += (event in _OPENING) - (event in _CLOSING)
            if depth > DEEPEST:
                raise self._wrong("expected values that are not so deeply nested")
            if kept:
                # As the standard library has numbers: floats, and whole ones exactly.
                number = float(value) if isinstance(value, Decimal) else value
                builder.event(event, number)
            else:
                self._bytes.given = 0
            if not depth:
                self._number += kept
                self._bytes.given = 0
                return builder.value
            event, value = next(self._events)

    def _wrong(self, reason: str) -> FinetuneError:
        place = "" if self._number < 0 else f", item {self._number}"
        return FinetuneError(
            f"{self._file}{place}: {self._what} is JSON; {reason}. If the file is not "
            "whole, copy it anew"
        )


def _in_words(error: str, number: int) -> str:
    """Error of the library, as a part of a sentence."""
    said = error.partition("\n")[0].partition(": ")[2] or error
    ends = "EOF" in said or "ncomplete" in said
    if number < 0:
        return "expected an array or an object" + ", the file ends" * ends
    if ends:
        return "expected a value, the file ends"
    if "trailing garbage" in said or "Additional data" in said:
        return "expected the end of the file (JSON lines end in .jsonl)"
    return said.rstrip(".").replace("I expect", "expected")


class _Plain:
    """A file as ijson reads it: NaN is null, control characters in texts are escaped.

    Python's library writes NaN for what is missing, and tables are written by it.
    """

    def __init__(self, stream: IO[bytes], file: Path) -> None:
        self._stream, self._file = stream, file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._left, self._inside, self._ended = "", False, False
        self.given = self.seen = 0
        """Characters since the last item, and in all."""

    def read(self, size: int) -> bytes:
        text = ""
        while size and not text and not self._ended:
            text = self._more(size)
        self.given += len(text)
        self.seen += len(text)
        if self.given > LONGEST_ITEM:
            raise FinetuneError(
                f"{self._file}: an item has more than {LONGEST_ITEM:,} characters; the "
                "file is broken, or it is no list of records"
            )
        return self._plain(text).encode()

    def _more(self, size: int) -> str:
        raw = self._stream.read(size)
        self._ended = not raw
        try:
            text = self._left + self._decode(raw, self._ended)
        except UnicodeDecodeError as error:
            raise FinetuneError(
                f"{self._file} is not in UTF-8, as JSON is ({error.reason}); convert it"
            ) from error
        # What the next reading may go on with: an escape, or a NaN.
        held = (len(text) - len(text.rstrip("\\"))) % 2
        if not held and (cut := _CUT_NAN.search(text[-10:])):
            held = len(cut[0])
        end = len(text) if self._ended else len(text) - held
        self._left = text[end:]
        return text[:end]

    def _plain(self, text: str) -> str:
        for escape, mark in _ESCAPES:
            text = text.replace(escape, mark)
        pieces = text.split('"')
        for at, piece in enumerate(pieces):
            self._inside ^= at > 0
            if self._inside and not piece.isprintable():
                pieces[at] = _CONTROL.sub(lambda m: f"\\u{ord(m[0]):04x}", piece)
            elif not self._inside and ("N" in piece or "I" in piece):
                pieces[at] = _NAN.sub("null", piece)
        text = '"'.join(pieces)
        for escape, mark in _ESCAPES:
            text = text.replace(mark, escape)
        return text
