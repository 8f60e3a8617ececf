"""Merges a LoRA in GGUF into its base in GGUF, as `ADAPTER` of a Modelfile did.

Weights are decoded, changed in float32 and written in a type of their own. What a
quantized weight has lost is lost, and nothing is lost again as long as none is
quantized anew: a step of four bits is wider than most changes of a LoRA.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_VERSION, GGUFWriter, Keys, LlamaFileType
from pydantic import BaseModel, ConfigDict

from convert.encode import Kind, NotFiniteError, encode
from convert.errors import ConvertError
from convert.gguf.contents import FLOATS, GgufFacts, read_model
from convert.gguf.file import TYPES, LateTensor, add_late, kind_of, new_gguf
from convert.gguf.head import read_head
from convert.gguf.lora import GgufLora, WeightChange, read_lora
from convert.gguf.tensors import StoredTensor, stored_tensors
from convert.quantization_types import quantization_types
from convert.quantize import requantize
from convert.unfinished import folder_beside
from medassist.core.card import Sha256
from medassist.core.files import sha256_of_file
from medassist.core.progress import Watcher, unwatched

MergeType = Literal["f32", "f16", "bf16", "q8_0", "base"]
BLOCK = 1 << 20
"""Values that are decoded at a time."""
_WRITTEN = {kind for kind, _ in TYPES.values()}
"""Types that are written here; others are llama.cpp's quantizer's."""
_TEMPLATE = Keys.Tokenizer.CHAT_TEMPLATE
# The writer's own, and what is true of the base's files alone.
_LEFT_OUT = (Keys.General.ARCHITECTURE, Keys.General.ALIGNMENT, "split.")
_OF_QUANTIZING = "quantize."


class MergedGguf(BaseModel):
    """Result of merging two GGUFs.

    Attributes:
        types: of the weights that were changed.
        changed: weights that are not the base's.
        verified: whether it is proven against base and adapter; `None` before that.
        notes: what the user should know of this merge.
    """

    model_config = ConfigDict(frozen=True)

    file: Path
    bytes: int
    sha256: Sha256
    base: str
    adapter: str
    tensors: int
    changed: int
    types: tuple[str, ...]
    verified: bool | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sources:
    """A base and a plain LoRA that fits it."""

    base: GgufFacts
    adapter: GgufLora

    @classmethod
    def read(cls, base: Path, adapter: Path) -> Sources:
        """Read the heads of both.

        Raises:
            ConvertError: one is not what it is to be, or they do not fit.
        """
        if adapter.suffix == ".gguf" and base.is_dir():
            raise ConvertError(
                f"{adapter} is a GGUF, and {base} a folder; give the base's GGUF, or "
                "the folder of the PEFT adapter"
            )
        facts = read_model(base)
        return cls(facts, read_lora(adapter, facts))

    @property
    def template(self) -> str | None:
        """The chat template: the adapter's own, if it has one."""
        return self.adapter.facts.template or self.base.template

    @property
    def name(self) -> str:
        """Name of the merged model."""
        given = (
            facts.values.get(Keys.General.NAME)
            for facts in (self.base, self.adapter.facts)
        )
        files = (self.base.file.stem, self.adapter.facts.file.stem)
        return " + ".join(str(n or f) for n, f in zip(given, files, strict=True))

    @property
    def licence(self) -> str | None:
        """Licence of the merged weights, from both sources."""
        found = (
            facts.values.get(Keys.General.LICENSE)
            for facts in (self.base, self.adapter.facts)
        )
        return " AND ".join(dict.fromkeys(str(one) for one in found if one)) or None


def merge_gguf(
    base: Path,
    adapter: Path,
    out: Path,
    *,
    outtype: MergeType | None = None,
    force: bool = False,
    threads: int | None = None,
    watcher: Watcher = unwatched,
) -> MergedGguf:
    """Merge the LoRA in `adapter` into the model in `base`, as `out`.

    Memory is bounded by a block of rows of one tensor, beside its A and B.

    Args:
        base: the model; the first file of a split one.
        adapter: a plain LoRA of it.
        out: the file to make; it appears when all of it is on the disk.
        outtype: of all matrices; `base`: each in the base's own, and those that are
            not changed byte for byte. By default quantized ones become F16, and others
            keep their type.
        force: replace a file that is there.
        threads: for llama.cpp's quantizer, where it is needed.
        watcher: is told how far it is.

    Raises:
        ConvertError: they cannot be merged, or `out` cannot be written.
    """
    sources = Sources.read(base, adapter)
    _check_target(out, (*sources.base.files, adapter))
    stored = stored_tensors(base)
    kinds = {name: _kind(name, tensor, outtype) for name, tensor in stored.items()}
    loras = sources.adapter.loras
    _require_decodable(sources, stored, kinds)
    if all(kinds[name] in _WRITTEN for name in loras):
        write_model(sources, out, kinds, force=force, watcher=watcher)
    else:
        _require_quantizable(sources.base)
        whole = {
            name: Kind.F32 if name in loras and kind not in _WRITTEN else kind
            for name, kind in kinds.items()
        }
        with folder_beside(out) as folder:
            half = folder / f"whole-{out.name}"
            write_model(sources, half, whole, force=True, watcher=watcher)
            requantize(
                half,
                out,
                sources.base.quantization,
                kinds,
                threads=threads,
                force=force,
                watcher=watcher,
            )
    return MergedGguf(
        file=out,
        bytes=out.stat().st_size,
        sha256=sha256_of_file(out),
        base=base.name,
        adapter=adapter.name,
        tensors=len(stored),
        changed=len(loras),
        types=tuple(sorted({kinds[name].name for name in loras})),
        notes=_notes(sources, kinds),
    )


def write_model(
    sources: Sources,
    out: Path,
    kinds: Mapping[str, Kind],
    *,
    change: bool = True,
    force: bool,
    watcher: Watcher,
) -> None:
    """Write the base with its weights as `kinds`.

    Args:
        sources: base and adapter.
        out: the file.
        kinds: of all tensors, by name; one that stays as it is is copied.
        change: whether the adapter's changes are added.
        force: replace a file that is there.
        watcher: is told how far it is.

    Raises:
        ConvertError: a number does not fit its type, or `out` cannot be written.
    """
    base = sources.base
    with new_gguf(out, base.architecture, force=force, watcher=watcher) as writer:
        for name, tensor in stored_tensors(base.file).items():
            kind = kinds[name]
            lora = sources.adapter.loras.get(name) if change else None
            if lora is None and kind is tensor.fact.kind:
                add_late(writer, name, _kept(tensor), kind)
            else:
                add_late(writer, name, _decoded(tensor, lora, kind, out), kind)
        _take_over(writer, base, values_of(sources, kinds))


def values_of(sources: Sources, kinds: Mapping[str, Kind]) -> dict[str, object]:
    """Metadata of the merged file that differ from its base's; `None`: removed."""
    quantized = any(kind.name not in FLOATS for kind in kinds.values())
    head = read_head(sources.base.file)
    said: dict[str, object] = {
        Keys.General.NAME: sources.name,
        Keys.General.FILE_TYPE: int(_file_type(sources.base, kinds)),
        Keys.General.QUANTIZATION_VERSION: GGML_QUANT_VERSION,
    }
    if (licence := sources.licence) is not None:
        said[Keys.General.LICENSE] = licence
    if (template := sources.adapter.facts.template) is not None:
        said[_TEMPLATE] = template
    left_out = _LEFT_OUT if quantized else (*_LEFT_OUT, _OF_QUANTIZING)
    return {**dict.fromkeys(k for k in head.values if k.startswith(left_out)), **said}


def _take_over(writer: GGUFWriter, base: GgufFacts, said: Mapping[str, object]) -> None:
    """Write what the base says of itself, with what is said otherwise in its place."""
    head = read_head(base.file)
    for key, entry in head.entries.items():
        value = said.get(key, head.values[key])
        if value is None or value == []:  # the library writes no empty list
            continue
        writer.add_key_value(key, value, entry.kind, entry.inner)
    add = {
        Keys.General.NAME: writer.add_name,
        Keys.General.FILE_TYPE: writer.add_file_type,
        Keys.General.QUANTIZATION_VERSION: writer.add_quantization_version,
        Keys.General.LICENSE: writer.add_license,
        _TEMPLATE: writer.add_chat_template,
    }
    for key, value in said.items():
        if key not in head.values and value is not None:
            add[key](value)  # pyright: ignore[reportArgumentType]


def _kept(tensor: StoredTensor) -> LateTensor:
    def blocks() -> Iterator[npt.NDArray[np.uint8]]:
        raw = tensor.raw().reshape(-1)
        for start in range(0, len(raw), BLOCK):
            yield raw[start : start + BLOCK]

    return LateTensor(tensor.shape or (1,), tensor.fact.kind, blocks)


def _decoded(
    tensor: StoredTensor, lora: WeightChange | None, kind: Kind, out: Path
) -> LateTensor:
    """A weight in a type of its own, with what `lora` adds to it."""
    step = max(1, BLOCK // max(1, tensor.fact.shape[0]))

    def blocks() -> Iterator[npt.NDArray[np.uint8]]:
        matrices = lora.matrices() if lora else None
        for start in range(0, tensor.rows, step):
            some = slice(start, start + step)
            values = tensor.floats(some)
            if matrices is not None:
                values = values + matrices[0][some] @ matrices[1]
            try:
                yield encode(values, "F32", kind)
            except NotFiniteError as error:
                name = tensor.fact.name
                raise ConvertError(
                    f"{out}: the merged {name} would hold {error}, which no "
                    f"{kind.name} can; the base or the adapter is damaged, or "
                    "--outtype f32 is needed"
                ) from None

    return LateTensor(tensor.shape, kind, blocks)


def _kind(name: str, tensor: StoredTensor, outtype: MergeType | None) -> Kind:
    own = tensor.fact.kind
    if len(tensor.shape) < 2 or outtype == "base":
        return own
    if outtype is None:
        return own if own.name in FLOATS else Kind.F16
    return kind_of(name, tensor.shape, outtype)


def _file_type(base: GgufFacts, kinds: Mapping[str, Kind]) -> LlamaFileType:
    """File type of a merged file whose changed weights are of `kinds`."""
    own = {tensor.name: tensor.kind for tensor in base.tensors}
    named = base.values.get(Keys.General.FILE_TYPE)
    if all(own[name] is kind for name, kind in kinds.items()) and named is not None:
        return LlamaFileType(named)
    sizes = {tensor.name: np.prod(tensor.shape) for tensor in base.tensors}
    most = max(
        set(kinds.values()),
        key=lambda k: sum(sizes[name] for name, kind in kinds.items() if kind is k),
    )
    return next(
        (f for kind, f in TYPES.values() if kind is most), LlamaFileType.GUESSED
    )


def _check_target(out: Path, sources: tuple[Path, ...]) -> None:
    if out.suffix != ".gguf" and not out.is_dir():
        raise ConvertError(f"{out}: the merged model is a GGUF; name it NAME.gguf")
    for source in sources:
        if out.resolve() == source.resolve():
            raise ConvertError(f"{out} is what is merged; give another name")


def _require_decodable(
    sources: Sources, stored: Mapping[str, StoredTensor], kinds: Mapping[str, Kind]
) -> None:
    """Find what only llama.cpp decodes before anything is written."""
    for name, tensor in stored.items():
        if name not in sources.adapter.loras and kinds[name] is tensor.fact.kind:
            continue
        try:
            tensor.floats(slice(0, 1))
        except NotImplementedError:
            raise ConvertError(
                f"{sources.base.file}: {name} is {tensor.fact.type}, which only "
                "llama.cpp decodes; take a base in another type"
            ) from None


def _require_quantizable(base: GgufFacts) -> None:
    known = quantization_types().get(base.quantization)
    if known is None or known.needs_imatrix:
        why = (
            f"is {base.quantization}, which is made with an importance matrix"
            if known
            else f"is of a type ({base.quantization}) that llama.cpp does not make"
        )
        raise ConvertError(
            f"{base.file} {why}: the changed weights cannot be written in it; leave "
            "out --outtype base"
        )


def _notes(sources: Sources, kinds: Mapping[str, Kind]) -> tuple[str, ...]:
    notes: list[str] = []
    if sources.adapter.facts.template not in (None, sources.base.template):
        notes.append("the chat template is the adapter's own, in which it was taught")
    again = [n for n in sources.adapter.loras if kinds[n].name not in FLOATS]
    if again:
        notes.append(
            f"{len(again)} weights were quantized anew, and lost by it; by default "
            "they become F16"
        )
    return tuple(notes)


def read_merge_type(text: str | None) -> MergeType | None:
    """The type that `--outtype` names.

    Raises:
        ConvertError: it is none.
    """
    if text is None:
        return None
    for name in get_args(MergeType):
        if text.lower() == name:
            return name
    known = ", ".join(get_args(MergeType))
    raise ConvertError(f"{text!r} is no type of a merged GGUF; known are {known}")
