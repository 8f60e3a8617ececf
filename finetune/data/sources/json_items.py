"""Items of large JSON files one at a time: memory does not grow with the file.

The standard library reads a whole file or nothing. Here a window moves over the text,
and each item is decoded by the library once it lies in the window.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from json.decoder import JSONDecodeError
from pathlib import Path
from typing import Any

from finetune.data.sources.contract import LONGEST_RECORD
from finetune.data.sources.text_lines import opened
from finetune.errors import FinetuneError

CHUNK = 1 << 16  # bytes of a reading
LONGEST_ITEM = 16 * LONGEST_RECORD  # characters that are looked at for one item
_BLANKS = " \t\r\n"
_ENDS = (*_BLANKS, ",", "]", "}", ":")


class Twice(dict[str, Any]):
    """An object in which a key stood twice; the last value is in it."""


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of its `pairs`, which is a `Twice` if not every key is unique."""
    made = dict(pairs)
    return made if len(made) == len(pairs) else Twice(pairs)


def json_items(
    file: Path, what: str, at: str = "", *, watch_keys: bool = False
) -> Iterator[tuple[str, Any]]:
    """The items of the array or object that `file` is, or that lies at a key of it.

    Args:
        file: JSON in UTF-8, compressed by its ending.
        what: the data set, for errors.
        at: the key of the outermost object whose array is read; what lies beside it is
            passed over. An outermost array is read all the same.
        watch_keys: give a `Twice` for an object that has a key twice.

    Yields:
        An item with its key, or with its number in the array, from 0.

    Raises:
        FinetuneError: it is no such JSON, or cut off; items before that were given.
    """
    with opened(file) as stream:
        window = _Window(stream, file, what, unique_keys if watch_keys else None)
        opening = window.peek()
        if opening == "[":
            yield from window.array()
        elif opening != "{":
            raise window.wrong("an array or an object")
        elif not at:
            yield from window.members()
        else:
            yield from window.array_at(at)
        if window.peek():
            raise window.wrong("the end of the file (JSON lines end in .jsonl)")


class _Window:
    def __init__(
        self,
        stream: Any,
        file: Path,
        what: str,
        pairs: Callable[[list[tuple[str, Any]]], Any] | None,
    ) -> None:
        self._stream, self._file, self._what = stream, file, what
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._scan = json.JSONDecoder(strict=False, object_pairs_hook=pairs).raw_decode
        self._text, self._at, self._passed = "", 0, 0
        self._ended = False

    def array(self) -> Iterator[tuple[str, Any]]:
        self._take("[")
        number = 0
        if self.peek() == "]":
            self._take("]")
            return
        while True:
            yield str(number), self._value()
            number += 1
            if self._take(",]") == "]":
                return

    def members(self) -> Iterator[tuple[str, Any]]:
        for key in self._keys():
            yield key, self._value()

    def array_at(self, at: str) -> Iterator[tuple[str, Any]]:
        found = False
        for key in self._keys():
            if key != at:
                self._value()
            elif self.peek() == "[":
                found = True
                yield from self.array()
            else:
                raise self.wrong(f"an array at `{at}`")
        if not found:
            raise FinetuneError(
                f"{self._file}: {self._what} has its records in an array at `{at}`; "
                "there is none in this file"
            )

    def peek(self) -> str:
        """The next character that is no blank; "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BLANKS:
                    return self._text[self._at]
                self._at += 1
            if not self._more(CHUNK):
                return ""

    def wrong(self, expected: str) -> FinetuneError:
        place = self._passed + self._at
        found = self.peek()
        seen = f"found {found!r}" if found else "the file ends"
        return FinetuneError(
            f"{self._file}, character {place}: {self._what} is JSON; expected "
            f"{expected}, {seen}. If the file is not whole, copy it anew"
        )

    def _keys(self) -> Iterator[str]:
        self._take("{")
        if self.peek() == "}":
            self._take("}")
            return
        while True:
            if self.peek() != '"':
                raise self.wrong("a key")
            key = self._value()
            self._take(":")
            yield key
            if self._take(",}") == "}":
                return

    def _take(self, allowed: str) -> str:
        found = self.peek()
        if not found or found not in allowed:
            raise self.wrong(" or ".join(repr(each) for each in allowed))
        self._at += 1
        return found

    def _value(self) -> Any:
        self.peek()
        wanted = CHUNK
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except (JSONDecodeError, RecursionError) as error:
                if isinstance(error, RecursionError):
                    raise self.wrong("values that are not so deeply nested") from error
                held = len(self._text) - self._at
                # Each try decodes from the item's start, so each doubles the window.
                if held > LONGEST_ITEM or not self._more(max(wanted, held)):
                    raise self.wrong(f"a value ({error.msg})") from error
                continue
            if self._text[end : end + 1] not in _ENDS and self._more(CHUNK):
                continue  # a number may go on behind the window
            self._at = end
            return value

    def _more(self, size: int) -> bool:
        """Read on; `False` at the end of the file."""
        if self._ended:
            return False
        raw = self._stream.read(size)
        self._ended = not raw
        try:
            text = self._decode(raw, self._ended)
        except UnicodeDecodeError as error:
            raise FinetuneError(
                f"{self._file} is not in UTF-8, as JSON is ({error.reason}); convert it"
            ) from error
        self._passed += self._at
        self._text = self._text[self._at :] + text
        self._at = 0
        return not self._ended
