"""Checks whether Ollama can apply an adapter to a model."""

from __future__ import annotations

from convert.errors import ConvertError
from convert.gguf.contents import GgufFacts
from convert.gguf.lora import INVOCATION, require_fit, require_lora
from convert.ollama.server_version import version_numbers

NO_ADAPTER_SINCE = "0.34.1"
"""First Ollama that makes no model with an adapter; those made before still run. So
it is reported of its command (pull request 14969 of ollama/ollama)."""
NO_ADAPTER = f"Ollama from {NO_ADAPTER_SINCE} on takes no ADAPTER in a Modelfile"


def makes_adapted(version: str) -> bool:
    """Whether an Ollama of `version` is known to make models with an adapter.

    One that was built by hand may be of any.
    """
    numbers = version_numbers(version)
    return not any(numbers) or numbers < version_numbers(NO_ADAPTER_SINCE)


def check_adapter(adapter: GgufFacts, base: GgufFacts | None) -> None:
    """Check that Ollama would apply `adapter` to `base` as it was trained.

    Args:
        adapter: the adapter.
        base: the model; `None` where only Ollama has it.

    Raises:
        ConvertError: it is no LoRA adapter, an activated one, or one of another model.
    """
    require_lora(adapter)
    if INVOCATION in adapter.values:
        raise ConvertError(
            f"{adapter.file} is an activated LoRA: it is trained to act from its "
            "invocation tokens on. Ollama before 0.30 applies it from the first token, "
            "so the answers would be other ones than were tested; from "
            f"{NO_ADAPTER_SINCE} on it takes no adapter at all, and this one cannot be "
            "merged into the model. "
            "Publish a plain LoRA of the same data; the app `medassist` takes the "
            "activated one"
        )
    if base is not None:
        require_fit(adapter, base)
