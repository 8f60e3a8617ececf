"""Values from outside, checked against the types of `medassist.core.values`.

Pydantic is imported when something is checked, not before.
"""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def validated(kind: type[T], values: object) -> T:
    """`values` as a `kind`: {"temperature": 0.5} -> Sampling(temperature=0.5).

    Raises:
        pydantic.ValidationError: a field is missing, unknown, or out of its bounds.
    """
    from pydantic import TypeAdapter

    return TypeAdapter(kind).validate_python(values)


def as_json(value: object) -> Any:
    """`value` as JSON takes it: Sampling(temperature=0.5) -> {"temperature": 0.5}."""
    from pydantic import TypeAdapter

    return TypeAdapter[Any](type(value)).dump_python(value, mode="json")
