"""Telephone and fax numbers of all countries, by the tables of libphonenumber."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from medassist.safety.identifiers.text_page import Found, TextPage

FEWEST, MOST = 7, 15
"""Digits of a number that nothing announces."""
BEFORE: Final = 26
"""Characters in which the word that announces a number is looked for."""
# Asked in turn where a number names no country: those whose languages the rules read
# best and some more in which a 0 or a grouping of their own begins a number.
COUNTRIES: Final = ("US", "GB", "DE", "FR", "ES", "AU", "IN", "AT", "CH", "SE", "PL")

_RUN: Final = re.compile(
    r"(?<![\w./,+-])(?:\+\s?|00(?=\d))?\(?\d"
    r"(?:(?:[ ./-]|\s?\(|\)\s?| / | - |\)[-/])?\d){4,17}(?![\w%]|[.,/-]\d)"
)
_WORDS: Final = (
    r"(?:tele?(?:phone|fon)?|phone|mob(?:ile)?|cell(?:ular)?(?: phone)?|call|ring"
    r"|reach(?:ed|able)?(?: \w+){0,3} (?:on|at|under)|contact|whatsapp|sms|text"
    r"|landline"
    r"|home|work|handy|mobil(?:nummer)?|festnetz|ruf(?:nummer)?|telefonnummer|erreichbar"
    r"|portable|t\u00e9l(?:\u00e9phone)?|m\u00f3vil|tel\u00e9fono|celular|tfno|unter)"
)
_CALL_WHOM: Final = re.compile(
    r"(?i:(?<!\w)(?:call|phone|ring|reach|text|contact)(?: [^\W\d_]+){1,2} (?:at|on"
    r"|under) )$"
)
_SHORT_WORDS: Final = (
    r"(?:bleep|paged?|pager|beeper|ext(?:ension|n)?|durchwahl|poste|anexo|dect)"
)
_FAX_WORDS: Final = r"(?:tele)?fax|t\u00e9l\u00e9copie|facsimile"
_LINK: Final = (
    r"(?:'?s)?(?:[ .-]{1,2}(?:no|nr|n\u00b0|number|num|line|is|was|him|her|on|at"
    r"|under))"
    r"{0,3}[ .:(]{0,3}"
)
_ANNOUNCED: Final = re.compile(rf"(?i:(?<!\w){_WORDS}{_LINK})$")
_FAXED: Final = re.compile(rf"(?i:(?<!\w)(?:{_FAX_WORDS}){_LINK})$")
_SHORT: Final = re.compile(
    rf"(?<!\w)(?i:{_SHORT_WORDS}){_LINK}(?P<it>[x#]?\d{{2,3}}-?\d{{1,5}})(?![\w%/]|\.\d)"
)
_SHORT_FIRST: Final = re.compile(
    r"(?i:\b(?:bleep|paged?|pager|beeper|ext|durchwahl|poste|dect)\b)"
)
_EXTENSION: Final = re.compile(r"\s?(?:x|ext\.?|extension|#)\s?\d{1,5}(?!\w)")
# Groups that make a number one of North America, with their signs.
_AMERICAN: Final = re.compile(
    r"(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}([ .-]))\d{3}(?(1)\1|[ .-])\d{4}$"
)
_DATE: Final = re.compile(
    r"\d{1,2}([/.-])\d{1,2}\1(?:19|20)?\d\d|(?:19|20)\d\d([/.-])\d{1,2}\2\d{1,2}"
)
_LOCAL: Final = re.compile(r"[2-9]\d{2}[-.]\d{4}$")
_GROUPED: Final = re.compile(
    r"\(?0\d{1,5}\)?(?:[ /-]{1,3}\d{2,8}){1,5}$|0\d{9,10}$"  # with a 0 in front
    r"|[6-9]\d{2} \d{2} \d{2} \d{2}$|[4-9]\d{2} \d{3} \d{3}$"  # nine digits
    r"|9[1-9] \d{3} \d{2} \d{2}$|[6-9]\d{4} \d{5}$|\d{4} \d{4}$"
)


@lru_cache(maxsize=1024)
def is_valid(number: str, country: str | None) -> bool:
    """`number` is one that `country`, or the country that it names, gives out."""
    # The tables of a country are read where a number may be one of it.
    import phonenumbers

    try:
        read = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(read)


def find(page: TextPage) -> Iterator[Found]:
    """The telephone and fax numbers of `page`."""
    form = page.form
    for match in _RUN.finditer(form):
        start, end = match.span()
        number = match.group()
        digits = sum(map(str.isdigit, number))
        before = form[max(0, start - BEFORE) : start]
        after = _EXTENSION.match(form, end)
        whole = after.end() if after else end
        if _FAXED.search(before) and digits > 5:
            yield "FAX", start, whole, True
        elif digits > 5 and (_ANNOUNCED.search(before) or _CALL_WHOM.search(before)):
            yield "PHONE", start, whole, True
        elif FEWEST <= digits <= MOST:
            sure = _is_number(number, after is not None)
            if sure is not None:
                yield "PHONE", start, whole, sure
    for first in _SHORT_FIRST.finditer(form):
        short = _SHORT.match(form, first.start())
        if short is not None:
            yield "PHONE", *short.span("it"), True


def _is_number(number: str, extended: bool) -> bool | None:
    """Whether it is one for sure; `None` if it looks like none."""
    if _DATE.fullmatch(number):
        return None
    if number.startswith(("+", "00")):
        international = "+" + number.lstrip("+0") if number[0] == "0" else number
        return True if number[0] == "+" or is_valid(international, None) else None
    if _AMERICAN.match(number) or extended:
        return True
    if _LOCAL.match(number):
        return False
    if _GROUPED.match(number) and any(is_valid(number, each) for each in COUNTRIES):
        return number.startswith(("0", "(0"))
    return None
