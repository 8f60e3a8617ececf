"""Contents of a GGUF: metadata, tokens, tensors, parts. Nothing is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from gguf import LlamaFileType, TokenType

from convert.errors import ConvertError
from convert.gguf.head import TensorFact, read_head
from convert.safetensors_file import FLOATS
from medassist.core.end_tokens import END_KEYS

SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)")

SPECIAL = {int(TokenType.CONTROL), int(TokenType.USER_DEFINED), int(TokenType.UNKNOWN)}
SAMPLING = "general.sampling."


@dataclass(frozen=True)
class GgufFacts:
    """The header of a GGUF, or the headers of all parts of a split one."""

    file: Path
    """The first part."""
    values: dict[str, Any]
    """Of the first part, which has them all."""
    tensors: tuple[TensorFact, ...]
    """Of all parts."""
    files: tuple[Path, ...]
    """All parts."""

    @property
    def architecture(self) -> str:
        """Such as `llama`."""
        return str(self.values.get("general.architecture", "?"))

    @property
    def kind(self) -> str:
        """`model` or `adapter`."""
        return str(self.values.get("general.type", "model"))

    @property
    def quantization(self) -> str:
        """Quantization from the file type, such as `Q4_K_M`; `?` if none."""
        try:
            name = LlamaFileType(self.values.get("general.file_type")).name
        except ValueError:
            return "?"
        return name.removeprefix("MOSTLY_").removeprefix("ALL_")

    @property
    def quantized(self) -> frozenset[str]:
        """Types of the quantized tensors."""
        return frozenset(t.type for t in self.tensors if t.type not in FLOATS)

    @property
    def bytes(self) -> int:
        """Size of all parts."""
        return sum(part.stat().st_size for part in self.files)

    @property
    def template(self) -> str | None:
        """The chat template in the file."""
        found = self.values.get("tokenizer.chat_template")
        return found if isinstance(found, str) and found else None

    @property
    def bos(self) -> int | None:
        """The begin token."""
        return self._number("tokenizer.ggml.bos_token_id")

    @property
    def eos(self) -> int | None:
        """The end token."""
        return self._number("tokenizer.ggml.eos_token_id")

    @property
    def adds_bos(self) -> bool:
        """Whether llama.cpp puts the begin token before a text."""
        said = self.values.get("tokenizer.ggml.add_bos_token")
        # Where a file does not say so, llama.cpp goes by the kind of the vocabulary.
        old = self.values.get("tokenizer.ggml.model") == "llama"
        return old if said is None else bool(said)

    @property
    def context(self) -> int | None:
        """Context length that the model was trained for."""
        return self._number(f"{self.architecture}.context_length")

    @property
    def sampling(self) -> dict[str, Any]:
        """Recommended sampling in the file: 0.6, not 0.60000002."""
        return {
            key: float(str(np.float32(value))) if isinstance(value, float) else value
            for key, value in self.values.items()
            if key.startswith(SAMPLING)
        }

    @property
    def specials(self) -> tuple[str, ...]:
        """Texts of special tokens."""
        types = self._list("tokenizer.ggml.token_type")
        pairs = zip(self._list("tokenizer.ggml.tokens"), types, strict=False)
        return tuple(str(token) for token, kind in pairs if kind in SPECIAL)

    @property
    def ends(self) -> tuple[str, ...]:
        """Texts of the tokens that end an answer."""
        ids = [self._number(f"tokenizer.ggml.{key}") for key in END_KEYS]
        return tuple(dict.fromkeys(self.text(i) for i in ids if i is not None))

    def text(self, token: int | None) -> str:
        """The text of a token; empty for none."""
        tokens = self._list("tokenizer.ggml.tokens")
        return "" if token is None or token >= len(tokens) else str(tokens[token])

    def _number(self, key: str) -> int | None:
        value = self.values.get(key)
        return value if isinstance(value, int) and value >= 0 else None

    def _list(self, key: str) -> list[Any]:
        value = self.values.get(key)
        return value if isinstance(value, list) else []


def read_facts(file: Path) -> GgufFacts:
    """Read the header of `file`: a model, one part of it, or an adapter.

    Raises:
        ConvertError: it is missing or is no GGUF.
    """
    head = read_head(file)
    return GgufFacts(file, head.values, head.tensors, (file,))


def read_model(file: Path) -> GgufFacts:
    """Read the headers of the model in `file`, the first part if it is split.

    Raises:
        ConvertError: it is no whole model in GGUF.
    """
    files = shards_of(file)
    first, *others = [read_facts(part) for part in files]
    if first.kind == "adapter":
        raise ConvertError(
            f"{file} is an adapter, and a model is expected; adapters stay as they "
            "are, or are merged into their base before"
        )
    if first.kind == "imatrix":
        raise ConvertError(f"{file} is an importance matrix, and a model is expected")
    count = first.values.get("split.count", 1)
    if isinstance(count, int) and count > 1 and count != len(files):
        raise ConvertError(
            f"{file} is one of {count} parts of a split model; give its first part, "
            f"named NAME-00001-of-{count:05}.gguf, with the others beside it"
        )
    tensors = sum((part.tensors for part in others), first.tensors)
    if not tensors:
        raise ConvertError(f"{file} holds no weights, only a vocabulary")
    return replace(first, tensors=tensors, files=files)


def shards_of(file: Path) -> tuple[Path, ...]:
    """The files of the model: `file` itself, or all of a split one.

    Raises:
        ConvertError: it is not the first one, or another one is not there.
    """
    found = SHARD.search(file.name)
    if found is None:
        return (file,)
    count, start = int(found[2]), file.name[: found.start()]
    names = [f"{start}-{n:05}-of-{count:05}.gguf" for n in range(1, count + 1)]
    files = tuple(file.with_name(name) for name in names)
    if not files or file != files[0]:
        whole = files[0] if files else "a whole file"
        raise ConvertError(
            f"{file} is a later part of a split model; give its first part, {whole}"
        )
    if missing := [part for part in files if not part.is_file()]:
        raise ConvertError(
            f"{file} is one of {count} parts of a model, and {missing[0]} is not "
            "there; all have to lie beside it"
        )
    return files


def same_number(a: object, b: object) -> bool:
    """Whether two numbers are equal in float32."""
    if isinstance(a, float) or isinstance(b, float):
        return (
            isinstance(a, int | float)
            and isinstance(b, int | float)
            and (np.float32(a) == np.float32(b))
        )
    return a == b
