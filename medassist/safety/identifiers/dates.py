"""Dates, and ages over 89, in English, German, French and Spanish."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from medassist.safety.identifiers.text_page import Found, TextPage
from medassist.safety.letters import folded, shape

TABLE: Final = Path(__file__).with_name("dates.toml")
AROUND: Final = 24
"""Characters before and after a month that a date may take."""
BEFORE: Final = 20
"""Characters in which a word for a date, an age or a temperature is looked for."""

_YEAR: Final = r"(?:19|20)\d\d"
_NUMERIC: Final = re.compile(
    # 03/04/1956, 12 . 05 . 1951, 2021-07-19T08:45, 30.VI.2011
    r"\d(?<![\w./,-]\d)\d?(?:(?P<sign> ?[/.-] ?)\d{1,2}(?P=sign)(?:19|20)?\d\d"
    r"| ?[./-] ?[IVX]{1,4} ?[./-] ?(?:19|20)\d\d)(?![\w/%-]|\.\d)"
    r"|\d(?<![\w./,-]\d)(?:(?<=1)9|(?<=2)[0-2])\d\d([/.-])\d{1,2}\2\d{1,2}"
    r"(?:[T ]\d{2}:\d{2}(?::\d{2})?Z?)?(?![\w/%-]|\.\d)"
)
_MONTH_YEAR: Final = re.compile(rf"\d(?<![\w./,-]\d)\d?[/.-]{_YEAR}(?![\w/%-]|[.,]\d)")
# 06/11: nobody writes a score with a nought before it, but for 05/10.
_PADDED: Final = re.compile(r"0\d/(?!10)[01]\d|\d\d/0\d")
_DAY_MONTH: Final = re.compile(
    r"\d(?<![\w./,-]\d)\d?(?:/\d{1,2}|\.\d{1,2}\.|-\d{1,2})(?![\w/%-]|\.?\d"
    r"| ?[a-z]{2,3}/)"
    r"(?! (?:of|read|occas|times|days|nights|visit|check|sets|samples|meas|doses))"
)
_SCORED: Final = re.compile(r"(?i:apgar\w*|scores?)\W{1,3}$")
_COMPACT: Final = re.compile(
    r"(?<![\w./,+-])(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?![\w%/-]|[.,]\d)"
)


@cache
def table() -> dict[str, Any]:
    """Contents of dates.toml."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


@cache
def _months() -> tuple[frozenset[str], frozenset[str]]:
    row = table()
    return (
        frozenset(map(folded, row["months"].split())),
        frozenset(map(folded, row["only-large"].split())),
    )


@cache
def _with_month() -> tuple[re.Pattern[str], ...]:
    """A date around a month: with a day before it, after it, and with a year alone."""
    months = "|".join(
        sorted(map(shape, table()["months"].split()), key=len, reverse=True)
    )
    days = "|".join(sorted(table()["weekdays"].split(), key=len, reverse=True))
    days = shape(days)
    month = rf"(?P<month>(?i:{months}))(?![^\W\d_])\.?"
    year = r"(?:(?:19|20)\d\d|['\u2019]?\d\d)(?![\w/%]|[.,:]\d)"
    long_year = rf"{_YEAR}(?!\w)"
    weekday = rf"(?:(?<!\w)(?i:{days})\.?,? (?:the |den |le |el )?)?"
    forms = (
        rf"{weekday}(?:the )?(?<![\w./,])\d{{1,2}}(?:st|nd|rd|th|er|\.|\u00ba)?"
        rf"(?:[ /.-]|(?<=\.))?(?:of |de )?{month}"
        rf"(?:(?:,? |[ /.-]|(?: de[l]? ))?{year})?",
        rf"{weekday}(?<!\w){month}[ .-]\d{{1,2}}(?:st|nd|rd|th)?(?![\w%/]|[.,:]\d)"
        rf"(?:,? {long_year})?",
        rf"(?<!\w){month}(?:,? (?:of |de |del )?|[-/.'\u2019]){year}",
    )
    return tuple(re.compile(form) for form in forms)


@cache
def _before() -> tuple[re.Pattern[str], re.Pattern[str]]:
    row = table()
    words = "|".join(row["before"].split())
    days = "|".join(map(shape, row["weekdays"].split()))
    return (
        re.compile(rf"(?i:(?<!\w)(?:{words})[.:]? (?:the |dem |den )?)$"),
        re.compile(rf"(?<!\w)(?i:{days})\.?,? $"),
    )


def find(page: TextPage) -> Iterator[Found]:
    """The dates of `page`, and ages from ninety on."""
    yield from _written_with_digits(page.form)
    yield from _written_with_months(page)
    yield from ages(page)


def _written_with_digits(form: str) -> Iterator[Found]:
    for match in _NUMERIC.finditer(form):
        parts = [int(part) for part in re.findall(r"\d+", match.group())[:3]]
        small = [part for part in parts if part < 1000]
        scored = _SCORED.search(form, max(0, match.start() - BEFORE), match.start())
        if all(part <= 31 for part in small[:2]) and 0 not in small[:2] and not scored:
            yield "DATE", *match.span(), True
    for match in _MONTH_YEAR.finditer(form):
        if 1 <= int(re.split(r"[/.-]", match.group())[0]) <= 12:
            yield "DATE", *match.span(), True
    for match in _COMPACT.finditer(form):
        yield "DATE", *match.span(), False
    announced, weekday = _before()
    for match in _DAY_MONTH.finditer(form):
        start, end = match.span()
        one, other = (int(part) for part in re.findall(r"\d+", match.group()))
        if not (0 < one < 32 and 0 < other < 32 and min(one, other) < 13):
            continue
        before = form[max(0, start - BEFORE) : start]
        day = weekday.search(before)
        if day:
            yield "DATE", start - len(before) + day.start(), end, True
        elif _PADDED.fullmatch(match.group()) or (
            announced.search(before)
            and not ("." in match.group() and form[end : end + 1].isalnum())
        ):
            yield "DATE", start, end, False


def _written_with_months(page: TextPage) -> Iterator[Found]:
    months, only_large = _months()
    form = page.form
    last = 0
    for word in page.words:
        key = word.key.partition("-")[0] if "-" in word.text else word.key
        if key not in months and word.key.rpartition("-")[2] not in months:
            continue
        if word.start < last:
            continue
        first = max(last, word.start - AROUND)
        for pattern in _with_month():
            match = next(
                (
                    one
                    for one in pattern.finditer(form, first, word.end + AROUND)
                    if one.start() <= word.start < one.end()
                ),
                None,
            )
            if match is None:
                continue
            written = match["month"] or page.text[word.start : word.end]
            has_year = re.search(_YEAR, match.group()) is not None
            dated = _BEFORE_A_DAY.search(form, max(0, match.start() - 6), match.start())
            if written[0].islower() and not (has_year or dated) and key in only_large:
                continue
            last = match.end()
            yield "DATE", match.start(), last, True
            break
    for match in _HOLIDAY.finditer(form):
        yield "DATE", *match.span(), True
    # 18APR49: no word stands alone in it.
    for match in _joined().finditer(form):
        yield "DATE", *match.span(), True


_BEFORE_A_DAY: Final = re.compile(r"(?<!\w)(?:le|du|au|el|del|al|am|vom|zum) $")
_HOLIDAY: Final = re.compile(
    r"(?<!\w)(?:Christmas|Easter|Thanksgiving|Halloween|New Year's|Weihnachten"
    r"|Ostern|No\u00ebl"
    r"|P\u00e2ques|Navidad)(?: Day| Eve)?,? (?:of )?(?:19|20)\d\d(?!\w)"
)


@cache
def _joined() -> re.Pattern[str]:
    months = "|".join(
        sorted((shape(m) for m in table()["months"].split() if len(m) < 5), key=len)
    )
    return re.compile(rf"\d(?<![\w./,-]\d)\d?(?i:{months})(?:19|20)?\d\d(?!\w)")


_IN_WORDS: Final = (
    r"(?:ninety(?:[ -](?:one|two|three|four|five|six|seven|eight|nine))?"
    r"|(?:a|one) hundred(?: and \w{3,8})?"
    r"|quatre-vingt-(?:dix(?:-(?:sept|huit|neuf))?|onze|douze|treize|quatorze|quinze|seize)"
    r"|cent(?: (?:un|deux|trois|quatre|cinq))?|nonante(?:[ -]\w{3,6})?"
    r"|noventa(?: y (?:uno?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve))?"
    r"|cien(?:to (?:uno?|dos|tres|cuatro|cinco))?"
    r"|(?:ein|zwei|drei|vier|f\u00fcnf|sechs|sieben|acht|neun)?(?:und)?neunzig|hundert)"
)
_OLD: Final = re.compile(
    # 93-year-old, 97F, 96-jährige, 94 ans, 92 años, 91 Jahre alt
    r"\d(?<![\w.,/-]\d)(?:(?<=9)\d|(?<=1)[01]\d)(?:"
    r"[ -]?(?:years?|yrs?|yo\b|y/o|y\.? ?o\.?|j\u00e4hrige?[nrs]?|[jJ]\.(?!\w)"
    r"|Jahre?n?|ans?\b|a\u00f1os?)(?:[ -](?:old|alte?[nrs]?))?"
    r"|(?: ?-?(?:[FMfmWw\u2640\u2642](?![\w.])))(?=[ ,.;:)]|$))"
)
_TOLD: Final = re.compile(
    r"(?<!\w)(?i:aged?|turned|turns|turning|alter|\u00e2ge|\u00e2g\u00e9e?|edad"
    r"|is now|now|age of|de"
    r"|i am|i'm|im|she's|he's|will be|'ll be"
    r"|(?:he|she|pt|patient|who|mother|father|wife|husband) is)"
    r"[ ]?[:=]?[ ]?(?P<it>9\d|1[01]\d)(?![\w%/]|[.,]\d| ?(?:mg|kg|cm|ml|mm|%|bpm"
    r"|beats|units))"
)
_OLD_ENOUGH: Final = re.compile(r"(?<![\w.,/])(?:9\d|1[01]\d)(?![\d%/])")
_TOLD_IN_WORDS: Final = re.compile(
    rf"(?<!\w)(?i:(?P<it>{_IN_WORDS})(?P<years>[ -]?(?:years?|yrs?"
    rf"|j\u00e4hrige?[nrs]?|Jahre?"
    rf"|ans|a\u00f1os)(?!\w)(?:[ -](?:old|alte?[nrs]?))?)?)(?!\w)"
)
_BIRTHDAY: Final = re.compile(
    r"(?<!\w)(?:9\d|1[01]\d)(?:st|nd|rd|th|\.|e|\u00e8me|\u00ba)? (?i:birthday"
    r"|geburtstag|anniversaire"
    r"|cumplea\u00f1os)"
)
_NINE: Final = re.compile(
    r"(?i:ninet|hundre|quatre-vingt|cent|nonant|novent|cien|neunz)"
)
_IS: Final = re.compile(
    r"(?i:(?<!\w)(?:aged?|is|was|turned|now|at|est|a|tiene|cumpli\u00f3|ist|wurde"
    r"|mit)[:,]? )$"
)
_WARM: Final = re.compile(
    r"(?i:temp\w*|fever\w*|\bt[: =]|\btmax|\u00b0|degrees?|febrile|spo2|sats?\b|oxygen)"
)


def ages(page: TextPage) -> Iterator[Found]:
    """Ages from ninety on, in digits and in words."""
    form = page.form
    for match in _OLD.finditer(form):
        written = match.group()
        start, end = match.span()
        if written[-1] in "FMfmWw" and _is_no_age(form, start, end):
            continue
        yield "AGE", start, end, True
    if _OLD_ENOUGH.search(form):
        for match in _TOLD.finditer(form):
            if form[match.start()] not in "dD" or _years_follow(form, match.end()):
                yield "AGE", *match.span("it"), True
        for match in _BIRTHDAY.finditer(form):
            yield "AGE", *match.span(), True
    for first in _NINE.finditer(form):
        start = form.rfind(" ", 0, first.start()) + 1
        match = _TOLD_IN_WORDS.match(form, max(start, first.start() - 12))
        if match is None:
            match = _TOLD_IN_WORDS.match(form, first.start())
        if match is None:
            continue
        before = form[max(0, match.start() - BEFORE) : match.start()]
        if match["years"]:
            yield "AGE", *match.span(), True
        elif len(match["it"]) > 6 and _IS.search(before):
            yield "AGE", *match.span("it"), False


def _years_follow(form: str, at: int) -> bool:
    return re.match(r" (?:ans|a\u00f1os)\b", form[at : at + 8]) is not None


def _is_no_age(form: str, start: int, end: int) -> bool:
    """A temperature in Fahrenheit, a length in metres."""
    around = form[max(0, start - BEFORE) : start] + form[end : end + 6]
    lone = form[end - 2 : end - 1] == " "
    return _WARM.search(around) is not None or (lone and form[end - 1] not in "FM")
