"""Validates requests against AWS's own description of the service.

botocore looks at required keys, types and minima before it sends; maxima, patterns and
the values of enumerations are in the same description, and only the service itself
holds requests against them, after the upload. So it is done here, before anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any


def complaints(client: Any, operation: str, request: dict[str, Any]) -> list[str]:
    """Faults of a request, a sentence each; none if it may be sent.

    Args:
        client: boto3's of the service.
        operation: as the API calls it: CreateTrainingJob.
        request: its arguments.
    """
    from botocore.validate import ParamValidator

    shape = client.meta.service_model.operation_model(operation).input_shape
    if shape is None:
        return []
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        return [line for line in report.generate_report().splitlines() if line]
    return list(_walk(shape, request, operation))


def _walk(shape: Any, value: Any, where: str) -> Iterator[str]:
    yield from _bounds(shape, value, where)
    match shape.type_name:
        case "structure":
            for name, inner in value.items():
                yield from _walk(shape.members[name], inner, f"{where}.{name}")
        case "list":
            for number, inner in enumerate(value):
                yield from _walk(shape.member, inner, f"{where}[{number}]")
        case "map":
            for key, inner in value.items():
                yield from _walk(shape.key, key, f"{where}.{key}")
                yield from _walk(shape.value, inner, f"{where}.{key}")
        case _:
            pass


def _bounds(shape: Any, value: Any, where: str) -> Iterator[str]:
    known = shape.metadata
    sized = shape.type_name in ("string", "list", "map", "blob")
    amount = len(value) if sized else value
    what = "of length " if sized else ""
    number = isinstance(amount, int | float) and not isinstance(amount, bool)
    if "max" in known and number and amount > known["max"]:
        yield f"{where} is {what}{amount}; at most {known['max']} is allowed"
    if "min" in known and number and amount < known["min"]:
        yield f"{where} is {what}{amount}; at least {known['min']} is asked for"
    if shape.type_name != "string":
        return
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        yield f"{where} is {value!r}, which is none of the values that are allowed"
    if "pattern" in known and not _matches(known["pattern"], value):
        yield f"{where} is {value!r}, which is not of the form {known['pattern']}"


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    except re.error:  # written for another dialect than Python's
        return True
