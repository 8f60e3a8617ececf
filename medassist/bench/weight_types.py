"""Types that the weights of a file really have, whatever its name says."""

from __future__ import annotations

from collections.abc import Sequence

from medassist.bench.results import FileFacts

MOST_TYPES = 3


def types_said(file: FileFacts) -> str:
    """The types that most of the weights have: Q4_K 90% F32 10%."""
    total = sum(file.types.values())
    if not total:
        return "-"
    shares = [(kind, 100 * n / total) for kind, n in file.types.items()]
    return " ".join(
        f"{kind} {share:.0f}%" for kind, share in shares[:MOST_TYPES] if share >= 1
    )


def larger_than_promised(files: Sequence[FileFacts]) -> list[str]:
    """A sentence for each file that is larger than one of a higher type.

    Rows that do not fit a type get another one, often a larger one.
    """
    return [
        f"{one.name} ({one.quantization}) is larger than {other.name} "
        f"({other.quantization}): its weights really are {types_said(one)}, "
        f"{one.bits:.2f} bits each."
        for one in files
        for other in files
        if one.params == other.params
        and one.bytes > other.bytes
        and 0 < _promised(one) < _promised(other)
    ]


def _promised(file: FileFacts) -> int:
    """The bits that the name of a quantization promises: Q4_K_M 4, F16 16."""
    digits = "".join(c if c.isdigit() else " " for c in file.quantization).split()
    return int(digits[0]) if digits else 0
