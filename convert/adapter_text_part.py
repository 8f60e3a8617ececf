"""Changes that a PEFT adapter makes to the text, and to what it is computed with."""

from __future__ import annotations

from collections.abc import Callable
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


def used_part(adapter: PeftAdapter, unused: Callable[[str], str]) -> PeftAdapter:
    """`adapter` without its changes to weights that nothing computes with.

    Args:
        adapter: a PEFT adapter.
        unused: of its base; see `unused_in`.

    Raises:
        ConvertError: it changes nothing else.
    """
    found = _unused_modules(adapter, unused)
    if not found:
        return adapter
    loras = {m: lora for m, lora in adapter.loras.items() if m not in found}
    whole = {n: k for n, k in adapter.whole.items() if _module(n) not in found}
    if not (loras or whole or adapter.tokens):
        raise ConvertError(
            f"{adapter.source.file} changes nothing that is computed with: "
            f"{_first(found)}; use the base as it is"
        )
    return replace(adapter, loras=loras, whole=whole)


def note_on_unused(adapter: PeftAdapter, unused: Callable[[str], str]) -> str:
    """A note on what `used_part` leaves out; empty: nothing."""
    found = _unused_modules(adapter, unused)
    if not found:
        return ""
    return (
        f"left out of the adapter: {len(found)} of its changes, by which no answer "
        f"would change; {_first(found)}"
    )


def _unused_modules(
    adapter: PeftAdapter, unused: Callable[[str], str]
) -> dict[str, str]:
    modules = (*adapter.loras, *map(_module, adapter.whole))
    return {m: why for m in modules if (why := unused(f"{m}.weight"))}


def _first(found: dict[str, str]) -> str:
    module, why = next(iter(found.items()))
    return f"nothing computes with {module} ({why})"


def _module(weight: str) -> str:
    return weight.removesuffix(".weight")


def _text_module(module: str) -> str:
    if of_images(module):
        return ""
    return plain_name(f"{module}.weight").removesuffix(".weight")
