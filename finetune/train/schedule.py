"""Learning rate schedule: warm-up, then decay or none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

FALLING = 0.6
"""Share of a training in which the rate of `plateau` falls, along a line to zero."""


@dataclass(frozen=True)
class Schedule:
    """A learning rate schedule; see `finetune.recipe.TrainPart`."""

    kind: Literal["cosine", "linear", "constant", "plateau"]
    warm_up: float
    """Share of the training in which it rises."""

    def share(self, step: int, *, steps: int) -> float:
        """Share of the full rate at `step`, from 0.

        It rises in equal parts from the first step on, which learns too, to the first
        one after the warm-up; there and from there on it is transformers' schedule of
        the same name.
        """
        rising = math.ceil(self.warm_up * steps)
        if step < rising:
            return (step + 1) / (rising + 1)
        begin = rising
        if self.kind == "plateau":
            begin = max(rising, steps - round(FALLING * steps))
        behind = max(0, step - begin) / max(1, steps - begin)
        match self.kind:
            case "constant":
                return 1.0
            case "cosine":
                return 0.5 * (1 + math.cos(math.pi * min(1.0, behind)))
            case "linear" | "plateau":
                return max(0.0, 1 - behind)
