"""Output file names of GGUFs, one for each type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from convert.errors import ConvertError

PLACE = "{type}"


def out_file(
    out: Path, stem: str, kind: str, kinds: Sequence[str], *, is_folder: bool
) -> Path:
    """File name for the type `kind`.

    Args:
        out: what the user named: a folder, a file, or a name with `{type}` in it.
        stem: how the file's name begins where `out` is a folder.
        kind: the type, as it stands in the name.
        kinds: all types that are asked for.
        is_folder: whether `out` is one, there or to be made.

    Raises:
        ConvertError: `out` is one file for several types.
    """
    if PLACE in out.name:
        return out.with_name(out.name.replace(PLACE, kind))
    if is_folder:
        return out / f"{stem}-{kind}.gguf"
    if len(kinds) > 1:
        raise ConvertError(
            f"{out} is one file, and {len(kinds)} types are asked for; give a folder, "
            f"or a name with {PLACE} in it"
        )
    return out
