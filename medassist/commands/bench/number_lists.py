"""Lists of numbers as llama-bench takes them: 1,2  0-512+128  1-8*2."""

from __future__ import annotations

import re

import typer

RANGE = re.compile(r"(\d+)-(\d+)(?:([+*])(\d+))?")
MOST = 100


def numbers(text: str, option: str, least: int = 0) -> tuple[int, ...]:
    """The numbers of `text`, each once, in their order.

    Args:
        text: such as `512,1024`, `0-2048+512` or `1-8*2`.
        option: for the message.
        least: that is allowed.

    Raises:
        typer.BadParameter: it is no such list.
    """
    found: list[int] = []
    for part in text.split(","):
        found += _part(part.strip(), option)
    if not found or min(found) < least or len(found) > MOST:
        raise typer.BadParameter(
            f"{option} {text}: between 1 and {MOST} numbers from {least} on are wanted"
        )
    return tuple(dict.fromkeys(found))


def _part(part: str, option: str) -> list[int]:
    if part.isascii() and part.isdigit() and len(part) < 10:
        return [int(part)]
    match = RANGE.fullmatch(part)
    if match is None or len(part) > 40:
        raise typer.BadParameter(
            f"{option} {part}: numbers are wanted, such as 512,1024, 0-2048+512 or "
            "1-8*2"
        )
    at, last = int(match[1]), int(match[2])
    step = int(match[4] or 1)
    if (match[3] == "*" and (step < 2 or not at)) or step < 1:
        raise typer.BadParameter(f"{option} {part}: these steps lead nowhere")
    found: list[int] = []
    while at <= last and len(found) <= MOST:
        found.append(at)
        at = at * step if match[3] == "*" else at + step
    return found
