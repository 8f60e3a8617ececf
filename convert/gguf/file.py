"""Writes a GGUF file under a temporary name, then renames it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from io import BufferedWriter
from math import prod
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType

from convert.encode import Q8_BLOCK, Kind, encode, row_bytes
from convert.errors import ConvertError
from convert.hf_folder import Array
from convert.unfinished import folder_beside
from medassist.core.files import end_of_links, give_name
from medassist.core.progress import Watcher, unwatched
from medassist.core.words import size

Quantization = Literal["f32", "f16", "bf16", "q8_0"]
TYPES: dict[Quantization, tuple[GGMLQuantizationType, LlamaFileType]] = {
    "f32": (GGMLQuantizationType.F32, LlamaFileType.ALL_F32),
    "f16": (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
    "bf16": (GGMLQuantizationType.BF16, LlamaFileType.MOSTLY_BF16),
    "q8_0": (GGMLQuantizationType.Q8_0, LlamaFileType.MOSTLY_Q8_0),
}
_FLOAT32 = (
    "_norm.weight",
    "ffn_gate_inp.weight",
    "position_embd.weight",
    "ssm_conv1d.weight",
    "ffn_gate_inp_shexp.weight",
)
HEADER = 1 << 20
"""Bytes beside tensors and vocabulary that a GGUF may take, when space is counted."""


class LateTensor:
    """A tensor computed while it is written; has GGUFWriter's array interface."""

    def __init__(
        self,
        shape: tuple[int, ...],
        kind: Kind,
        blocks: Callable[[], Iterable[npt.NDArray[np.uint8]]],
    ) -> None:
        """Take a tensor of `shape` (rows first) whose bytes `blocks` gives in order."""
        row = row_bytes(shape[-1], kind)
        match kind:
            case Kind.F32:
                self.dtype, self.shape = np.dtype(np.float32), shape
            case Kind.F16:
                self.dtype, self.shape = np.dtype(np.float16), shape
            case _:
                self.dtype, self.shape = np.dtype(np.uint8), (*shape[:-1], row)
        self.nbytes = prod(shape[:-1]) * row
        self._blocks = blocks

    def tofile(self, out: BufferedWriter) -> None:
        """Write the bytes to `out`."""
        written = 0
        for block in self._blocks():
            out.write(block.data)
            written += block.nbytes
        assert written == self.nbytes, f"{written} bytes written, not {self.nbytes}"


@contextmanager
def new_gguf(
    file: Path,
    architecture: str,
    *,
    force: bool = True,
    split: int = 0,
    watcher: Watcher = unwatched,
) -> Generator[GGUFWriter]:
    """A writer whose file appears as `file` when all of it is on the disk.

    What stood there before stays until then; nothing is left of a broken-off write.

    Args:
        file: the GGUF; where it is a link, what that leads to is written.
        architecture: its `general.architecture`.
        force: whether a file that is there may be replaced.
        split: the most bytes of tensors in one file; more become NAME-00001-of-N.gguf.
            0: all in one.
        watcher: is told the bytes that are written.

    Raises:
        ConvertError: it is there, or cannot be written.
    """
    try:
        file = file if split else end_of_links(file)
    except OSError as error:
        raise _cannot_write(file, error) from error
    refuse_target(file, force=force)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(folder_beside(file))
        except OSError as error:
            raise _cannot_write(file, error) from error
        writer = GGUFWriter(folder / file.name, architecture, split_max_size=split)
        stack.callback(writer.close)
        yield writer
        _finish(writer, folder, file, force=force, watcher=watcher)


def _finish(
    writer: GGUFWriter, folder: Path, file: Path, *, force: bool, watcher: Watcher
) -> None:
    """Write all of it in `folder`, to the disk, and give it its name."""
    if writer.split_max_size and len(writer.tensors) == 1:
        writer.split_max_size = 0  # all of it fits in one file
    names = [path.name for path in writer.format_shard_names(file)]
    parts = _parts(file) if len(names) > 1 else []
    for part in parts:
        refuse_target(part, force=force)
    _refuse_full(file, writer)
    try:
        _write(writer, f"writing {file.name}", watcher)
        # The first last: who opens a model that is split opens its first file.
        for name in reversed(names):
            give_name(folder / name, file.with_name(name))
        for part in parts:
            if part.name not in names:  # of another split, and now of no model
                part.unlink()
    except OSError as error:
        raise _cannot_write(file, error) from error


def refuse_target(file: Path, *, force: bool) -> None:
    """Check that `file` can be written.

    Raises:
        ConvertError: it is a folder, or is there and may not be replaced.
    """
    if file.is_dir():
        raise ConvertError(f"{file} is a folder; name a file in it")
    if file.exists() and not file.is_file():
        raise ConvertError(f"{file} is no file and is not replaced; name another")
    if not force and file.exists():
        raise ConvertError(
            f"{file} is there already; name another, or replace it with --force"
        )


def add_tensor(
    writer: GGUFWriter, name: str, tensor: Array, quantization: Quantization
) -> None:
    """Add the float32 `tensor` as `quantization`; see `kind_of`."""
    kind = kind_of(name, tensor.shape, quantization)
    add_late(
        writer,
        name,
        LateTensor(tensor.shape, kind, lambda: [encode(tensor, "F32", kind)]),
        kind,
    )


def add_late(writer: GGUFWriter, name: str, tensor: LateTensor, kind: Kind) -> None:
    """Add a tensor that is computed when it is written."""
    writer.add_tensor(name, cast("npt.NDArray[Any]", tensor), raw_dtype=kind)


def kind_of(name: str, shape: tuple[int, ...], quantization: Quantization) -> Kind:
    """The type of tensor `name` in a file of `quantization`, as in llama.cpp.

    Vectors, biases, norms, routers, convolutions and positions stay float32. A matrix
    whose rows are no whole number of blocks becomes F16 in the place of Q8_0.
    """
    if (
        len(shape) < 2
        or name.endswith(_FLOAT32)
        or not name.endswith((".weight", ".lora_a", ".lora_b"))
    ):
        return GGMLQuantizationType.F32
    if quantization == "q8_0" and shape[-1] % Q8_BLOCK:
        return GGMLQuantizationType.F16
    return TYPES[quantization][0]


def _parts(file: Path) -> list[Path]:
    """The parts that stand there of a model that was split."""
    shape = re.compile(re.escape(file.stem) + r"-\d{5}-of-\d{5}\.gguf")
    return [path for path in file.parent.iterdir() if shape.fullmatch(path.name)]


def _write(writer: GGUFWriter, what: str, watcher: Watcher) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    assert writer.fout is not None
    total = _tensor_bytes(writer)
    done = 0
    watcher(what, 0, total)
    for out, tensors in zip(writer.fout, writer.tensors, strict=True):
        writer.write_padding(out, out.tell())
        for info in tensors.values():
            assert info.tensor is not None
            info.tensor.tofile(out)
            writer.write_padding(out, info.nbytes)
            info.tensor = None
            done += info.nbytes
            watcher(what, done, total)
    writer.close()


def _tensor_bytes(writer: GGUFWriter) -> int:
    return sum(info.nbytes for tensors in writer.tensors for info in tensors.values())


def _refuse_full(file: Path, writer: GGUFWriter) -> None:
    """Say that the disk is full before hours of writing, not after."""
    needed = _tensor_bytes(writer) + HEADER
    free = shutil.disk_usage(file.parent).free
    if needed > free:
        raise ConvertError(
            f"{file} would take {size(needed)}, and {size(free)} are free "
            "there; make room, or name another place"
        )


def _cannot_write(file: Path, error: OSError) -> ConvertError:
    return ConvertError(
        f"{file} cannot be written: {error.strerror or error}; nothing was left there. "
        "Make room or name another place"
    )
