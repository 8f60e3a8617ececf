"""Quantization types of llama.cpp, and the largest acceptable loss of each."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from convert.errors import ConvertError
from medassist.frozen_model import FrozenModel

TABLE = Path(__file__).with_name("quantization_types.json")
WORST = 8.0
"""How many times the published loss of Llama 3 8B a good quantization may lose. That
model is among those which quantizing hurts most: Llama 2 7B loses a third to a half
of it, our starter of 5 M a third. What is broken loses a hundred times as much."""
HOPELESS = 3.0
"""Nats a token. Guessing without a model costs ln(vocabulary) less the text's own
entropy, some 6 to 9; half of that is no model to consult, whatever its type."""


class QuantizationType(FrozenModel):
    """A type of llama.cpp's quantizer.

    Attributes:
        ftype: its number in the enum `llama_ftype`.
        needs_imatrix: it cannot be made without an importance matrix.
        mean_kld: what it cost a model of 8 B, in nats a token; where published.
    """

    ftype: int
    needs_imatrix: bool = False
    mean_kld: float | None = None

    @property
    def most_kld(self) -> float:
        """The mean KLD in nats above which a quantization of this type is broken."""
        if self.mean_kld is None:
            return HOPELESS
        return min(WORST * self.mean_kld, HOPELESS)


class _TypesTable(FrozenModel):
    source: str
    aliases: dict[str, str]
    not_of_the_quantizer: dict[str, int]
    types: dict[str, QuantizationType]


@cache
def _table() -> _TypesTable:
    return _TypesTable.model_validate_json(TABLE.read_bytes())


def quantization_types() -> dict[str, QuantizationType]:
    """All types by name, the largest first."""
    return dict(_table().types)


def not_of_the_quantizer() -> dict[str, int]:
    """Types of the enum that the quantizer refuses to make."""
    return dict(_table().not_of_the_quantizer)


def read_types(text: str) -> list[str]:
    """The names in a list such as "q4_k_m,Q8_0", as llama.cpp writes them.

    Raises:
        ConvertError: one is none of its types.
    """
    names = [name.upper() for name in re.split(r"[,\s]+", text.strip()) if name]
    names = [_table().aliases.get(name, name) for name in names]
    for name in names:
        if name not in _table().types:
            raise ConvertError(
                f"{name} is no type of llama.cpp's quantizer; it has "
                f"{', '.join(_table().types)}"
            )
    if not names:
        raise ConvertError("no type is given; an example: --type Q4_K_M,Q8_0")
    return list(dict.fromkeys(names))
