"""A Hugging Face model as a GGUF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gguf import GGML_QUANT_VERSION

from convert.architectures import Architecture, architecture_of
from convert.errors import ConvertError
from convert.gguf_file import TYPES, Quantization, add_tensor, new_gguf
from convert.hf_folder import JsonFile, read_tensors, weight_files
from convert.vocabulary import read_vocabulary


@dataclass(frozen=True)
class About:
    """What a GGUF says about itself."""

    name: str
    description: str | None = None
    licence: str | None = None
    """SPDX, in small letters, as model hubs write it: cc-by-4.0."""


def convert_model(
    folder: Path, file: Path, about: About, quantization: Quantization = "f16"
) -> Path:
    """Convert the model in `folder`, as transformers saves it, to `file`.

    Raises:
        ConvertError: the model is not one that can be written exactly.
    """
    config = JsonFile.read(folder / "config.json")
    architecture = architecture_of(config)
    vocabulary = read_vocabulary(folder, config.integer("vocab_size"))
    with new_gguf(file, architecture.gguf_name) as writer:
        writer.add_type("model")
        writer.add_name(about.name)
        if about.description:
            writer.add_description(about.description)
        if about.licence:
            writer.add_license(about.licence)
        writer.add_file_type(TYPES[quantization][1])
        writer.add_quantization_version(GGML_QUANT_VERSION)
        architecture.write_settings(writer)
        vocabulary.write(writer)
        written: set[str] = set()
        for name, tensor in read_tensors(weight_files(folder)):
            if (gguf_name := architecture.tensor_name(name)) is not None:
                tensor = architecture.reorder_rows(name, tensor)
                add_tensor(writer, gguf_name, tensor, quantization)
                written.add(gguf_name)
        _check_whole(folder, architecture, written)
    return file


def _check_whole(folder: Path, architecture: Architecture, written: set[str]) -> None:
    if missing := sorted(architecture.all_tensors() - written):
        raise ConvertError(
            f"{folder}: the weights lack {len(missing)} tensors that config.json asks "
            f"for, {missing[0]} among them; the download or save is not whole"
        )
