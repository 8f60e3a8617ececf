"""Quantizes a GGUF with llama.cpp's quantizer, in a child process.

The quantizer is native code that reads a file from outside: it may abort, and then
the child ends and not the program. The child has no network and writes one file.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from gguf import GGMLQuantizationType
from pydantic import BaseModel, ConfigDict

from convert.errors import ConvertError
from convert.gguf.contents import SHARD, GgufFacts, read_model
from convert.gguf.file import refuse_target
from convert.imatrix import read_imatrix
from convert.out_name import out_file
from convert.quantization_types import QuantizationType, quantization_types
from convert.quantize_wire import REPLIES, QuantizeJob, Tensor
from convert.unfinished import folder_beside
from medassist.core.files import SHARED_FILE, end_of_links, give_name
from medassist.core.processor import physical_cores
from medassist.core.progress import Watcher, unwatched
from medassist.engine.child import Child, ChildEnded

DEFAULT_MEMORY = 1 << 30
LEAST_MEMORY = 1 << 20
FULL = 16 << 20  # bytes left on a disk that counts as full
CHILD = "convert.quantize_child"
PLAIN_TYPE = re.compile(r"[-._](?:f32|f16|bf16)$", re.IGNORECASE)


class Quantized(BaseModel):
    """One quantized file.

    Attributes:
        fallbacks: tensors whose rows do not divide into the type's blocks, and which
            took a larger type instead.
    """

    model_config = ConfigDict(frozen=True)

    file: Path
    type: str
    bytes: int
    original_bytes: int
    fallbacks: int
    seconds: float


class QuantizedFiles(BaseModel):
    """All files that one call wrote."""

    model_config = ConfigDict(frozen=True)

    files: tuple[Quantized, ...]


def quantize(
    model: Path,
    out: Path,
    types: Sequence[str],
    *,
    imatrix: Path | None = None,
    most_memory: int = DEFAULT_MEMORY,
    allow_requantize: bool = False,
    threads: int | None = None,
    force: bool = False,
    watcher: Watcher = unwatched,
) -> QuantizedFiles:
    """Quantize the GGUF `model` to each of `types`.

    Args:
        model: F32, F16 or BF16; the first file of a split one.
        out: a file; or, for several types, a folder or a name with `{type}` in it.
        types: as `quantization_types.read_types` gives them.
        imatrix: an importance matrix of this model, in GGUF.
        most_memory: bytes of weights that are held at once.
        allow_requantize: take a quantized model too, and lose twice.
        threads: that compute; by default one for each core.
        force: overwrite.
        watcher: is told the tensors that are done.

    Raises:
        ConvertError: it cannot be done; what was there before is there still.
    """
    facts = read_model(model)
    table = quantization_types()
    targets = {name: _target(model, out, name, types) for name in types}
    _check_whole_request(facts, targets, imatrix, allow_requantize, force)
    if most_memory < LEAST_MEMORY:
        raise ConvertError(f"{most_memory:,} bytes of memory are too few; give 1M")
    return QuantizedFiles(
        files=tuple(
            _one(
                facts,
                target,
                name,
                table[name],
                imatrix=imatrix,
                most_memory=most_memory,
                allow_requantize=allow_requantize,
                threads=threads or physical_cores(),
                watcher=watcher,
            )
            for name, target in targets.items()
        )
    )


def requantize(
    model: Path,
    out: Path,
    name: str,
    kinds: Mapping[str, GGMLQuantizationType],
    *,
    threads: int | None = None,
    force: bool = False,
    watcher: Watcher = unwatched,
) -> Quantized:
    """Write `model` with each tensor in the type that `kinds` names.

    A tensor that has its type already is copied byte for byte.

    Args:
        model: a GGUF whose tensors of other types are F32, F16 or BF16.
        out: the file.
        name: the type that the file calls itself, of those that llama.cpp makes.
        kinds: of all tensors, by name.
        threads: that compute; by default one for each core.
        force: overwrite.
        watcher: is told the tensors that are done.

    Raises:
        ConvertError: it cannot be done; what was there before is there still.
    """
    refuse_target(out, force=force)
    return _one(
        read_model(model),
        out,
        name,
        quantization_types()[name],
        kinds={tensor: int(kind) for tensor, kind in kinds.items()},
        threads=threads or physical_cores(),
        watcher=watcher,
    )


def read_bytes(text: str) -> int:
    """Parse a number of bytes such as 512M or 2G.

    Raises:
        ConvertError: it is none.
    """
    found = re.fullmatch(
        r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE
    )
    if not found:
        raise ConvertError(f"{text!r} is no size; examples: 512M, 2G")
    return int(float(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " "))


def _target(model: Path, out: Path, name: str, types: Sequence[str]) -> Path:
    is_folder = out.is_dir() or (len(types) > 1 and out.suffix != ".gguf")
    stem = PLAIN_TYPE.sub("", SHARD.sub("", model.name).removesuffix(".gguf"))
    return out_file(out, stem, name, types, is_folder=is_folder)


def _check_whole_request(
    facts: GgufFacts,
    targets: dict[str, Path],
    imatrix: Path | None,
    allow_requantize: bool,
    force: bool,
) -> None:
    """Find what would fail at the third type before the first one is made."""
    model = facts.file
    if facts.quantized and not allow_requantize:
        raise ConvertError(
            f"{model} is quantized already ({', '.join(sorted(facts.quantized))}), "
            "and quantizing it again loses twice; give the F16 or BF16 file, or say "
            "--allow-requantize"
        )
    table = quantization_types()
    needing = [name for name in targets if table[name].needs_imatrix]
    if needing and imatrix is None:
        raise ConvertError(
            f"{', '.join(needing)}: so few bits need to be told which weights matter; "
            "give an importance matrix of this model (llama-imatrix makes one) with "
            "--imatrix"
        )
    if imatrix is not None:
        known = read_imatrix(imatrix).importance
        if not known.keys() & {tensor.name for tensor in facts.tensors}:
            raise ConvertError(
                f"{imatrix} names no weight of {model}: it is of another model"
            )
    originals = {file.resolve() for file in facts.files}
    for target in targets.values():
        if target.resolve() in originals:
            raise ConvertError(f"{target} is the model itself; give another name")
        if target.is_dir():
            raise ConvertError(f"{target} is a folder, and a file is to be written")
        if target.exists() and not force:
            raise ConvertError(f"{target} is there already; --force overwrites it")


def _one(
    facts: GgufFacts,
    target: Path,
    name: str,
    kind: QuantizationType,
    *,
    imatrix: Path | None = None,
    most_memory: int = DEFAULT_MEMORY,
    allow_requantize: bool = False,
    kinds: dict[str, int] | None = None,
    threads: int,
    watcher: Watcher,
) -> Quantized:
    begun = time.monotonic()
    try:
        target = end_of_links(target)
        with folder_beside(target) as folder:
            half = folder / target.name
            half.touch(SHARED_FILE)  # the child may write to it, and make no file
            job = QuantizeJob(
                files=tuple(file.resolve() for file in facts.files),
                target=half.resolve(),
                ftype=kind.ftype,
                imatrix=imatrix.resolve() if imatrix else None,
                allow_requantize=allow_requantize,
                most_memory=most_memory,
                threads=threads,
                kinds=kinds or {},
            )
            fallbacks = _run(job, facts.file, target, name, watcher)
            give_name(half, target)
    except OSError as error:
        raise ConvertError(
            f"{target} cannot be written: {error.strerror or error}; choose another "
            "folder"
        ) from error
    return Quantized(
        file=target,
        type=name,
        bytes=target.stat().st_size,
        original_bytes=facts.bytes,
        fallbacks=fallbacks,
        seconds=round(time.monotonic() - begun, 3),
    )


def _run(
    job: QuantizeJob, model: Path, target: Path, name: str, watcher: Watcher
) -> int:
    """Run the child; returns how many tensors took another type."""
    what = f"Quantizing to {name}"
    try:
        with Child(CHILD, REPLIES) as child:
            child.send(job)
            while isinstance(told := child.receive(), Tensor):
                watcher(what, told.number, told.total)
    except ChildEnded as ended:
        raise ConvertError(_why(ended, model, target, name)) from None
    return told.fallbacks


def _why(ended: ChildEnded, model: Path, target: Path, name: str) -> str:
    """Why the quantizer failed, and what to do."""
    code, words = ended.code, ended.words
    said = "\n".join(words.lines)
    reason = next(
        (
            word.split("failed to quantize:")[1].strip()
            for word in reversed(words.lines)
            if "failed to quantize:" in word
        ),
        words.why if code < 0 else "",
    )[:200]
    start = f"{model} could not be quantized to {name}"
    if ended.broken:
        return f"{start}: {ended.broken}; {ended.to_do}"
    if "imatrix" in reason or "importance matrix" in reason:
        return (
            f"{start}: {reason}; give an importance matrix of this model with --imatrix"
        )
    if "iostream" in said or "No space" in said or _full(target):
        return (
            f"{start}: {target.parent} took no more; free space on that disk or choose "
            "another folder"
        )
    if code == -9:
        return (
            f"{start}: the quantizer was killed, most likely because memory ran out; "
            "give --max-memory 256M"
        )
    if code < 0:
        return (
            f"{start}: llama.cpp gave up ({reason or f'signal {-code}'}); the file is "
            "most likely damaged: convert it again"
        )
    return f"{start}: {reason or words.why or f'code {code}'}"


def _full(target: Path) -> bool:
    return shutil.disk_usage(target.parent).free < FULL
