"""Text tower of a model of images and text: its tensors under the text class's names.

Three spellings of one weight are met, before and since transformers 4.52, and of the
inner model alone: language_model.model.layers.0, model.language_model.layers.0,
language_model.layers.0; the text class says model.layers.0.
"""

from __future__ import annotations

import re

IMAGE_PARTS = frozenset(("vision_tower", "multi_modal_projector"))
_HEAD = re.compile(r"^(?:model\.)?language_model\.(?=lm_head\.)")
_TEXT = re.compile(r"^(?:model\.)?language_model\.(?:model\.)?")
_IMAGES = re.compile(
    rf"^(?:model\.)?({'|'.join(sorted(IMAGE_PARTS))})\.(?:vision_model\.)?"
)


def of_images(name: str) -> bool:
    """Whether a tensor (or module) belongs to the vision tower or the projector."""
    return _IMAGES.match(name) is not None


def plain_name(name: str) -> str:
    """The tensor `name` as the text class spells it; of images, in one spelling."""
    if _IMAGES.match(name):
        return _IMAGES.sub(r"\1.", name)
    if _HEAD.match(name):
        return _HEAD.sub("", name)
    return _TEXT.sub("model.", name)
