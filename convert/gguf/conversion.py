"""Converts one model to several types, as `convert gguf` does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

from pydantic import BaseModel, ConfigDict

from convert.errors import ConvertError
from convert.gguf.file import Quantization, refuse_target
from convert.gguf.model import About, ModelFolder
from convert.out_name import out_file
from medassist.core.progress import Watcher, unwatched


class ConvertedFile(BaseModel):
    """A GGUF that was written.

    Attributes:
        file: the one to open: the first of `parts`.
        parts: all files of it; more than one where it was split.
        bytes: of all parts.
    """

    model_config = ConfigDict(frozen=True)

    file: Path
    type: Quantization
    parts: tuple[Path, ...]
    bytes: int
    seconds: float


class ConvertedModel(BaseModel):
    """All GGUFs that one call wrote.

    Attributes:
        notes: what the user should know of this model in llama.cpp: sentences.
    """

    model_config = ConfigDict(frozen=True)

    model: Path
    architecture: str
    tensors: int
    files: tuple[ConvertedFile, ...]
    notes: tuple[str, ...]


def read_outtypes(text: str) -> tuple[Quantization, ...]:
    """The types in a list such as `f16,q8_0`.

    Raises:
        ConvertError: one is none that is written here.
    """
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",")))
    known = get_args(Quantization)
    for name in names:
        if name not in known:
            raise ConvertError(
                f"{name!r} is none of the types that are written directly: "
                f"{', '.join(known)}; make others with: medassist convert quantize"
            )
    return cast("tuple[Quantization, ...]", names)


def convert_types(
    folder: Path,
    out: Path,
    types: Sequence[Quantization],
    *,
    about: About | None = None,
    pre: str | None = None,
    force: bool = False,
    split: int = 0,
    watcher: Watcher = unwatched,
) -> ConvertedModel:
    """Convert the model in `folder` to a GGUF of each of `types`.

    Args:
        folder: config.json, safetensors, tokenizer.
        out: a file that ends in .gguf, with `{type}` in its name for several types; or
            a folder, in which each gets a name of its own.
        types: what the matrices become.
        about: what the GGUFs say of themselves in the place of what the folder says.
        pre: llama.cpp's name for the pre-tokenizer, where the table has none.
        force: whether files that are there may be replaced.
        split: the most bytes of tensors in one file; 0: all in one.
        watcher: is told how far it is.

    Raises:
        ConvertError: the model is not one that can be written exactly, or a file
            cannot be written.
    """
    targets = [_target(folder, out, name, types) for name in types]
    for target in targets:
        refuse_target(target, force=force)
    watcher(f"reading {folder.name}", 0, 0)
    model = ModelFolder.open(folder, pre)
    files: list[ConvertedFile] = []
    for target, name in zip(targets, types, strict=True):
        start = time.monotonic()
        parts = model.write(
            target, about or About(), name, force=force, split=split, watcher=watcher
        )
        files.append(
            ConvertedFile(
                file=parts[0],
                type=name,
                parts=parts,
                bytes=sum(part.stat().st_size for part in parts),
                seconds=time.monotonic() - start,
            )
        )
    return ConvertedModel(
        model=folder,
        architecture=model.architecture.gguf_name,
        tensors=len(model.tensors) + len(model.architecture.extra),
        files=tuple(files),
        notes=model.notes,
    )


def _target(folder: Path, out: Path, name: str, types: Sequence[str]) -> Path:
    is_folder = out.suffix != ".gguf" or out.is_dir()
    return out_file(out, folder.absolute().name, name, types, is_folder=is_folder)
