"""One file an architecture: its hyper-parameters and tensors in GGUF's terms."""

from __future__ import annotations

from typing import Protocol

from gguf import GGUFWriter

from convert.architectures.llama import Llama
from convert.errors import ConvertError
from convert.hf_folder import Array, JsonFile


class Architecture(Protocol):
    """What the converter must know of a kind of model."""

    @property
    def gguf_name(self) -> str:
        """As `general.architecture` has it."""
        ...

    def write_settings(self, writer: GGUFWriter) -> None:
        """Write the hyper-parameters."""
        ...

    def tensor_name(self, name: str) -> str | None:
        """The GGUF name of the tensor `name`; `None` for one that is left out.

        Raises:
            ConvertError: nobody knows what it is.
        """
        ...

    def all_tensors(self) -> set[str]:
        """The GGUF names of all the tensors that a whole model has."""
        ...

    def reorder_rows(self, name: str, rows: Array) -> Array:
        """`rows` of the weight `name` (or of a LoRA's B on it) as GGUF orders them."""
        ...


def architecture_of(config: JsonFile) -> Architecture:
    """The architecture that a model's config.json names.

    Raises:
        ConvertError: it is none that this converter knows.
    """
    names = config.values.get("architectures") or []
    match names:
        case ["LlamaForCausalLM"]:
            return Llama.read(config)
        case _:
            raise ConvertError(
                f"{config.file}: the architecture is {', '.join(names) or 'not named'};"
                " this converter knows LlamaForCausalLM"
            )
