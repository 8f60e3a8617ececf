"""Names of models in Ollama: `[host/][namespace/]model[:tag]`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from convert.errors import ConvertError

# The rules of Ollama's types/model/name.go.
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")
LATEST = "latest"


@dataclass(frozen=True)
class ModelName:
    """The name of a model in Ollama."""

    model: str
    namespace: str | None = None
    host: str | None = None
    tag: str | None = None

    def __str__(self) -> str:
        front = "".join(f"{part}/" for part in (self.host, self.namespace) if part)
        return f"{front}{self.model}:{self.tag or LATEST}"

    def tagged(self, quantization: str) -> ModelName:
        """The name with a quantization as its tag."""
        return replace(self, tag=quantization.lower())


def read_name(text: str) -> ModelName:
    """`text` as the name of a model.

    Raises:
        ConvertError: Ollama takes no such name.
    """
    *front, last = text.split("/")
    model, colon, tag = last.partition(":")
    host = front[-2] if len(front) == 2 else None
    namespace = front[-1] if front else None
    right = (
        len(front) <= 2
        and PART.fullmatch(model)
        and (not colon or PART.fullmatch(tag))
        and (namespace is None or NAMESPACE.fullmatch(namespace))
        and (host is None or HOST.fullmatch(host))
    )
    if not right:
        raise ConvertError(
            f"{text!r} is no name of a model in Ollama; expected NAME, NAME:TAG or "
            "USER/NAME:TAG of letters, digits, '_', '-' and '.'"
        )
    return ModelName(model, namespace, host, tag or None)
