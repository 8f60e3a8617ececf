"""Dosing frequencies: `twice daily`, `bd` and `every 12 hours` are the same.

German, French and Spanish are read too: `zweimal täglich`, `1-0-1`, `cada 12 horas`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from medassist.text.numbers import NUMBER, NUMBER_OPENS, readings

_DAY: Final = r"\s{1,2}(?:a\s{1,2}day|daily|per\s{1,2}day)"
_WEEK: Final = r"\s{1,2}(?:a\s{1,2}week|weekly|per\s{1,2}week)"
_BY_DAY: Final[tuple[tuple[float, str], ...]] = (
    (1.0, rf"\bonce{_DAY}|\bo\.?d\b\.?|\bq\.?d\b\.?"),
    (2.0, rf"\b(?:twice|two\s+times){_DAY}|\bb\.?[id]\.?d?\b\.?(?<!\bb)"),
    (
        3.0,
        rf"\b(?:three\s+times|thrice|3\s?times|3\s?x){_DAY}|\bt\.?[di]\.?[sd]\b\.?",
    ),
    (4.0, rf"\b(?:four\s+times|4\s?times|4\s?x){_DAY}|\bq\.?[di]\.?[sd]\b\.?"),
    (5.0, rf"\b(?:five\s+times|5\s?times|5\s?x){_DAY}"),
    (6.0, rf"\b(?:six\s+times|6\s?times|6\s?x){_DAY}"),
    (8.0, rf"\b(?:eight\s+times|8\s?times|8\s?x){_DAY}"),
    (24.0, r"\bevery\s+hour\b|(?<![\d-])\bhourly\b"),
    (
        1 / 7,
        rf"\bonce{_WEEK}|\bonce\s{{1,2}}every\s{{1,2}}week"
        r"|\b(?:weekly|every\s+week|per\s+week)\b|/(?:week|wk)\b",
    ),
    (2 / 7, rf"\b(?:twice|two\s+times){_WEEK}"),
    (3 / 7, rf"\b(?:three\s+times|thrice){_WEEK}"),
    (0.0, r"\b(?:stat|single\s+dose|once(?!\s+(?:every|in)\b))\b"),
    (
        1.0,
        r"\b(?:daily|nightly|(?:every|each)\s+(?:day|morning|evening|night)|a\s+day"
        r"|per\s+day|nocte|mane|at\s+(?:night|bedtime)|in\s+the\s+(?:morning|evening)"
        r"|qhs|qam|qpm)\b",
    ),
)
_TIMES_ELSEWHERE: Final[dict[str, int]] = {
    "einmal": 1, "zweimal": 2, "dreimal": 3, "viermal": 4, "fünfmal": 5, "sechsmal": 6,
    "achtmal": 8, "une fois": 1, "deux fois": 2, "trois fois": 3, "quatre fois": 4,
    "cinq fois": 5, "six fois": 6, "huit fois": 8, "una vez": 1, "dos veces": 2,
    "tres veces": 3, "cuatro veces": 4, "cinco veces": 5, "seis veces": 6,
    "ocho veces": 8,
}  # fmt: skip
_DAY_ELSEWHERE: Final = (
    r"t(?:ä|ae)glich\b|t(?:ä|ae)?gl\b\.?|(?:am|pro)\s+tag\b|par\s+jour\b"
    r"|(?:al|por)\s+d[ií]a\b|diari[ao]s?\b|diariamente\b|/\s?(?:j(?:our)?|tag|d[ií]a)\b"
)
_WEEK_ELSEWHERE: Final = (
    r"(?:pro|in\s+der)\s+woche\b|w(?:ö|oe)chentlich\b|par\s+semaine\b"
    r"|(?:a\s+la|por)\s+semana\b|semanal(?:es|mente)?\b|/\s?(?:woche|semaine|sem|semana)\b"
)
_DAILY_ELSEWHERE: Final = (
    r"morgens|abends|mittags|nachts|zur\s+nacht|jeden\s+(?:tag|morgen|abend)"
    r"|le\s+(?:matin|soir|midi)|au\s+coucher|chaque\s+(?:jour|matin|soir)"
    r"|tous\s+les\s+(?:jours|matins|soirs)|quotidien(?:ne|nement)?"
    r"|(?:por|en)\s+la\s+(?:mañana|noche|tarde)|al\s+acostarse|cada\s+d[ií]a"
    r"|todos\s+los\s+d[ií]as"
)
_TWICE_ELSEWHERE: Final = (
    r"morgens\s+und\s+abends|(?:le\s+)?matin\s+et\s+(?:le\s+)?soir"
    r"|(?:por\s+la\s+)?mañana\s+y\s+(?:por\s+la\s+)?noche"
)
_THRICE_ELSEWHERE: Final = (
    r"morgens,?\s+mittags\s+und\s+abends|(?:le\s+)?matin,?\s+(?:le\s+)?midi\s+et\s+(?:le\s+)?soir"
    r"|mañana,?\s+tarde\s+y\s+noche|desayuno,?\s+comida\s+y\s+cena"
)
_HOURLY_ELSEWHERE: Final = (
    r"st(?:ü|ue)ndlich|jede\s+stunde|toutes\s+les\s+heures|chaque\s+heure|cada\s+hora"
)
_WEEKLY_ELSEWHERE: Final = (
    r"jeden\s+(?:mon|diens|donners|frei|sams|sonn)tag|jeden\s+mittwoch|(?:mon|diens|donners"
    r"|frei|sams|sonn)tags|mittwochs|(?:tous\s+les|chaque|le)\s+(?:lundi|mardi|mercredi"
    r"|jeudi|vendredi|samedi|dimanche)s?|(?:cada|los|el|todos\s+los)\s+(?:lunes|martes"
    r"|mi[ée]rcoles|jueves|viernes|s[áa]bados?|domingos?)"
)
_ELSEWHERE: Final = (
    rf"(?:(?:(?P<often>{'|'.join(_TIMES_ELSEWHERE)})"
    r"|(?P<digit>[1-9])\s?(?:x|\u00d7|mal|fois|vez|veces))\s{0,2})?"
    rf"(?:(?P<by_day>{_DAY_ELSEWHERE})|(?P<by_week>{_WEEK_ELSEWHERE}))"
    rf"|\b(?P<thrice>{_THRICE_ELSEWHERE})\b|\b(?P<weekly>{_WEEKLY_ELSEWHERE})\b"
    rf"|\b(?P<both>{_TWICE_ELSEWHERE})\b|\b(?P<once>{_DAILY_ELSEWHERE})\b"
    rf"|(?<![\d-])\b(?P<by_hour>{_HOURLY_ELSEWHERE})\b"
    r"|(?<![\d-])(?P<scheme>[0-4]-[0-4]-[0-4](?:-[0-4])?)(?![\d-])"
)
_OPENS_ELSEWHERE: Final = (
    r"|/(?=\s?[jtds])|\b(?=(?:ein|zwei|drei|vier|fünf|sechs|acht)mal|(?:une|deux|trois"
    r"|quatre|cinq|six|huit)\sfois|(?:una|dos|tres|cuatro|cinco|seis|ocho)\sve|tä?gl|taegl|am\stag"
    r"|pro\s[tw]|par\s[js]|al\s[da]|por\s[dls]|diari|in\sder\sw|w[öo]e?ch|a\sla\ss|semanal|morgens|abends"
    r"|mittags|nachts|zur\sn|jeden?\s|st(?:ü|ue)ndl|le\s[ms]|au\sc|chaque|tous\s"
    r"|quotid|en\sla|cada\s|todos\s|matin[\s,]|mañana|alle\s|toutes\s|c/|desayuno|(?:mon|diens|donners|frei|sams"
    r"|sonn)tags|mittwochs|le\s[ljvd]|los\s|el\s[lmjvsd])"
)
_TIMES: Final = "|".join(f"(?P<f_{i}>{form})" for i, (_, form) in enumerate(_BY_DAY))
_IN_ENGLISH: Final = (
    rf"{_TIMES}"
    rf"|\b(?:every\s+|q\.?\s?)(?P<hours>(?:(?<=q)\d{{1,2}}|{NUMBER}))"
    rf"(?:\s{{0,2}}(?:[-\u2013]|to|or)\s{{0,2}}(?P<until>{NUMBER}))?"
    r"[\s-]{0,3}(?P<unit>h(?:ou)?rs?|h|hourly|days?|weeks?)\b"
    rf"|(?P<hourly>{NUMBER})[\s-]{{0,3}}hourly\b"
)
FREQUENCY: Final = re.compile(_IN_ENGLISH, re.IGNORECASE)
"""Pattern of a frequency; of its own it is tried everywhere, unlike in `matches`."""
_OPENS_IN_ENGLISH: Final = (
    rf"{NUMBER_OPENS}|/(?=w)|\b(?=hourly|on|o\.?d|q|tw|b\.?[id]|th|t\.?[di]|we|ev|pe|st|si|da"
    r"|a\s|no|ma|at\s|ea|nightl|in\sthe\s)"
)
_OPENS: Final = re.compile(_OPENS_IN_ENGLISH, re.IGNORECASE)
"""Beginnings of the forms of `FREQUENCY`; where none stands, none is tried."""
_COUNTS: Final = re.compile(r"[^a-z]{1,20}[htx]", re.IGNORECASE)
"""What every frequency of English that begins with digits does: 3 times, 8 hourly."""
_NUMBERS_ELSEWHERE: Final = {
    "zwei": 2, "drei": 3, "vier": 4, "sechs": 6, "acht": 8, "zwölf": 12, "deux": 2,
    "trois": 3, "quatre": 4, "huit": 8, "douze": 12, "dos": 2, "tres": 3, "cuatro": 4,
    "seis": 6, "ocho": 8, "doce": 12, "veinticuatro": 24, "vierundzwanzig": 24,
}  # fmt: skip
_INTERVAL_ELSEWHERE: Final = (
    r"\b(?:(?:alle|toutes\s+les|cada)\s+|c/\s?)"
    rf"(?P<hours_elsewhere>{NUMBER}|{'|'.join(_NUMBERS_ELSEWHERE)})"
    rf"(?:\s{{0,2}}(?:[-\u2013]|bis|à|a|o)\s{{0,2}}(?P<until_elsewhere>{NUMBER}))?"
    r"\s{0,2}(?P<unit_elsewhere>stunden|std|h(?:eures|oras)?|tage|jours|d[ií]as"
    r"|wochen|semaines|semanas)\b"
    r"|(?<!\d)(?P<hours_apart>\d{1,2})[\s-]{0,2}st(?:ü|ue)ndlich\b"
)
_FREQUENCY_ANYWHERE: Final = re.compile(
    rf"{_IN_ENGLISH}|{_INTERVAL_ELSEWHERE}|{_ELSEWHERE}", re.IGNORECASE
)
_OPENS_ANYWHERE: Final = re.compile(_OPENS_IN_ENGLISH + _OPENS_ELSEWHERE, re.IGNORECASE)
_SIGNS_ELSEWHERE: Final = (
    "tägl", "taegl", "tgl", "einmal", "zweimal", "dreimal", "viermal", "mal t",
    "mal am", "mal pro", " tag", "/tag", "woch", "wöch", "nacht", "morgen", "abend",
    "mittag", "alle ", " jour", "/j", "fois", "semai", "matin", "le soir",
    "et soir", "coucher", "quotid", "toutes", "al d", "por ", "vez", "veces", "día",
    "/dia", "diari", "ndlich", "stunde", "semana", "noche", "mañana", "cada ",
    "acostarse", "-0-", "-1-", "0-1", "/sem", "midi", "c/", "tags", "mittwochs",
    "lundi", "mardi",
    "mercredi", "jeudi", "vendredi", "samedi", "dimanche", "lunes", "martes", "rcoles",
    "jueves", "viernes", "bado", "domingo", "desayuno",
)  # fmt: skip
"""Where none of them stands, nothing of another language than English is looked for."""
_HOURS: Final = {
    "d": 24.0, "w": 168.0, "h": 1.0, "t": 24.0, "j": 24.0, "sem": 168.0, "s": 1.0
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frequency:
    """Frequency at which something is given, with its place in the text.

    Attributes:
        start: Its first character.
        end: The character after it.
        by_day: How often a day; 1/7 is weekly, 0 once only.
        least_by_day: The same of the longer interval of "every 4 to 6 hours".
    """

    start: int
    end: int
    by_day: float
    least_by_day: float


@lru_cache(maxsize=64)
def frequencies(text: str) -> tuple[Frequency, ...]:
    """Every dosing frequency in `text`, in order."""
    return tuple(
        Frequency(
            match.start(),
            match.start() + len(match.group().rstrip()),
            by_day,
            _by_interval(match, _named(match, "until", "until_elsewhere")) or by_day,
        )
        for match in matches(text)
        if (by_day := _by_day(match)) is not None
    )


def pattern_of(text: str) -> re.Pattern[str]:
    """The forms that `text` can hold: those of English, or of all languages."""
    small = text.lower()
    elsewhere = any(sign in small for sign in _SIGNS_ELSEWHERE)
    return _FREQUENCY_ANYWHERE if elsewhere else FREQUENCY


def matches(text: str) -> Iterator[re.Match[str]]:
    """The matches of `FREQUENCY` in `text`, sought only where one can begin."""
    frequency = pattern_of(text)
    english = frequency is FREQUENCY
    opens = _OPENS if english else _OPENS_ANYWHERE
    end = 0
    for opening in opens.finditer(text):
        start = opening.start()
        if start < end or (
            english and text[start].isdigit() and not _COUNTS.match(text, start)
        ):
            continue
        if match := frequency.match(text, start):
            end = match.end()
            yield match


def _by_day(match: re.Match[str]) -> float | None:
    for i, (value, _) in enumerate(_BY_DAY):
        if match.group(f"f_{i}") is not None:
            return value
    number = match["hours"] or match["hourly"]
    if match.re is FREQUENCY:
        return _by_interval(match, number)
    if (match["by_day"] or match["by_week"]) is not None:
        times = _TIMES_ELSEWHERE.get(_one_space(match["often"] or ""), 1)
        times = int(match["digit"]) if match["digit"] else times
        return times / 7 if match["by_week"] else float(times)
    if match["thrice"] or match["weekly"]:
        return 3.0 if match["thrice"] else 1 / 7
    if match["once"] or match["both"]:
        return 2.0 if match["both"] else 1.0
    if match["by_hour"]:
        return 24.0
    if match["scheme"]:
        return float(sum(part != "0" for part in match["scheme"].split("-"))) or None
    return _by_interval(
        match, number or _named(match, "hours_elsewhere", "hours_apart")
    )


def _named(match: re.Match[str], *groups: str) -> str | None:
    """The first of some groups that took part, of those that the pattern has."""
    return next(
        (match[g] for g in groups if g in match.re.groupindex and match[g]), None
    )


def _one_space(written: str) -> str:
    return " ".join(written.lower().split())


def _by_interval(match: re.Match[str], number: str | None) -> float | None:
    if not number:
        return None
    named = (_named(match, "unit", "unit_elsewhere") or "h").lower()
    count = _NUMBERS_ELSEWHERE.get(number.lower()) or readings(number)[0]
    hours = count * _HOURS["sem" if named[:3] == "sem" else named[0]]
    return 24 / hours if hours else None
