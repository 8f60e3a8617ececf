"""Check digits of numbers that states, banks and makers give out, by python-stdnum."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from typing import Final, cast

# Which module of stdnum checks what; where several are named, one has to agree.
_MODULES: Final = {
    "us": ("us.ssn",),
    "nhs": ("gb.nhs",),
    "aadhaar": ("in_.aadhaar",),
    "sin": ("ca.sin",),
    "dni": ("es.dni", "es.nie"),
    "ahv": ("ch.ssn",),
    "nir": ("fr.nir",),
    "nordic": ("se.personnummer", "dk.cpr"),
    "hetu": ("fi.hetu",),
    "eleven": ("pl.pesel", "tr.tckimlik", "no.fodselsnummer", "be.nn", "de.idnr"),
    "za": ("za.idnr",),
    "iban": ("iban",),
    "card": ("luhn",),
    "imei": ("imei",),
}


@cache
def _validators(check: str) -> tuple[Callable[[str], bool], ...]:
    # Loaded where a number looks like one: stdnum holds the tables of many states.
    return tuple(
        cast("Callable[[str], bool]", import_module(f"stdnum.{name}").is_valid)
        for name in _MODULES[check]
    )


@lru_cache(maxsize=1024)
def agree(number: str, check: str) -> bool | None:
    """Whether `number` is sure; `None` where its check digits say that it is none.

    Args:
        number: As written, with blanks and hyphens.
        check: The name of a check; "sure" and "" need none.
    """
    if check in ("sure", ""):
        return bool(check)
    bare = "".join(sign for sign in number if sign.isalnum() or sign in "+-")
    tries = (bare, bare.replace("-", "").replace("+", ""))
    if any(valid(one) for valid in _validators(check) for one in tries):
        return True
    return None
