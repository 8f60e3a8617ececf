"""The header of a GGUF file, read and checked before llama.cpp opens the file.

llama.cpp trusts what it parses further than a file from outside deserves: a length out
of range can end the process. `header_reader` reads the bytes with bounds; here stands
what they mean, and whether the file is one to be answered with.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medassist.core.errors import ModelFileError
from medassist.core.files import NotAFileError, open_file
from medassist.core.gguf_kinds import SHARD, OtherKind, kind_by_header, wrong_file
from medassist.core.gguf_name import model_name
from medassist.core.gguf_reader import HeaderReader, Metadata

MOST_LAYERS = 100_000


@dataclass(frozen=True)
class GgufHeader:
    """The metadata of a GGUF file, and whether the file is complete."""

    path: Path
    metadata: Metadata
    """Keys and values; arrays of text, and numbers beyond 1,024, are left out."""
    tensors: int
    parameters: int
    quantization: str
    types: Mapping[str, int] = field(default_factory=dict[str, int])
    """Weights by the type that they really have: {"Q4_K": 1000, "F32": 10}."""
    eights: Mapping[str, int] = field(default_factory=dict[str, int])
    """Bytes by type of the matrices that have a multiple of eight rows."""

    def text(self, key: str) -> str | None:
        """The value of `key` where it is a text."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def number(self, key: str) -> int | None:
        """The value of `key` where it is a whole number."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) else None

    def model_number(self, key: str) -> int:
        """The value of `key` of the model's architecture; 0 where there is none."""
        return max(0, self.number(f"{self.architecture}.{key}") or 0)

    def of_layers(self, key: str) -> list[int]:
        """A value of the model's architecture for each layer; empty if there is none.

        A file may say one for all.
        """
        value = self.metadata.get(f"{self.architecture}.{key}")
        if isinstance(value, tuple):
            return [v for v in value if isinstance(v, int) and v >= 0]
        if not isinstance(value, int) or value < 0:
            return []
        return [value] * self.layers

    @property
    def layers(self) -> int:
        """Layers of the model, as many as one may have."""
        return min(self.model_number("block_count"), MOST_LAYERS)

    @property
    def architecture(self) -> str:
        return self.text("general.architecture") or "unknown"

    @property
    def name(self) -> str:
        """The model's own name, or the file's where that says more."""
        return model_name(self.text("general.name"), self.path)

    @property
    def is_adapter(self) -> bool:
        return self.text("general.type") == "adapter"

    @property
    def other_kind(self) -> OtherKind | None:
        """Kind of a file that is no model to be answered with; else `None`."""
        return kind_by_header(self.metadata, self.tensors, self.path.name)

    @property
    def context_length(self) -> int | None:
        """Tokens that the model was trained to hold."""
        return self.number(f"{self.architecture}.context_length")

    @property
    def chat_template(self) -> str | None:
        return self.text("tokenizer.chat_template")

    @property
    def invocation_tokens(self) -> tuple[int, ...]:
        """The token ids that switch an activated LoRA on; empty for a plain one."""
        value = self.metadata.get("adapter.alora.invocation_tokens", ())
        tokens = value if isinstance(value, tuple) else ()
        return tuple(t for t in tokens if isinstance(t, int))


def shards(path: Path) -> tuple[Path, ...]:
    """The files of the model that `path` belongs to: itself, or all of a split one."""
    found = SHARD.search(path.name)
    if found is None:
        return (path,)
    count = int(found[2])
    start = path.name[: found.start()]
    return tuple(
        path.with_name(f"{start}-{number:05}-of-{count:05}.gguf")
        for number in range(1, count + 1)
    )


def read_header(path: Path, keep: Collection[str] = ()) -> GgufHeader:
    """Read the header of `path` and hold the tensors that it lists against its size.

    Args:
        path: the file.
        keep: keys of long arrays, or of arrays of text, that are wanted all the same.

    Raises:
        ModelFileError: there is no such file, it is no GGUF, or it is not whole.
    """
    try:
        with open_file(path) as file:
            found = HeaderReader(file, path, keep).contents()
    except FileNotFoundError:
        raise ModelFileError(
            f"{path}: there is no such file. Check the path; a model is a file "
            "that ends in .gguf.",
            path,
        ) from None
    except NotAFileError as error:
        advice = "give a file that ends in .gguf"
        if path.is_dir():
            advice = "give the .gguf file in it"
        raise wrong_file(path, error.what, advice) from None
    except OSError as error:
        raise ModelFileError(
            f"{path}: cannot be read ({error.strerror}). Check its permissions.", path
        ) from error
    return GgufHeader(
        path,
        found.metadata,
        found.tensors,
        found.parameters,
        found.quantization,
        found.types,
        found.eights,
    )


def require_model(path: Path) -> GgufHeader:
    """The header of a file that must hold a whole model, to be answered with.

    Raises:
        ModelFileError: it is an adapter, one of the many other things that a GGUF can
            hold, or a part of a model whose other parts are not beside it.
    """
    header = read_header(path)
    if header.other_kind is not None:
        raise header.other_kind.error(path)
    for part in shards(path):
        if part != path:
            require_part(part, path)
    return header


def require_part(part: Path, first: Path) -> None:
    """Make sure that `part` of the split model whose first file is `first` is there.

    Raises:
        ModelFileError: it is not, or it is no whole GGUF.
    """
    if not part.exists():
        raise ModelFileError(
            f"{first} is one of {len(shards(first))} files of a model, and {part.name} "
            "is not beside it. Copy or download it too.",
            first,
        )
    read_header(part)


def require_adapter(path: Path, base: GgufHeader) -> GgufHeader:
    """The header of a file that must hold a LoRA for the model `base`.

    Raises:
        ModelFileError: it is something else, or an adapter for another architecture.
    """
    header = read_header(path)
    if not header.is_adapter:
        kind = header.other_kind
        raise ModelFileError(
            f"{path}: expected an adapter (LoRA) in GGUF, found "
            + (
                f"{kind.found}. Give the adapter's own file."
                if kind
                else f"a {header.architecture} model. Give a merged model as the tuned "
                "model, not as an adapter."
            ),
            path,
        )
    if header.architecture != base.architecture:
        raise ModelFileError(
            f"{path}: this adapter was made for a {header.architecture} model, and "
            f"{base.path.name} is a {base.architecture} model. Give the base that "
            "it was trained on.",
            path,
        )
    return header
