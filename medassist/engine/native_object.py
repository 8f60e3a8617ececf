"""Base class of native objects that have one owner and are freed once."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self


class NativeObject:
    """Frees a native object by `close`, or at the end of a `with` block.

    Args:
        free: frees the object; called once, however often `close` is.
    """

    def __init__(self, free: Callable[[], None]) -> None:
        self._free = free
        self._closed = False

    def close(self) -> None:
        """Free the object; whatever depends on it must be closed first."""
        if not self._closed:
            self._closed = True
            self._free()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
