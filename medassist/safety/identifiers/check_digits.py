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
    "eleven": (
        "pl.pesel",
        "tr.tckimlik",
        "no.fodselsnummer",
        "be.ssn",
        "de.idnr",
        "ar.cuit",
    ),
    "niss": ("be.ssn",),
    "rut": ("cl.rut",),
    "cuit": ("ar.cuit",),
    "svnr": ("at.vnr",),
    "za": ("za.idnr",),
    "iban": ("iban",),
    "card": ("luhn",),
    "imei": ("imei",),
}


def _kvnr(number: str) -> bool:
    """A German health insurance number: a letter, eight digits, a check digit.

    Source: section 290 of the Fifth Book of the Social Code, annex of the central
    federation's rules: the letter as its two-digit place in the alphabet, weights 1 and
    2 in turn, cross sums added, modulo 10.
    """
    digits = f"{ord(number[0]) - 64:02d}{number[1:9]}"
    weighed = (int(sign) * (1 + at % 2) for at, sign in enumerate(digits))
    return sum(map(_cross_sum, weighed)) % 10 == int(number[9])


def _cross_sum(number: int) -> int:
    return number // 10 + number % 10


def _nuss(number: str) -> bool:
    """A Spanish social security number: province, number, and both modulo 97."""
    province, own, check = int(number[:2]), int(number[2:10]), int(number[10:])
    whole = own + province * 10**7 if own < 10**7 else int(number[:10])
    return 1 <= province <= 66 and whole % 97 == check


_OWN: Final = {"kvnr": _kvnr, "nuss": _nuss}
"""What stdnum does not check."""


@cache
def _validators(check: str) -> tuple[Callable[[str], bool], ...]:
    if check in _OWN:
        return (_OWN[check],)
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
    if check in _OWN:
        bare = bare.replace("-", "")
    tries = (bare, bare.replace("-", "").replace("+", ""))
    if any(valid(one) for valid in _validators(check) for one in tries):
        return True
    return None
