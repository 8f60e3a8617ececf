"""Validates outside values against the frozen dataclasses of the program.

Pydantic is imported when something is checked, not before.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


class NotOfThisKindError(ValueError):
    """The input is not of the expected form; the message names the field."""


def validated(kind: type[T], values: object) -> T:
    """`values` as a `kind`: {"temperature": 0.5} -> Sampling(temperature=0.5).

    Raises:
        pydantic.ValidationError: a field is missing, unknown, or out of its bounds.
    """
    return _adapter(kind).validate_python(values)


def from_json(kind: type[T], text: str | bytes) -> T:
    """JSON as a `kind`: '{"temperature": 0.5}' -> Sampling(temperature=0.5).

    Raises:
        NotOfThisKindError: a field is missing, unknown, or out of its bounds.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_json(text)
    except ValidationError as error:
        raise NotOfThisKindError(first_problem(error)) from error


def first_problem(error: ValidationError, whole: str = "the whole file") -> str:
    """First fault of an input, with its place: `train.rate: Input should be above 0`.

    Args:
        error: what Pydantic found.
        whole: stands for the place where no field is at fault.
    """
    first = error.errors(include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"]) or whole
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def as_json(value: object) -> Any:
    """`value` as JSON takes it: Sampling(temperature=0.5) -> {"temperature": 0.5}."""
    return _adapter(type(value)).dump_python(value, mode="json")


def to_json(value: object) -> str:
    """`value` as the text of JSON that people may read, too."""
    return _adapter(type(value)).dump_json(value, indent=2).decode()


@cache
def _adapter(kind: type[T]) -> TypeAdapter[T]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
