"""Whether Ollama can lay an adapter on a model."""

from __future__ import annotations

from convert.errors import ConvertError
from convert.gguf.facts import GgufFacts

INVOCATION = "adapter.alora.invocation_tokens"
PARTS = (".lora_a", ".lora_b")


def check_adapter(adapter: GgufFacts, base: GgufFacts | None) -> None:
    """Make sure that Ollama would apply `adapter` to `base` as it was trained.

    Args:
        adapter: the adapter.
        base: the model; `None` where only Ollama has it.

    Raises:
        ConvertError: it is no LoRA adapter, an activated one, or one of another model.
    """
    if adapter.kind != "adapter":
        raise ConvertError(
            f"{adapter.file} is a GGUF of the kind {adapter.kind!r}; an adapter is "
            "expected behind --adapter (`convert adapter` makes one)"
        )
    if (kind := adapter.values.get("adapter.type")) != "lora":
        raise ConvertError(
            f"{adapter.file} is an adapter of the type {kind!r}; Ollama takes a LoRA"
        )
    if INVOCATION in adapter.values:
        raise ConvertError(
            f"{adapter.file} is an activated LoRA: it is trained to act from its "
            "invocation tokens on, and Ollama would apply it from the first token, so "
            "the answers would be other ones than were tested. Publish a plain LoRA of "
            "the same data; the app `medassist` takes the activated one"
        )
    if base is None:
        return
    if adapter.architecture != base.architecture:
        raise ConvertError(
            f"{adapter.file} is an adapter for {adapter.architecture}, and {base.file} "
            f"is {base.architecture}; give the adapter of this model"
        )
    shapes = {tensor.name: tensor.shape for tensor in base.tensors}
    for tensor in adapter.tensors:
        target = tensor.name.removesuffix(PARTS[0]).removesuffix(PARTS[1])
        shape = shapes.get(target)
        # A file has the length of a row first. A reads what the weight reads, and
        # B writes what it writes.
        fits = shape is not None and (
            tensor.shape[0] == shape[0]
            if tensor.name.endswith(PARTS[0])
            else tensor.shape[-1] == shape[-1]
        )
        if not fits and target != "token_embd.weight":
            raise ConvertError(
                f"{adapter.file} does not fit {base.file}: {tensor.name} has the shape "
                f"{tensor.shape}, and the model's {target} "
                f"{'is missing' if shape is None else f'has {shape}'}; give the "
                "adapter that was trained on this model"
            )
