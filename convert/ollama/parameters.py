"""A model's parameters in Ollama, each with its source: files or user.

Nothing is added that nobody named. A length limit of ours would cut a reasoning model
off inside its thought, and sampling of ours would be taken for the model's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gguf import Keys
from pydantic import BaseModel, ConfigDict

from convert.errors import ConvertError
from medassist.core.values import Sampling

Value = float | int | bool | str
Kind = Literal["whole", "number", "switch"]
# The options of Ollama's API (api/types.go) that a model can carry; `stop` has its own.
PARAMETERS: dict[str, Kind] = {
    "num_ctx": "whole",
    "num_batch": "whole",
    "num_gpu": "whole",
    "main_gpu": "whole",
    "use_mmap": "switch",
    "num_thread": "whole",
    "num_keep": "whole",
    "seed": "whole",
    "num_predict": "whole",
    "top_k": "whole",
    "top_p": "number",
    "min_p": "number",
    "typical_p": "number",
    "repeat_last_n": "whole",
    "temperature": "number",
    "repeat_penalty": "number",
    "presence_penalty": "number",
    "frequency_penalty": "number",
}
MOST_CONTEXT = 8192
"""The longest context of a model's files that is passed on: each token of it costs
memory, so that a longer one is for the user, or for Ollama, to choose."""

# How generation_config.json and a GGUF call what Ollama calls otherwise. What else they
# recommend, Ollama has no parameter for; a number of new tokens is none of the model.
NAMES = {
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "repetition_penalty": "repeat_penalty",
    Keys.General.SAMPLING_TEMP: "temperature",
    Keys.General.SAMPLING_TOP_K: "top_k",
    Keys.General.SAMPLING_TOP_P: "top_p",
    Keys.General.SAMPLING_MIN_P: "min_p",
    Keys.General.SAMPLING_PENALTY_LAST_N: "repeat_last_n",
    Keys.General.SAMPLING_PENALTY_REPEAT: "repeat_penalty",
}

REPEAT_PENALTY = (
    f"The app's repeat penalty is {Sampling().repeat_penalty:g} and looks at the "
    "answer alone. Ollama's is 1.0, which is none, where no repeat_penalty is named, "
    "and looks at the prompt too."
)


class Parameter(BaseModel):
    """A line `PARAMETER name value`, and its source."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: Value
    source: str
    """A file of the model with its key there, or an option of the user's."""

    @property
    def told(self) -> str:
        """The parameter in words."""
        value = repr(self.value) if isinstance(self.value, str) else self.value
        return f"{self.name} {value}: from {self.source}"


@dataclass(frozen=True)
class Recommended:
    """Sampling parameters that a model's files recommend."""

    parameters: tuple[Parameter, ...] = ()
    notes: tuple[str, ...] = ()
    """Recommendations that cannot be passed on, in sentences."""


def recommended(advice: Mapping[str, object], file: str) -> Recommended:
    """Reads a model's recommended parameters, under Ollama's names.

    Args:
        advice: the content of generation_config.json, or the keys of a GGUF.
        file: which of them it is, for messages.
    """
    found: list[Parameter] = []
    notes: list[str] = []
    for theirs, ours in NAMES.items():
        if (value := advice.get(theirs)) is None:
            continue
        source = f"{file} ({theirs})"
        number = _number(value, PARAMETERS[ours])
        if number is None:
            notes.append(
                f"{source} is {value!r}, which Ollama does not take for {ours}; it was "
                "left out."
            )
        else:
            found.append(Parameter(name=ours, value=number, source=source))
    return Recommended(tuple(found), tuple(notes))


def _number(value: object, kind: Kind) -> float | int | None:
    """`value` as Ollama takes it for a parameter of that kind, if it does."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value):
        return None
    if kind == "whole":
        return int(value) if value == int(value) else None
    return value


def read_parameter(text: str) -> tuple[str, Value]:
    """`name=value` as a parameter of Ollama with a value of its kind.

    Raises:
        ConvertError: Ollama knows no such parameter, or it takes another value.
    """
    name, equals, written = text.partition("=")
    name, written = name.strip(), written.strip()
    if name == "stop":
        raise ConvertError("a stop text is given with --stop, not with --parameter")
    kind = PARAMETERS.get(name)
    if not equals or kind is None:
        raise ConvertError(
            f"--parameter {text!r}: expected NAME=VALUE with one of "
            f"{', '.join(PARAMETERS)}"
        )
    try:
        match kind:
            case "whole":
                return name, int(written)
            case "number":
                number = float(written)
                if not math.isfinite(number):
                    raise ValueError
                return name, number
            case "switch":
                return name, {"true": True, "false": False}[written.lower()]
    except (ValueError, KeyError):
        expected = {"whole": "a whole number", "switch": "true or false"}
        raise ConvertError(
            f"--parameter {text!r}: {name} takes {expected.get(kind, 'a number')}"
        ) from None
