"""Converts a Hugging Face model to GGUF, tensor by tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_VERSION, GGUFWriter, LlamaFileType

from convert.architectures import Architecture, architecture_of
from convert.architectures.target import TensorTarget
from convert.architectures.text_tower import of_images
from convert.architectures.tied import OWN_HEAD
from convert.encode import Kind, NotFiniteError, encode
from convert.errors import ConvertError
from convert.foreign import Sight, of_tensors, refuse_form
from convert.gguf.file import (
    TYPES,
    LateTensor,
    Quantization,
    add_late,
    add_tensor,
    kind_of,
    new_gguf,
)
from convert.gguf.metadata import About as About
from convert.gguf.metadata import write_about
from convert.hf_folder import Weight, read_config, read_weights
from convert.mxfp4 import MXFP4
from convert.vocabulary import TokenizerVocabulary, read_vocabulary
from medassist.core.progress import Watcher, unwatched

HEAD_WRITTEN = (
    f"{OWN_HEAD}; it is written as output.weight, as transformers loads it. With "
    "`tie_word_embeddings` false other programs find it too"
)


@dataclass(frozen=True)
class ModelFolder:
    """A complete model folder; its tensors are not read yet."""

    folder: Path
    architecture: Architecture
    tensors: tuple[tuple[tuple[Weight, TensorTarget], ...], ...]
    """What each tensor of the GGUF is made of."""
    vocabulary: TokenizerVocabulary

    @classmethod
    def open(
        cls, folder: Path, pre: str | None = None, template: str | None = None
    ) -> ModelFolder:
        """Open the model in `folder`, as transformers saves it.

        Args:
            folder: config.json, safetensors, tokenizer.
            pre: llama.cpp's name for the pre-tokenizer; see `read_vocabulary`.
            template: the chat template in the place of the folder's.

        Raises:
            ConvertError: the model is not one that can be written exactly.
        """
        config = read_config(folder)
        stored = read_weights(folder)
        architecture = architecture_of(config).over(stored)
        weights: list[tuple[Weight, TensorTarget]] = []
        for weight in stored:
            for target in _targets(architecture, weight, stored):
                _check_shape(weight, target)
                weights.append((weight, target))
        written = [target.place for _, target in weights]
        if missing := sorted(architecture.all_places() - {*written}):
            refuse_form(_form_of(architecture, stored))
            raise ConvertError(
                f"{folder}: the weights lack {len(missing)} tensors that config.json "
                f"asks for, {missing[0][0]} among them; the download or save is not "
                "whole"
            )
        if twice := sorted(n for n, times in Counter(written).items() if times > 1):
            raise ConvertError(
                f"{folder}: two tensors would become {twice[0][0]}; the save is damaged"
            )
        weights.sort(key=lambda pair: pair[0].dtype != MXFP4)  # first, as upstream's
        vocabulary = read_vocabulary(
            folder, architecture.sizes.vocabulary, pre, template
        )
        return cls(folder, architecture, _by_tensor(weights), vocabulary)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user on this model in llama.cpp, as sentences."""
        return (*_notes(self.architecture), *self.vocabulary.notes)

    def write(
        self,
        file: Path,
        about: About,
        quantization: Quantization,
        *,
        force: bool,
        split: int = 0,
        watcher: Watcher = unwatched,
    ) -> tuple[Path, ...]:
        """Write the model to `file`; see `convert_model`.

        Returns:
            What was written: `file`, or the parts that it was split into.
        """
        name = self.architecture.gguf_name
        with new_gguf(file, name, force=force, split=split, watcher=watcher) as writer:
            for extra, values in self.architecture.extra.items():
                add_tensor(writer, extra, values, "f32")
            following = [parts[0][0] for parts in self.tensors[1:]] + [None]
            for parts, after in zip(self.tensors, following, strict=True):
                _add(writer, parts, quantization, after)
            write_about(writer, self.folder, about, self.vocabulary.model_name)
            writer.add_file_type(self._file_type(quantization))
            writer.add_quantization_version(GGML_QUANT_VERSION)
            self.architecture.write_settings(writer)
            self.vocabulary.write(writer)
        return tuple(writer.format_shard_names(file))

    def _file_type(self, quantization: Quantization) -> LlamaFileType:
        packed = any(w.dtype == MXFP4 for parts in self.tensors for w, _ in parts)
        if packed and quantization in ("f16", "bf16"):
            return LlamaFileType.MOSTLY_MXFP4_MOE
        return TYPES[quantization][1]


def convert_model(
    folder: Path,
    file: Path,
    about: About | None = None,
    quantization: Quantization = "f16",
    *,
    force: bool = False,
    split: int = 0,
    template: str | None = None,
    watcher: Watcher = unwatched,
) -> Path:
    """Convert the model in `folder`, as transformers saves it, to `file`.

    Args:
        folder: config.json, safetensors, tokenizer.
        file: the GGUF.
        about: what the GGUF says of itself in the place of what the folder says.
        quantization: of the matrices.
        force: whether a file that is there may be replaced.
        split: the most bytes of tensors in one file; 0: all in one.
        template: the chat template that the GGUF carries in the place of the folder's.
        watcher: is told how far it is.

    Returns:
        The file to open: `file`, or the first of the parts that it was split into.

    Raises:
        ConvertError: the model is not one that can be written exactly, or the file
            cannot be written.
    """
    model = ModelFolder.open(folder, template=template)
    about = about or About()
    return model.write(
        file, about, quantization, force=force, split=split, watcher=watcher
    )[0]


def notes_of(folder: Path) -> tuple[str, ...]:
    """Notes for the user on the model in `folder` in llama.cpp, as sentences.

    Raises:
        ConvertError: the model is not one that can be written exactly.
    """
    return _notes(architecture_of(read_config(folder)).over(read_weights(folder)))


def has_own_head(folder: Path) -> bool:
    """Whether config.json ties the output layer, and the files hold one that differs.

    Raises:
        ConvertError: the model is not one that can be written exactly.
    """
    return architecture_of(read_config(folder)).over(read_weights(folder)).head_found


def _notes(architecture: Architecture) -> tuple[str, ...]:
    found = (HEAD_WRITTEN,) if architecture.head_found else ()
    return (*architecture.notes, *found)


def _targets(
    architecture: Architecture, weight: Weight, stored: list[Weight]
) -> tuple[TensorTarget, ...]:
    try:
        return architecture.targets_of(weight.name)
    except ConvertError:
        refuse_form(_form_of(architecture, [weight]) or _form_of(architecture, stored))
        raise


def _form_of(architecture: Architecture, stored: list[Weight]) -> str | None:
    """What the names of weights say of who saved them."""
    told = (
        of_tensors(weight.source.file, [name], Sight.MODEL_TENSOR)
        for weight in stored
        if not (architecture.outer and of_images(weight.name))
        for name in (architecture.plain_name(weight.name),)
    )
    return next((said for said in told if said), None)


def _check_shape(weight: Weight, target: TensorTarget) -> None:
    if weight.shape != target.shape:
        raise ConvertError(
            f"{weight.source.file}: {weight.name} has the shape {weight.shape}, and "
            f"config.json makes it {target.shape}; weights and config.json are not of "
            "one model"
        )


def _by_tensor(
    weights: list[tuple[Weight, TensorTarget]],
) -> tuple[tuple[tuple[Weight, TensorTarget], ...], ...]:
    """The parts of each tensor, in its own order; it stands where its last one was."""
    found: dict[str, list[tuple[Weight, TensorTarget]]] = {}
    for weight, target in weights:
        parts = found.pop(target.name, [])
        parts.append((weight, target))
        found[target.name] = parts
    return tuple(
        tuple(sorted(parts, key=lambda part: part[1].place)) for parts in found.values()
    )


def _add(
    writer: GGUFWriter,
    parts: tuple[tuple[Weight, TensorTarget], ...],
    quantization: Quantization,
    after: Weight | None,
) -> None:
    """Add a tensor; while it is written, the disk reads what comes `after` it."""
    (weight, first), *_ = parts
    kind = kind_of(first.name, first.gguf_shape, quantization)
    if weight.dtype == MXFP4 and quantization != "f32":
        kind = Kind.MXFP4  # as they are: no number changes, and a tenth of the size

    def blocks() -> Iterator[npt.NDArray[np.uint8]]:
        if after is not None:
            after.expect()
        for weight, target in parts:
            for block in target.blocks(weight.parts()):
                try:
                    yield encode(
                        block,
                        weight.dtype,
                        kind,
                        target.add,
                        logarithm=target.logarithm,
                    )
                except NotFiniteError as error:
                    raise _not_finite(weight, kind, error) from None
            weight.source.forget()

    add_late(writer, first.name, LateTensor(first.gguf_shape, kind, blocks), kind)


def _not_finite(weight: Weight, kind: Kind, error: NotFiniteError) -> ConvertError:
    if error.args[0][0] == "N":
        advice = "the training or the save went wrong; take an earlier checkpoint"
    else:
        advice = f"{kind.name} cannot hold it; use --outtype bf16 or f32"
    return ConvertError(f"{weight.source.file}: {weight.name} holds {error}: {advice}")
