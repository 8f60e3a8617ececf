"""Doses in a text: drug, amount, unit, route and frequency, each with its place."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Final, Literal

from medassist.safety.drug_names import WORD, DrugMention, Span, mentions
from medassist.safety.language import whose_rules
from medassist.safety.language.spoken import ENGLISH
from medassist.text.frequencies import Frequency, frequencies
from medassist.text.numbers import Signs
from medassist.text.quantities import Quantity, decimal_signs, quantities

BEFORE: Final = 60
"""Characters before an amount in which its drug is looked for."""
AFTER: Final = 70
"""Characters after it in which route, frequency or drug are looked for."""

Family = Literal["mass", "units", "amount", "volume", "tablet", "puff", "drop"]
_FAMILIES: Final[dict[str, Family]] = {
    "mg": "mass",
    "unit": "units",
    "mmol": "amount",
    "meq": "amount",
    "ml": "volume",
    "tablet": "tablet",
    "puff": "puff",
    "drop": "drop",
}
_NO_DOSE: Final = frozenset({"l", "dl"})
"""Litres are infused and breathed, and what is given for a litre is measured."""
_IN_ALL: Final = re.compile(
    r"\s?(?:in\s(?:total|all)|insgesamt|au\stotal|en\stotal)\b"
    r"|\s?(?:(?:per|a|each)\sday|(?:pro|am)\stag|par\sjour|(?:al|por)\sd[ií]a"
    r"|/\s?(?:j(?:our)?|tag|d[ií]a))\b"
    r"|[^.;\n\d]{0,20}\b(?:in\s(?:\w{1,6}\s)?(?:divided|separate)\sdoses|verteilt\sauf"
    r"|aufgeteilt|in\s\w{1,6}\seinzel(?:dosen|gaben)|en\s\w{1,6}\s(?:prises|tomas)"
    r"|dividid[oa]s?|repartid[oa]s?|réparti(?:e?s)?|fraccionad[oa]s?)\b",
    re.IGNORECASE,
)
_ROUTE: Final = re.compile(
    # No word that begins otherwise needs to be looked at.
    r"\b(?=[beinoprstvz])"
    r"(?:(?P<oral>po|p\.o|per\sos|orally|oral|by mouth|(?:par\s)?voie\sorale|vo|v\.o"
    r"|(?:por\s)?v[ií]a\soral|por\sboca|par\sla\sbouche|zum\seinnehmen|peroral)"
    r"|(?P<iv>iv|i\.v|ivd|ivl|ev|e\.v"
    r"|intraven(?:ous(?:ly)?|ös|oes|eu(?:x|se)|os[oa])|intravein(?:eux|euse))"
    r"|(?P<im>im|i\.m|intramus[ck]ul(?:ar(?:ly)?|är|aire))"
    r"|(?P<sc>sc|s\.c|subcut\w{0,10}|subkutan|sous[- ]cutanée?|subcután\w{1,3}|sq)"
    r"|(?P<rectal>pr|re[ck]tal(?:ly)?|rectale)"
    r"|(?P<inhaled>inhaled|nebuli[sz]ed|inhalation|nebs?|inhalativ|inhalada)"
    r"|(?P<sublingual>sublinguale?(?:ly)?|s/l|buccal)|(?P<topical>topical(?:ly)?)"
    r"|(?P<transdermal>patch(?:es)?|transdermale?|pflaster|parches?)"
    r"|(?P<nasal>intranasale?(?:ly)?|nasal))\b",
    re.IGNORECASE,
)
_DAILY_BEFORE: Final = re.compile(
    r"\b(?:(?:daily|24[- ]?h(?:ours?)?)\s(?:dose|dosage|total|maximum|max|limit)"
    r"|(?:maximum|max\.?|total)\sdaily(?:\sdose)?|tages(?:höchst|maximal|gesamt)?dosis"
    r"|dose\s(?:maximale\s|totale\s)?(?:journalière|quotidienne)"
    r"|dosis\s(?:máxima\s|total\s)?diaria)[^.;\n\d]{0,25}$",
    re.IGNORECASE,
)
_CAN_BE_DAILY: Final = re.compile(
    r"\b(?:max|total|24|daily\sd|daily\sl|tages|dose\s|dosis\s)", re.IGNORECASE
)
"""Without it no text has what `_DAILY_BEFORE` and `_DAILY_AFTER` look for."""
_DAILY_AFTER: Final = re.compile(
    r"(?:\s(?:i\.?v|s\.?c|p\.?o)\b\.?)?\s?(?:in|per|over|every|within|über|binnen|innerhalb\svon|pro|en|sur|par|pendant"
    r"|durante|por)\s(?:any\s|a\s|las\s|los\s|les\s)?24[- ]?(?:h|std|stunden)",
    re.IGNORECASE,
)
_INTO_A_VOLUME: Final = re.compile(
    r"\s?(?:in|to|into|with|dans|en|ad|auf)\s(?:a\s|un\s)?"
    r"(?:\d[\d.,\s]{0,6}(?:ml|cc|l|lit(?:er|re|ro)s?)\b|lit(?:er|re|ro)\b)",
    re.IGNORECASE,
)
"""What a dose is put into to be infused; the volume follows at once."""
_GIVEN: Final = (
    r"give|giving|use|using|start|begin|inject|administer|take|be|with|at|as|an?|the|dose"
    r"|of|mit|einer?|der|dosis|von|donner|commencer|débuter|par|avec|une?|de|à"
    r"|empiece|empezar|comience|dar|dé|administre|con|una"
)
_RULED_OUT: Final = re.compile(
    r"\b(?:never|not|nie|niemals|nicht|keine?|pas|jamais|nunca|no)"
    rf"(?:[^\S\n]+(?:{_GIVEN})\b){{0,4}}[^\S\n]+[*_]{{0,2}}$",
    re.IGNORECASE,
)
"""What stands before an amount that is named as what not to give."""
_LOOKED_AT: Final = re.compile(
    r"\b(?:(?:re)?check\w*|monitor\w*|measur\w*|observ\w*|test\w*|review\w*|watch\w*"
    r"|(?:re)?assess\w*|titrat\w*|adjust\w*|increas\w*|kontroll\w*|messe?n?|messung\w*"
    r"|überwach\w*|bestimm\w*|steiger\w*|erhöh\w*|contr[ôo]l\w*|surveill\w*|mesur\w*"
    r"|augment\w*|vigil\w*|med(?:ir|ici[oó]n\w*)|aument\w*|ajust\w*)",
    re.IGNORECASE,
)
"""What is done at intervals beside giving: "10 units, check the glucose every hour"."""
_DENIED: Final = re.compile(
    r"\b(?:never|not|nie|niemals|nicht|pas|jamais|nunca|no|rather\sthan|instead\sof|statt"
    r"|anstatt|au\slieu\sd[e'\u2019])\W{0,3}(?:(?:be|given|taken|take|a|en|prise?|se\sda)\W{1,2}){0,2}$",
    re.IGNORECASE,
)
"""What stands before a frequency that is named as the wrong one: "never daily"."""
_OF_STRENGTH: Final = re.compile(
    r"\s{0,2}(?:of|zu(?:\sje)?|von|à|a|de|con)\s{1,2}(?:je\s)?$", re.IGNORECASE
)
"""What joins a count of tablets to the strength of one: "2 comprimidos de 5 mg"."""
# What begins a row of a table, an item of a list, a heading or a quotation.
_NEW_LINE: Final = (
    r"\n(?=[ \t]*(?:[|+>#\u2022\u2023\u25aa\u25e6]|[-*\u2013]\s|\d{1,2}[.)]\s))"
)
_ENDS: Final = re.compile(
    # No other sign needs to be looked at.
    rf"(?=[!?;\n|.])(?:[!?;\n](?:\s|$)|{_NEW_LINE}|\|[ \t]*\n"
    r"|\.(?:$|\s(?![a-z\d])|(?<!\.[a-zA-Z]\.)(?<!\b[Tt]gl\.)(?<!\btägl\.)\s))"
)
"""The end of a sentence, or of what a line says; "p.o. 1x tgl. " goes on."""
_THREE_AFTER_A_POINT: Final = re.compile(r"(?<![\d.])[1-9]\d{0,2}\.\d{3}(?!\d)")
_COMMA: Final[Signs] = frozenset({"comma"})
_LINE_GOES_ON: Final = re.compile(r"\n[ \t]*(?=[a-z\u00df-\u00ff\d(])")
_DIGIT: Final = re.compile(r"\d")
_AMOUNT_AHEAD: Final = re.compile(r"[\s:*_]{1,4}\d")


@dataclass(frozen=True, slots=True)
class Dose:
    """A dose that a text names.

    Attributes:
        drug: Its name; empty if none stands by it.
        low: The amount, or the lower end of the range that is given, in `unit`; where
            it can be read in several ways, the likelier one.
        high: The upper end; equal to `low` where one amount is given.
        readings: Lowest and highest amount in mg, units, mmol or mL, for each way in
            which it can be read.
        unit: As written, in small letters.
        family: What the unit measures.
        per: What it is given for, by the names of units: ("kg", "day").
        route: By which way; empty if it is not said.
        times_a_day: How often a day; 1/7 is weekly, 0 once only, None not said.
        least_a_day: The same; of "every 4 to 6 hours" the longer interval counts.
        diluted: It is put into a volume, of which it need not be given whole.
        ruled_out: It is named as what not to give.
        span: Characters of amount and unit.
        parts: Characters of drug, route and frequency, where they stand.
    """

    drug: str
    low: float
    high: float
    readings: tuple[tuple[float, float], ...]
    unit: str
    family: Family
    per: tuple[str, ...]
    route: str
    times_a_day: float | None
    least_a_day: float | None
    diluted: bool
    ruled_out: bool
    span: tuple[int, int]
    parts: tuple[tuple[int, int], ...]

    @property
    def by_weight(self) -> bool:
        """Whether the dose is told per kilogram of the body."""
        return "kg" in self.per

    @property
    def in_doubt(self) -> bool:
        """Whether it can be read in more than one way."""
        return len(self.readings) > 1


@lru_cache(maxsize=8)
def find_doses(text: str) -> tuple[Dose, ...]:
    """Every amount with a unit of dose in `text`, in order; never raises.

    Concentrations (mg/dL, mmol/L) are laboratory values and are left out. The texts
    that were read last are remembered: the marks in an answer, its own check and the
    comparison with the other answer ask for the same ones.
    """
    return tuple(_doses(text))


def _doses(text: str) -> Iterator[Dose]:
    read = quantities(text, _COMMA) if _has_commas(text) else quantities(text)
    found = [one for one in read if _is_dose(one)]
    often = frequencies(text)
    starts = [one.start for one in often]
    named = _Named(text, mentions(text))
    daily = _CAN_BE_DAILY.search(text) is not None
    tablets: Quantity | None = None
    for one, after in zip_longest(found, found[1:]):
        if after is not None and _is_strength(text, one, after):
            tablets = one
            continue
        counted, tablets = tablets, None
        many = (counted.low[0], counted.high[0]) if counted else (1.0, 1.0)
        start = counted.start if counted else one.start
        tail_end = one.end + AFTER
        ends = _ENDS.search(text, one.end, tail_end)
        tail_end = ends.start() if ends else min(tail_end, len(text))
        if after is not None:
            tail_end = min(tail_end, after.start)
        tail_end = named.end_of_line(one.end, tail_end)
        drug, drug_span = named.near(start, one.end, tail_end)
        route = _ROUTE.search(text, one.end, tail_end)
        first = bisect_left(starts, one.end)
        how_often = _how_often(text, often[first : first + 2], one.end, tail_end)
        per = one.per
        if "day" not in per and (
            _IN_ALL.match(text, one.end)
            or (daily and _DAILY_AFTER.match(text, one.end))
            or (daily and _DAILY_BEFORE.search(text, max(0, start - 50), start))
        ):
            per = (*per, "day")
        spans = [drug_span] if drug_span else []
        spans += [route.span()] if route else []
        spans += [(how_often.start, how_often.end)] if how_often else []
        times = how_often.by_day if how_often else None
        if times is None and "day" in per:
            times = 1
        elif times is None and "week" in per:
            times = 1 / 7
        least = how_often.least_by_day if how_often else times
        yield Dose(
            drug,
            one.low[0] * many[0],
            max(one.low[0] * many[0], one.high[0] * many[1]),
            tuple((min(key) * many[0], max(key) * many[1]) for key in one.keys),
            one.written,
            _family(one),
            per,
            str(route.lastgroup) if route else "",
            times,
            least,
            _INTO_A_VOLUME.match(text, one.end) is not None,
            _RULED_OUT.search(text, max(0, start - 40), start) is not None,
            (start, one.end),
            tuple(spans),
        )


def _how_often(
    text: str, after: Sequence[Frequency], start: int, end: int
) -> Frequency | None:
    """Of the frequencies after a dose the first that is the dose's."""
    for one in after:
        # "qds." at the end of a sentence has its full stop within.
        if one.end > end + 1 or _LOOKED_AT.search(text, start, one.start):
            return None
        if not _DENIED.search(text, start, one.start):
            return one
    return None


def _has_commas(text: str) -> bool:
    """Whether the language of `text` has a decimal comma, and no number tells it.

    "50.000 IE" is fifty thousand in German.
    """
    if not _THREE_AFTER_A_POINT.search(text) or decimal_signs(text):
        return False
    rules = whose_rules(text)
    return bool(rules) and ENGLISH not in rules


def _is_strength(text: str, one: Quantity, after: Quantity) -> bool:
    """Whether `one` counts tablets of which `after` says the strength."""
    return (
        one.unit is not None
        and one.unit.name == "tablet"
        and _family(after) in ("mass", "units")
        and after.start - one.end <= 12
        and _OF_STRENGTH.match(text, one.end, after.start) is not None
    )


def _is_dose(one: Quantity) -> bool:
    if one.unit is None or one.unit.of not in _FAMILIES:
        return False
    return one.unit.name not in _NO_DOSE and not _NO_DOSE & {*one.per}


def _family(one: Quantity) -> Family:
    return _FAMILIES[one.unit.of if one.unit else "mg"]


class _Named:
    """Which of the drugs that a text names an amount is of."""

    def __init__(self, text: str, mentions: Sequence[DrugMention]) -> None:
        self._text, self._mentions = text, mentions
        self._starts = [mention.start for mention in mentions]

    def near(self, start: int, end: int, tail_end: int) -> tuple[str, Span | None]:
        """The drug before the amount, nearest first; else one right after it.

        A line is read by itself: only where it has no drug, and goes on from the one
        before, is the drug looked for there.
        """
        text = self._text
        first = max(0, start - BEFORE)
        for stop in _ENDS.finditer(text, first, start + 1):
            if stop.start() < start:
                first = min(stop.end(), start)
        line = max(first, text.rfind("\n", first, start) + 1)
        before = self._last(first, start)
        if before is not None and before.start >= line:
            return before.name, before.span
        newline = text.find("\n", end, tail_end)
        near = min(newline if newline >= 0 else tail_end, end + 40)
        comma = text.find(",", end, near)
        after = self._next(end, comma if comma >= 0 else near, most=3)
        # "1 g, ibuprofen 400 mg": a name right before the next amount is that one's.
        if after is not None and not _AMOUNT_AHEAD.match(text, after.end):
            return after.name, after.span
        # "Aspirin 300 mg" in the line above has its amount already.
        if before is not None and not _DIGIT.search(text, before.end, line):
            return before.name, before.span
        return "", None

    def end_of_line(self, start: int, end: int) -> int:
        """Where the line ends, but for one that goes on and names no drug there."""
        newline = self._text.find("\n", start, end)
        if newline < 0:
            return end
        goes_on = _LINE_GOES_ON.match(self._text, newline)
        if not goes_on or self._next(newline, end, most=2) is not None:
            return newline
        return end

    def _last(self, start: int, end: int) -> DrugMention | None:
        at = bisect_left(self._starts, end) - 1
        found = self._mentions[at] if at >= 0 else None
        return found if found and found.start >= start and found.end <= end else None

    def _next(self, start: int, end: int, most: int) -> DrugMention | None:
        """The first in a part of the text, if it is among its first `most` words."""
        at = bisect_left(self._starts, start)
        found = self._mentions[at] if at < len(self._mentions) else None
        if found is None or found.end > end:
            return None
        between = WORD.findall(self._text, start, found.start)
        return found if len(between) < most else None
