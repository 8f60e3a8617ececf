"""Changes that a PEFT adapter of a model of images and text makes in its text tower."""

from __future__ import annotations

from dataclasses import replace

from convert.architectures.text_tower import of_images, plain_name
from convert.errors import ConvertError
from convert.peft_adapter import PeftAdapter


def images_left_out(adapter: PeftAdapter) -> int:
    """Counts the modules and whole weights for images that `adapter` changes."""
    return sum(map(of_images, (*adapter.loras, *adapter.whole, *adapter.tokens)))


def text_part(adapter: PeftAdapter) -> PeftAdapter:
    """`adapter` without its parts for images, under the names of the text class.

    Raises:
        ConvertError: nothing of the text is changed, or one weight twice.
    """
    loras = {
        name: replace(lora, module=name)
        for module, lora in adapter.loras.items()
        if (name := _text_module(module))
    }
    whole = {
        plain_name(name): key
        for name, key in adapter.whole.items()
        if not of_images(name)
    }
    tokens = {
        name: rows
        for module, rows in adapter.tokens.items()
        if (name := _text_module(module))
    }
    kept = len(loras) + len(whole) + len(tokens)
    every = len(adapter.loras) + len(adapter.whole) + len(adapter.tokens)
    if not kept:
        raise ConvertError(
            f"{adapter.source.file} changes the parts for images alone "
            "(vision_tower, multi_modal_projector), which are not taken over; the text "
            "model stays the base's: use that as it is"
        )
    if kept < every - images_left_out(adapter):
        raise ConvertError(
            f"{adapter.source.file} changes one weight twice, under two spellings of "
            "`language_model.`; save the adapter anew"
        )
    apart = frozenset(map(plain_name, adapter.trained_apart))
    return replace(
        adapter, loras=loras, whole=whole, trained_apart=apart, tokens=tokens
    )


def _text_module(module: str) -> str:
    if of_images(module):
        return ""
    return plain_name(f"{module}.weight").removesuffix(".weight")
