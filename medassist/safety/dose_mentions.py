"""Doses in a text: drug, amount, unit, route and frequency, each with its place."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from medassist.frozen_model import FrozenModel
from medassist.safety.letters import folded
from medassist.text import units
from medassist.text.frequencies import frequencies
from medassist.text.quantities import Quantity, quantities

TABLE: Final = Path(__file__).with_name("doses.toml")
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
    r"\s?(?:(?:per|a|each)\sday|(?:pro|am)\stag|par\sjour|(?:al|por)\sd[ií]a"
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
_WORD: Final = re.compile(r"[^\W\d_](?:[^\W_]|-(?=[^\W_])){2,40}")
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
    r"\s?(?:in|per|over|every|within)\s(?:any\s|a\s)?24[- ]?h", re.IGNORECASE
)
# What begins a row of a table, an item of a list, a heading or a quotation.
_NEW_LINE: Final = (
    r"\n(?=[ \t]*(?:[|+>#\u2022\u2023\u25aa\u25e6]|[-*\u2013]\s|\d{1,2}[.)]\s))"
)
_ENDS: Final = re.compile(
    rf"[!?;\n](?:\s|$)|{_NEW_LINE}|\|[ \t]*\n"
    r"|\.(?:$|\s(?![a-z\d])|(?<!\.[a-zA-Z]\.)(?<!\b[Tt]gl\.)(?<!\btägl\.)\s)"
)
"""The end of a sentence, or of what a line says; "p.o. 1x tgl. " goes on."""
_LINE_GOES_ON: Final = re.compile(r"\n[ \t]*(?=[a-z\u00df-\u00ff\d(])")
_AMOUNT_AHEAD: Final = re.compile(r"[\s:*_]{1,4}\d")
Span = tuple[int, int]


class DrugRow(FrozenModel):
    """A row of doses.toml; its lines are explained at the head of that file."""

    also: tuple[str, ...] = ()
    abroad: tuple[str, ...] = ()
    unit: str = "mg"
    low: float | None = Field(None, gt=0)
    high: float | None = Field(None, gt=0)
    iv: tuple[float, float] | None = None
    day: float | None = Field(None, gt=0)
    alert: bool = False
    strict: bool = False
    weekly: bool = False
    renal: bool = False
    never: tuple[str, ...] = ()
    never_said: str = Field("", alias="never-said")
    never_source: str = Field("", alias="never-source")
    source: str


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug whose doses are looked at.

    Attributes:
        name: As the table has it.
        row: What the table says of it.
    """

    name: str
    row: DrugRow

    @property
    def other_names(self) -> tuple[str, ...]:
        """Other names of the drug, in any language."""
        return (*self.row.also, *self.row.abroad)

    @property
    def source(self) -> str:
        """The page that was read; "none" where nothing could be opened."""
        return self.row.source

    @property
    def sourced(self) -> bool:
        """Whether warnings may stand on this row."""
        return self.source != "none"

    def usual(self, route: str) -> tuple[float | None, float | None]:
        """Smallest and largest usual single dose by `route`, in the row's unit."""
        row = self.row
        if row.iv is None:
            return row.low, row.high
        if route in ("iv", "im", "sc"):
            return row.iv
        lows = [low for low in (row.low, row.iv[0]) if low is not None]
        highs = [high for high in (row.high, row.iv[1]) if high is not None]
        return min(lows), highs[0] if route else max(highs)


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


@cache
def drugs() -> tuple[Drug, ...]:
    """The rows of doses.toml.

    Raises:
        ValueError: the table is not as it should be.
    """
    rows = tomllib.loads(TABLE.read_text("utf-8"))
    found = tuple(
        Drug(name, DrugRow.model_validate(row))
        for name, row in rows.items()
        if name != "read"
    )
    for drug in found:
        if drug.sourced and (
            drug.row.high is None or units.unit(drug.row.unit) is None
        ):
            raise ValueError(f"{TABLE.name}: the row {drug.name} lacks a value")
    return found


@cache
def names() -> dict[str, Drug]:
    """Every name of every drug of the table, in small letters."""
    return {
        name.lower(): drug
        for drug in drugs()
        for name in (drug.name, *drug.other_names)
    }


@cache
def _endings() -> tuple[str, ...]:
    rows = tomllib.loads(TABLE.read_text("utf-8"))
    return tuple(str(rows["read"]["endings"]).split())


@lru_cache(maxsize=8)
def find_doses(text: str) -> tuple[Dose, ...]:
    """Every amount with a unit of dose in `text`, in order; never raises.

    Concentrations (mg/dL, mmol/L) are laboratory values and are left out. The texts
    that were read last are remembered: the marks in an answer, its own check and the
    comparison with the other answer ask for the same ones.
    """
    return tuple(_doses(text))


def _doses(text: str) -> Iterator[Dose]:
    found = [one for one in quantities(text) if _is_dose(one)]
    often = frequencies(text)
    starts = [one.start for one in often]
    daily = _CAN_BE_DAILY.search(text) is not None
    for one, after in zip_longest(found, found[1:]):
        tail_end = one.end + AFTER
        ends = _ENDS.search(text, one.end, tail_end)
        tail_end = ends.start() if ends else min(tail_end, len(text))
        if after is not None:
            tail_end = min(tail_end, after.start)
        tail_end = _end_of_line(text, one.end, tail_end)
        drug, drug_span = _drug_near(text, one.start, one.end, tail_end)
        route = _ROUTE.search(text, one.end, tail_end)
        next_often = bisect_left(starts, one.end)
        how_often = often[next_often] if next_often < len(often) else None
        # "qds." at the end of a sentence has its full stop within.
        if how_often is not None and how_often.end > tail_end + 1:
            how_often = None
        per = one.per
        if "day" not in per and (
            _IN_ALL.match(text, one.end)
            or (daily and _DAILY_AFTER.match(text, one.end))
            or (daily and _DAILY_BEFORE.search(text, max(0, one.start - 50), one.start))
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
            one.low[0],
            max(one.low[0], one.high[0]),
            tuple((min(key), max(key)) for key in one.keys),
            one.written,
            _family(one),
            per,
            str(route.lastgroup) if route else "",
            times,
            least,
            (one.start, one.end),
            tuple(spans),
        )


def _end_of_line(text: str, start: int, end: int) -> int:
    """Where the line ends, but for one that goes on below and names no drug there."""
    newline = text.find("\n", start, end)
    if newline < 0:
        return end
    if not _LINE_GOES_ON.match(text, newline) or _mentions(text, newline, end, most=2):
        return newline
    return end


def _is_dose(one: Quantity) -> bool:
    if one.unit is None or one.unit.of not in _FAMILIES:
        return False
    return one.unit.name not in _NO_DOSE and not _NO_DOSE & {*one.per}


def _family(one: Quantity) -> Family:
    return _FAMILIES[one.unit.of if one.unit else "mg"]


def _drug_near(
    text: str, start: int, end: int, tail_end: int
) -> tuple[str, Span | None]:
    """The drug before the amount, nearest first; else one right after it.

    A line is read by itself: only where it has no drug, and goes on from the one
    before, is the drug looked for there.
    """
    first = max(0, start - BEFORE)
    for stop in _ENDS.finditer(text, first, start + 1):
        if stop.start() < start:
            first = min(stop.end(), start)
    line = max(first, text.rfind("\n", first, start) + 1)
    if before := _mentions(text, line, start):
        return before[-1]
    newline = text.find("\n", end, tail_end)
    near = text[end : min(newline if newline >= 0 else tail_end, end + 40)]
    after = _mentions(text, end, end + len(near.partition(",")[0]), most=3)
    # "1 g, ibuprofen 400 mg": a name right before the next amount is that one's.
    if after and not _AMOUNT_AHEAD.match(text, after[0][1][1]):
        return after[0]
    if line > first and (above := _mentions(text, first, line)):
        name, span = above[-1]
        # "Aspirin 300 mg" in the line above has its amount already.
        if not any(map(str.isdigit, text[span[1] : line])):
            return name, span
    return "", None


def named_drugs(text: str) -> Iterator[tuple[Drug, Span]]:
    """The drugs of the table that `text` names, with where."""
    words = list(_WORD.finditer(text))
    at = 0
    while at < len(words):
        drug, many = _of_table(words[at : at + MOST_WORDS])
        if drug is not None:
            yield drug, (words[at].start(), words[at + many - 1].end())
        at += many


def _mentions(
    text: str, start: int, end: int, most: int | None = None
) -> list[tuple[str, Span]]:
    """The drugs named in a part of `text`, in order, among its first `most` words."""
    words = list(_WORD.finditer(text, start, end))[:most]
    found: list[tuple[str, Span]] = []
    at = 0
    while at < len(words):
        drug, many = _of_table(words[at : at + MOST_WORDS])
        name = drug.name if drug else _by_its_end(words[at].group().lower())
        if name:
            found.append((name, (words[at].start(), words[at + many - 1].end())))
        at += many
    return found


def _of_table(words: Sequence[re.Match[str]]) -> tuple[Drug | None, int]:
    """The drug of the table that the first words name, and how many of them."""
    first = words[0].group().lower()
    for name, drug in _long_names().get(_bare(first), ()):
        said = words[: len(name)]
        if len(said) == len(name) and all(
            two.start() - one.end() <= BETWEEN and _bare(two.group()) == wanted
            for (one, two), wanted in zip(pairwise(said), name[1:], strict=True)
        ):
            return drug, len(name)
    return known_drug(first), 1


MOST_WORDS: Final = 4
"""Words that a name has at most."""
BETWEEN: Final = 3
"""Characters between two words of a name: "penicillin G benzathine"."""


@cache
def _long_names() -> dict[str, tuple[tuple[tuple[str, ...], Drug], ...]]:
    """Names of several words by the first, the longest first."""
    found: dict[str, list[tuple[tuple[str, ...], Drug]]] = {}
    for name, drug in names().items():
        words = tuple(_bare(word.group()) for word in _WORD.finditer(name))
        if len(words) > 1:
            found.setdefault(words[0], []).append((words, drug))
    return {
        first: tuple(sorted(rows, key=lambda row: -len(row[0])))
        for first, rows in found.items()
    }


_ENDINGS_ELSEWHERE: Final = (
    ("", "e"), ("e", ""), ("o", "e"), ("a", "e"), ("o", ""), ("a", ""),
    ("cilina", "cillin"), ("cilline", "cillin"), ("micina", "mycin"),
    ("mycine", "mycin"), ("ciclina", "cycline"), ("zyklin", "cycline"),
)  # fmt: skip
"""How names end in other languages, and in English: Pantoprazol, amlodipino."""


@lru_cache(maxsize=4096)
def _by_its_end(word: str) -> str:
    """`word`, in small letters, in English where it ends as names of drugs do."""
    if len(word) <= 5:
        return ""
    word = folded(word)
    changed = (
        word.removesuffix(theirs) + ours
        for theirs, ours in _ENDINGS_ELSEWHERE
        if word.endswith(theirs)
    )
    forms = (word, *changed)
    return next((form for form in forms if form.endswith(_endings())), "")


@lru_cache(maxsize=4096)
def known_drug(word: str) -> Drug | None:
    """The drug of the table that `word`, in small letters, names in any language."""
    known = names().get(word)
    if known is None and len(word) >= SHORTEST_ELSEWHERE:
        known = _bare_names().get(_bare(word))
    return known


SHORTEST_ELSEWHERE: Final = 6
"""Letters from which a name is known by its bare form."""
_SAME_SOUND: Final = (
    ("ph", "f"), ("th", "t"), ("y", "i"), ("k", "c"), ("z", "c"), ("ch", "c"),
)  # fmt: skip
_TWICE: Final = re.compile(r"(.)\1")


@cache
def _bare_names() -> dict[str, Drug]:
    return {
        _bare(name): drug
        for name, drug in names().items()
        if len(name) >= SHORTEST_ELSEWHERE
    }


@lru_cache(maxsize=4096)
def _bare(word: str) -> str:
    """What a name has in common in many languages: metotrexato is methotrexate."""
    word = folded(word)
    for sound, letter in _SAME_SOUND:
        word = word.replace(sound, letter)
    word = _TWICE.sub(r"\1", word).rstrip("aeo")
    return word[1:] if word.startswith(("esp", "est", "esc")) else word
