"""Checks whether Ollama can apply an adapter to a model."""

from __future__ import annotations

from convert.errors import ConvertError
from convert.gguf.contents import GgufFacts
from convert.gguf.lora import INVOCATION, require_fit, require_lora


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
            "so the answers would be other ones than were tested; from 0.34.1 on it "
            "takes no adapter at all, and this one cannot be merged into the model. "
            "Publish a plain LoRA of the same data; the app `medassist` takes the "
            "activated one"
        )
    if base is not None:
        require_fit(adapter, base)
