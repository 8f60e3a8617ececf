"""Refusals for a client where the engine elsewhere does not answer."""

from __future__ import annotations

import re
from typing import Final

from medassist.core.clean import clean_line
from medassist.core.values import PaneName, TooLong
from medassist.serve.errors import Refusal
from medassist.serve.upstream.forms import Error, ErrorForm, read

MOST_SAID: Final = 300
BUSY_S: Final = 10.0
CONTEXT: Final = re.compile(r"maximum context length is ([\d,]+) tokens?", re.I)
NUMBER: Final = re.compile(r"\d[\d,]*")
OVERFLOWS: Final = frozenset({"context_length_exceeded", "exceed_context_size_error"})


def unreachable(host: str, why: str) -> Refusal:
    """It was not reached."""
    return Refusal(
        502,
        "upstream_unreachable",
        f"The engine at {host} does not answer ({why}). Ask again later.",
        retry_after_s=BUSY_S,
    )


def broke_off(host: str, why: str = "") -> Refusal:
    """Its answer ended in the midst."""
    told = f" ({why})" if why else ""
    return Refusal(
        502,
        "upstream_broke_off",
        f"The engine at {host} broke off its answer{told}. What came of it is not "
        "whole.",
    )


def of_error(host: str, error: Error) -> Refusal:
    """It says in the midst of an answer what went wrong."""
    return Refusal(
        502, "upstream_error", f"The engine at {host} failed: {_sentence(error)}"
    )


def of_status(host: str, status: int, body: bytes) -> Refusal:
    """It refused to answer."""
    error = error_in(body)
    match status:
        case 401 | 403:
            # What it says of a key may have the key in it.
            return Refusal(
                502,
                "upstream_refuses_key",
                f"The engine at {host} does not let this server in. Its operator "
                "finds that in what it has printed.",
            )
        case 429 | 503:
            return Refusal(
                503,
                "overloaded",
                f"The engine at {host} has too much to do. Ask again later.",
                retry_after_s=BUSY_S,
            )
        case 400 | 413 | 422:
            code = "context_length_exceeded" if _overflows(error) else "upstream_error"
            return Refusal(
                400, code, f"The engine at {host} refused this: {_sentence(error)}"
            )
        case _:
            return Refusal(
                502,
                "upstream_error",
                f"The engine at {host} failed ({status}): {_sentence(error)}",
            )


def error_in(body: bytes) -> Error:
    """The error that an answer holds; without a message where it is of no known form.

    What is no JSON is somebody else's page, a proxy's for one, and not shown.
    """
    failed = read(ErrorForm, body)
    return (failed.told if failed else None) or Error()


def too_long(pane: PaneName, error: Error) -> TooLong | None:
    """Event of a prompt that does not fit, where the error gives its numbers."""
    tokens, fits = error.n_prompt_tokens, error.n_ctx
    if tokens is None or fits is None:
        found = CONTEXT.search(error.message)
        if found is None:
            return None
        fits = _number(found[1])
        others = NUMBER.findall(error.message[found.end() :])
        tokens = max(map(_number, others), default=0)
        if tokens <= fits:
            return None  # its sentence says what else is wrong
    return TooLong(pane, tokens, fits, ())


def _overflows(error: Error) -> bool:
    said = {str(error.code), str(error.type)}
    return bool(said & OVERFLOWS or CONTEXT.search(error.message))


def _number(text: str) -> int:
    return int(text.replace(",", "")[:12] or 0)


def _sentence(error: Error) -> str:
    said = clean_line(error.message)[:MOST_SAID].strip().rstrip(".")
    return f"{said or 'it does not say why'}."
