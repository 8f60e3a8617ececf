"""Search space of a sweep: a grid of values, or ranges."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from finetune.errors import FinetuneError
from finetune.recipe import TrainRecipe, known_keys, parse_recipe

SHORT = {
    "lr": "train.rate",
    "rate": "train.rate",
    "r": "lora.r",
    "alpha": "lora.alpha",
    "dropout": "lora.dropout",
    "method": "lora.method",
    "epochs": "train.epochs",
    "steps": "train.steps",
    "rows": "train.rows",
    "warm_up": "train.warm_up",
    "weight_decay": "train.weight_decay",
    "schedule": "train.schedule",
    "seed": "seed",
}
"""Names that a user may say for a key of the recipe."""
DEFAULT_SEARCH = ("lr=2e-5..5e-4", "r=8,16,32,64", "dropout=0.0,0.05,0.1")
"""Space that is searched where the user names nothing."""
Setting = dict[str, Any]
"""A value for each key, with dots: `{"train.rate": 0.0002}`."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")


@dataclass(frozen=True)
class Dimension:
    """A key and its possible values."""

    key: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @property
    def is_range(self) -> bool:
        return not self.values

    @property
    def whole(self) -> bool:
        """Whether the range is one of whole numbers."""
        return self.low == int(self.low) and self.high == int(self.high)


def read_axes(words: Sequence[str]) -> list[Dimension]:
    """Parse axes such as `lr=1e-4,2e-4 r=8..64`.

    Raises:
        FinetuneError: a word is no axis, or names no key of a recipe (the nearest is
            given).
    """
    axes: list[Dimension] = []
    for word in itertools.chain.from_iterable(w.split() for w in words):
        name, equals, values = word.partition("=")
        if not equals or not values:
            raise FinetuneError(
                f"{word} is no setting of a sweep: KEY=VALUE,VALUE,... was expected, "
                "or KEY=LOW..HIGH to search in, for example lr=1e-4,2e-4 r=8,16,32"
            )
        key = _key(name)
        if any(axis.key == key for axis in axes):
            raise FinetuneError(f"{key} is named twice; give all its values at once")
        low, dots, high = values.partition("..")
        if dots:
            if not (_NUMBER.match(low) and _NUMBER.match(high)):
                raise FinetuneError(f"{word}: a range is LOW..HIGH in numbers")
            if not float(low) < float(high):
                raise FinetuneError(f"{word}: the range ends before it begins")
            axes.append(Dimension(key, (), float(low), float(high)))
        else:
            axes.append(Dimension(key, tuple(_value(v) for v in values.split(","))))
    return axes


def grid(axes: Sequence[Dimension]) -> Iterator[Setting]:
    """Every combination, the last axis moving fastest.

    Raises:
        FinetuneError: an axis is a range.
    """
    for axis in axes:
        if axis.is_range:
            raise FinetuneError(
                f"{axis.key} is a range, of which a grid cannot try all; name values, "
                "or say --search N"
            )
    for values in itertools.product(*(axis.values for axis in axes)):
        yield dict(zip((axis.key for axis in axes), values, strict=True))


def with_setting(recipe: TrainRecipe, setting: Setting, name: str) -> TrainRecipe:
    """`recipe` with other values, under another name.

    Raises:
        FinetuneError: a value is not allowed.
    """
    content = recipe.model_dump(mode="json")
    content["name"] = name
    for key, value in setting.items():
        *path, last = key.split(".")
        place = content
        for step in path:
            place = place[step]
        place[last] = value
    words = " ".join(f"{key}={value}" for key, value in setting.items())
    return parse_recipe(content, f"the sweep's {words}")


def _key(name: str) -> str:
    if name in SHORT:
        return SHORT[name]
    known = [k for k in known_keys() if k.startswith(("train.", "lora."))] + ["seed"]
    if name in known:
        return name
    near = difflib.get_close_matches(name, [*SHORT, *known], 1)
    meant = f"; did you mean {near[0]}?" if near else "."
    raise FinetuneError(
        f"{name} is nothing that a sweep can change{meant} Short names are: "
        f"{', '.join(SHORT)}"
    )


def _value(text: str) -> Any:
    # YAML takes 1e-4 for a word; a user means the number.
    if _NUMBER.match(text):
        number = float(text)
        return int(number) if number == int(number) and "." not in text else number
    return yaml.safe_load(text)
