"""Sliding windows: which layers look back no further than so many tokens."""

from __future__ import annotations

from gguf import GGUFWriter

from convert.errors import ConvertError
from convert.hf_folder import JsonFile

WINDOW, WHOLE = "sliding_attention", "full_attention"


def read_windows(config: JsonFile, layers: int, pattern: int) -> tuple[bool, ...]:
    """Reads for each layer whether it has a window; see `layers_of`."""
    return layers_of(WINDOW, config, layers, pattern)


def layers_of(
    kind: str, config: JsonFile, layers: int, pattern: int
) -> tuple[bool, ...]:
    """Reads for each layer whether it is of `kind`: `layer_types`, else `pattern`.

    Raises:
        ConvertError: `layer_types` says something else than `kind` or full attention.
    """
    kinds = config.values.get("layer_types")
    if kinds is None:
        return every(pattern, layers)
    if not isinstance(kinds, list) or len(kinds) != layers or {*kinds} - {kind, WHOLE}:
        raise ConvertError(
            f"{config.file}: `layer_types` must say {kind} or {WHOLE} for each of "
            f"{layers} layers"
        )
    return tuple(one == kind for one in kinds)


def every(pattern: int, layers: int) -> tuple[bool, ...]:
    """True in all layers but each `pattern`-th."""
    return tuple((layer + 1) % pattern != 0 for layer in range(layers))


def write_windows(writer: GGUFWriter, windows: tuple[bool, ...], pattern: int) -> None:
    """Say which layers have windows, where it is not what llama.cpp takes."""
    if windows != every(pattern, len(windows)):
        writer.add_sliding_window_pattern(list(windows))
