"""Text tower of a model of images and text: its tensors under the text class's names.

Three spellings of one weight are met, before and since transformers 4.52, and of the
inner model alone: language_model.model.layers.0, model.language_model.layers.0,
language_model.layers.0; the text class says model.layers.0, and so did Qwen2.5-VL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from convert.architectures.architecture import Architecture
from convert.architectures.target import TensorTarget
from convert.errors import ConvertError
from convert.hf_folder import JsonFile, Weight

IMAGE_PARTS = frozenset(
    (
        "vision_tower",
        "multi_modal_projector",
        "visual",
        "embed_vision",
        "audio_tower",
        "embed_audio",
    )
)
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


@dataclass(frozen=True)
class Tower(Architecture):
    """Mixed into a text model's architecture: that of the class with images."""

    in_images = True
    outer = "language_model."
    flat: ClassVar[bool] = False
    """Older files have the text's settings among those of the whole."""

    images: int = field(default=0, kw_only=True)
    """Tensors of the parts for images, which are left out."""

    @classmethod
    def read(cls, config: JsonFile) -> Self:
        """Read a config.json.

        Raises:
            ConvertError: a value is missing, or is one that llama.cpp does not compute.
        """
        if not cls.flat and config.part("text_config") is None:
            raise ConvertError(
                f"{config.file} has no `text_config`, which holds the settings of the "
                "text model in this class; get it again"
            )
        read = super().read(config.of_text)
        assert isinstance(read, cls)
        return read

    def over(self, weights: Iterable[Weight]) -> Self:
        """The architecture adjusted to the files; what is of images is counted."""
        stored = [*weights]
        images = sum(of_images(weight.name) for weight in stored)
        return replace(super().over(stored), images=images)

    def targets_of(self, name: str) -> tuple[TensorTarget, ...]:
        """GGUF targets of the tensor `name`; none for images, which are left out.

        Raises:
            ConvertError: nobody knows what it is.
        """
        return () if of_images(name) else super().targets_of(name)

    @staticmethod
    def plain_name(name: str) -> str:
        """The name of the tensor `name` in the class of the text model."""
        return plain_name(name)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, as sentences."""
        return (
            *super().notes,
            f"text only: images are not taken over; {self.images} tensors of the "
            "vision tower and the projector are left out",
        )
