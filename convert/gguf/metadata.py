"""Descriptive metadata of a GGUF: name, size, licence, origin, sampling.

The rules are those of the `gguf` package, which upstream's converter uses too: the
front matter of README.md, then config.json, then the name of the folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from gguf import GGUFValueType, GGUFWriter, Metadata, size_label

from convert.errors import ConvertError


@dataclass(frozen=True)
class About:
    """Metadata that is known better than from the folder."""

    name: str | None = None
    description: str | None = None
    licence: str | None = None
    """SPDX, in small letters, as model hubs write it: cc-by-4.0."""


def write_about(
    writer: GGUFWriter, folder: Path, about: About, rename: Callable[[str], str]
) -> None:
    """Write the `general.*` keys of the model in `folder`, after its tensors.

    Args:
        writer: has the tensors, whose parameters are counted.
        folder: of the model.
        about: what goes before what the folder says.
        rename: turns a name into one that llama.cpp takes no other way than meant.

    Raises:
        ConvertError: a text in the folder says something that a GGUF cannot hold.
    """
    parameters, shared, expert, experts = writer.get_total_parameter_count()
    try:
        found = Metadata.load(None, folder.absolute(), about.name, parameters)
        if found.sampling_penalty_repeat is None:
            # gguf 0.19 reads only llama.cpp's own name of it.
            settings = Metadata.load_generation_config(folder)
            found.sampling_penalty_repeat = settings.get("repetition_penalty")
    except (yaml.YAMLError, ValueError, AttributeError, TypeError) as error:
        raise ConvertError(
            f"{folder}: the front matter of README.md or generation_config.json cannot "
            f"be read ({' '.join(str(error).split())}); correct it or take it away"
        ) from error
    if found.name is not None and not isinstance(found.name, str):
        raise ConvertError(
            f"{folder / 'README.md'}: the front matter gives the name {found.name!r}; "
            "expected text"
        )
    found.name = rename(found.name or folder.absolute().name)
    found.description = about.description or found.description
    found.license = about.licence or found.license
    if found.size_label is None and parameters > 0:
        found.size_label = size_label(parameters, shared, expert, experts)
    writer.add_type("model")
    try:
        found.set_gguf_meta_model(writer)
    except (TypeError, AttributeError, ValueError, KeyError) as error:
        raise ConvertError(
            f"{folder / 'README.md'}: the front matter has a value of another form "
            f"than expected ({error}); correct it or take it away"
        ) from error
    _check(writer, folder)


def _check(writer: GGUFWriter, folder: Path) -> None:
    """Find what the writer would fail on later, and with less to say."""
    for key, value in writer.kv_data[0].items():
        match value.type:
            case GGUFValueType.STRING:
                fits = isinstance(value.value, str)
            case GGUFValueType.ARRAY:
                fits = all(isinstance(entry, str) for entry in value.value)
            case GGUFValueType.FLOAT32:
                fits = isinstance(value.value, int | float)
            case _:
                fits = isinstance(value.value, int) and abs(value.value) < 2**31
        if key.startswith("general.") and not fits:
            raise ConvertError(
                f"{folder}: README.md or generation_config.json says {value.value!r} "
                f"for {key}, which is of another form than expected; correct it"
            )
