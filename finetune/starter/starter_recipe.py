"""The recipe of a starter pair."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from finetune.errors import FinetuneError
from medassist.core.validated import first_problem
from medassist.frozen_model import FrozenModel

DEFAULT_RECIPE = Path(__file__).with_name("recipe.yaml")
Share = Field(ge=0, le=1)


class TokenizerPart(FrozenModel):
    size: int = Field(ge=300, le=65_536)


class ModelPart(FrozenModel):
    hidden: PositiveInt
    layers: PositiveInt
    heads: PositiveInt
    key_value_heads: PositiveInt
    feed_forward: PositiveInt
    context: PositiveInt

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden % (2 * self.heads) or self.heads % self.key_value_heads:
            raise ValueError(
                "hidden / heads must be an even number, and heads / key_value_heads "
                "a whole one"
            )
        return self


class TextSource(FrozenModel):
    name: str
    weight: float = Field(ge=0, le=20)
    longest: PositiveInt


class TextPart(FrozenModel):
    chat_share: float = Share
    held_out: float = Field(gt=0, lt=0.5)
    sources: tuple[TextSource, ...] = Field(min_length=1)


class BasePart(FrozenModel):
    minutes: PositiveFloat | None = None
    steps: PositiveInt | None = None
    rows: PositiveInt
    row: PositiveInt | None = None
    long_share: float = Share
    drills: float = Field(default=0.0, ge=0, le=0.9)
    compile: bool = False
    matrix_rate: PositiveFloat
    vector_rate: PositiveFloat
    warm_up: float = Share
    decay: float = Share

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError("say either minutes or steps")
        return self


class TunePart(FrozenModel):
    longest_answer: PositiveInt
    same_answer: PositiveInt
    share_of_kind: dict[str, Annotated[float, Share]] = {}
    nameless: float = Field(default=1.0, ge=0, le=1)
    renamed: dict[str, Annotated[float, Field(ge=0, le=20)]] = {}
    follow_ups: float = Share
    small_talk: int = Field(ge=0, le=50)
    rank: PositiveInt
    alpha: PositiveInt
    epochs: PositiveFloat
    rows: PositiveInt
    rate: PositiveFloat


class Scale(FrozenModel):
    """Size and training of the base, for one kind of hardware."""

    model: ModelPart
    base: BasePart

    @model_validator(mode="after")
    def _rows_fit(self) -> Self:
        if self.base.row is not None and self.base.row > self.model.context:
            raise ValueError("base.row is longer than model.context")
        return self


class Recipe(FrozenModel):
    """The recipe of a starter pair."""

    name: str
    seed: int = Field(ge=0, lt=2**32)
    scale: str
    scales: dict[str, Scale] = Field(min_length=1)
    tokenizer: TokenizerPart
    text: TextPart
    tune: TunePart

    @model_validator(mode="after")
    def _scale_is_there(self) -> Self:
        if self.scale not in self.scales:
            raise ValueError(
                f"scale is {self.scale!r}, and scales has {', '.join(self.scales)}"
            )
        return self

    @property
    def model(self) -> ModelPart:
        """The model of the chosen scale."""
        return self.scales[self.scale].model

    @property
    def base(self) -> BasePart:
        """The base's training at the chosen scale."""
        return self.scales[self.scale].base

    def write(self, file: Path) -> None:
        """Write the recipe to `file`, every default written out."""
        file.write_text(
            yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False), "utf-8"
        )


def read_recipe(file: Path = DEFAULT_RECIPE) -> Recipe:
    """The recipe in `file`.

    Raises:
        FinetuneError: it is missing, is not YAML, or a value is not allowed; the
            message names the key.
    """
    try:
        return Recipe.model_validate(yaml.safe_load(file.read_text("utf-8")))
    except OSError as error:
        raise FinetuneError(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FinetuneError(f"{file} is not YAML: {error}") from error
    except ValidationError as error:
        raise FinetuneError(f"{file}: {first_problem(error, 'the recipe')}") from error
