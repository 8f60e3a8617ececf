"""The rules as they stand in the files, read once.

A file a field: `[flags.NAME]` with what is shown and when, `[concepts]` with the
phrases that say a thing. Concepts are shared by all files; those of no one field stand
in concepts.toml, the word lists in words.toml, the cues of negation in cues.toml.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from medassist.safety.red_flags.measures import NAME, Kind
from medassist.safety.red_flags.phrases import Phrase, Phrases, parse
from medassist.safety.red_flags.scope import Cues
from medassist.safety.red_flags.tokens import normal

FOLDER: Final = Path(__file__).parent
SHARED: Final = ("words.toml", "cues.toml", "concepts.toml", "measures.toml")
Urgency = Literal["minutes", "hours", "today"]
URGENCIES: Final[tuple[Urgency, ...]] = ("minutes", "hours", "today")
_COMPARISON: Final = re.compile(r"([a-z0-9-]+)(<=|>=|<|>)(-?\d+(?:\.\d+)?)")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FlagRow(_Strict):
    """What a rule file says of one flag."""

    title: str = Field(min_length=5, max_length=80)
    say: str = Field(min_length=40, max_length=600)
    urgency: Urgency
    """How soon harm may be done; it orders flags and is never shown: no triage."""
    panel: bool = False
    """A fixed panel: self-harm, harm to others, abuse."""
    source: str = ""
    """Where it differs from the file's."""
    when: tuple[tuple[str, ...], ...] = Field(min_length=1)
    unless: tuple[str, ...] = ()


class FieldFile(_Strict):
    """One rule file."""

    field: str
    source: str = Field(min_length=10)
    """What the rules of this file stand on."""
    flags: dict[str, FlagRow]
    concepts: dict[str, list[str]] = {}
    background: tuple[str, ...] = ()
    """Concepts that count although they lie in the past: what puts at risk."""


class ConceptFile(_Strict):
    """concepts.toml."""

    concepts: dict[str, list[str]]
    background: tuple[str, ...] = ()
    contradicted: dict[str, str] = {}
    """Concepts that do not count where every value of a kind says otherwise."""


class CueFile(_Strict):
    """cues.toml."""

    words: dict[str, str]
    phrases: dict[str, list[str]]


class LimitRow(_Strict):
    """A limit of measures.toml beyond which a value speaks for itself."""

    holds: str = Field(alias="is", pattern=r"^[<>]=?\d")
    ages: tuple[float, float] = (0, 200)
    unless: tuple[str, ...] = ()
    source: str


class KindRow(_Strict):
    """A row of measures.toml; what each line means is said at its head."""

    names: tuple[str, ...]
    base: str = Field("", alias="is")
    units: tuple[tuple[str, float, float, float], ...] = ()
    reach: int = 5
    whole: bool = False
    written: str = ""
    loose: bool = False
    called: str = ""
    laboratory: bool = False
    alone: tuple[LimitRow, ...] = ()


class ValueFlagRow(_Strict):
    """The flag of values that speak for themselves."""

    title: str = Field(min_length=5, max_length=80)
    say: str = Field(min_length=40, max_length=400)
    urgency: Urgency


class MeasureFile(_Strict):
    """measures.toml."""

    sources: dict[str, str]
    not_a_pressure: str = Field(alias="not-a-pressure")
    flags: dict[str, ValueFlagRow]
    measures: dict[str, KindRow]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A measured value against a bound."""

    measure: str
    sign: Literal["<", "<=", ">", ">="]
    bound: float

    def holds(self, number: float) -> bool:
        """Whether `number` lies on the right side."""
        match self.sign:
            case "<":
                return number < self.bound
            case "<=":
                return number <= self.bound
            case ">":
                return number > self.bound
            case ">=":
                return number >= self.bound


Term = str | Comparison
"""A concept by its name, or a comparison."""


@dataclass(frozen=True, slots=True)
class Group:
    """Of these terms at least `least` must hold."""

    least: int
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """Groups that must all hold.

    Attributes:
        groups: The groups.
        needs: Of each of these sets one concept has to be there: what the groups ask
            for at least, so that most ways are over with one look.
    """

    groups: tuple[Group, ...]
    needs: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A flag and when it is raised: one of `when`, all groups of it."""

    id: str
    field: str
    title: str
    text: str
    urgency: Urgency
    panel: bool
    source: str
    when: tuple[Way, ...]
    unless: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit beyond which a value speaks for itself.

    Attributes:
        comparison: What holds beyond it, in the first unit of the value.
        said: It in words: "sodium of 120 mmol/L or less".
        ages: In years; from the first up to the second.
        unless: Concepts under which such a value is no news.
        source: What it stands on.
        flag: Which flag it raises.
    """

    comparison: Comparison
    said: str
    ages: tuple[float, float]
    unless: tuple[str, ...]
    source: str
    flag: str


@dataclass(frozen=True)
class Rules:
    """All that the files say, ready to be used."""

    flags: tuple[Rule, ...]
    wanted_by: dict[str, tuple[int, ...]]
    """By a concept the rules, by place in `flags`, that may hold where it is there."""
    may_always_hold: frozenset[int]
    phrases: Phrases
    cues: Cues
    kinds: dict[str, Kind]
    not_a_pressure: frozenset[str]
    limits: dict[str, tuple[Limit, ...]]
    """By the value that they are of."""
    value_flags: dict[str, ValueFlagRow]
    background: frozenset[str]
    measured: tuple[tuple[str, Comparison], ...]
    """Concepts that a value makes true as well as their phrases do."""
    contradicted: tuple[tuple[str, Comparison], ...]
    """Concepts that do not count where all values of the measure hold."""


@cache
def rules() -> Rules:
    """The rules of this folder.

    Raises:
        ValueError: a file is not as it should be; the sentence names what. The tests
            read every file, so that this does not happen to a user.
    """
    lists = {
        name: tuple(str(words).split()) for name, words in _read("words.toml").items()
    }
    cue_file = CueFile.model_validate(_read("cues.toml"))
    shared = ConceptFile.model_validate(_read("concepts.toml"))
    concepts = dict(shared.concepts)
    background = set(shared.background)
    fields: list[FieldFile] = []
    for file in sorted(FOLDER.glob("*.toml")):
        if file.name in SHARED:
            continue
        field = FieldFile.model_validate(_read(file.name))
        twice = concepts.keys() & field.concepts.keys()
        if twice:
            raise ValueError(f"{file.name}: {sorted(twice)} stand in another file too")
        concepts |= field.concepts
        background |= set(field.background)
        fields.append(field)
    measured = MeasureFile.model_validate(_read("measures.toml"))
    known = concepts.keys()
    flags = tuple(rule for field in fields for rule in _rules(field, known))
    wanted_by, always = _index(flags)
    return Rules(
        flags,
        wanted_by,
        always,
        Phrases([*_parsed(concepts, lists), *_names(measured, lists)]),
        Cues(
            {
                name: frozenset(map(normal, words.split()))
                for name, words in cue_file.words.items()
            },
            Phrases(_parsed(cue_file.phrases, lists)),
        ),
        {name: _kind(name, row) for name, row in measured.measures.items()},
        frozenset(map(normal, measured.not_a_pressure.split())),
        {
            name: tuple(_limits(name, row, measured.sources, known))
            for name, row in measured.measures.items()
            if row.alone
        },
        measured.flags,
        frozenset(background),
        tuple(_measured(concepts)),
        tuple(_measured({name: [text] for name, text in shared.contradicted.items()})),
    )


def _names(file: MeasureFile, lists: dict[str, tuple[str, ...]]) -> Iterator[Phrase]:
    for name, row in file.measures.items():
        for phrase in row.names:
            yield parse(NAME + name, phrase, lists)


def _kind(name: str, row: KindRow) -> Kind:
    return Kind(
        row.base or name, row.units, row.reach, row.whole, row.written, row.loose
    )


_BEYOND: Final = {
    "<=": "{} or less",
    ">=": "{} or more",
    "<": "less than {}",
    ">": "more than {}",
}


def _limits(
    name: str, row: KindRow, sources: dict[str, str], known: object
) -> Iterator[Limit]:
    called, _, unit = row.called.removesuffix(")").partition(" (")
    for limit in row.alone:
        comparison = _COMPARISON.fullmatch(name + limit.holds)
        if comparison is None:
            raise ValueError(f"measures.toml: {name} {limit.holds} is no limit")
        _, sign, bound = comparison.groups()
        for concept in limit.unless:
            _term(f"measures.toml, {name}", concept, known)
        amount = f"{bound} {unit}".strip()
        yield Limit(
            Comparison(name, _sign(sign), float(bound)),
            f"{called} of {_BEYOND[sign].format(amount)}",
            limit.ages,
            limit.unless,
            sources[limit.source],
            "laboratory-values" if row.laboratory else "vital-signs",
        )


def _read(name: str) -> dict[str, object]:
    return tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))


def _parsed(
    concepts: dict[str, list[str]], lists: dict[str, tuple[str, ...]]
) -> Iterator[Phrase]:
    for name, phrases in concepts.items():
        for phrase in phrases:
            if not _COMPARISON.fullmatch(phrase):
                yield parse(name, phrase, lists)


def _measured(concepts: dict[str, list[str]]) -> Iterator[tuple[str, Comparison]]:
    """The concepts that a value makes true too, each with the comparison."""
    for name, phrases in concepts.items():
        for phrase in phrases:
            if found := _COMPARISON.fullmatch(phrase):
                measure, sign, bound = found.groups()
                yield name, Comparison(measure, _sign(sign), float(bound))


def _rules(field: FieldFile, known: object) -> Iterator[Rule]:
    for name, row in field.flags.items():
        when = tuple(
            _way(tuple(_group(name, text, known) for text in way)) for way in row.when
        )
        for concept in row.unless:
            _term(name, concept, known)
        yield Rule(
            name,
            field.field,
            row.title,
            row.say,
            row.urgency,
            row.panel,
            row.source or field.source,
            when,
            row.unless,
        )


def _index(
    flags: tuple[Rule, ...],
) -> tuple[dict[str, tuple[int, ...]], frozenset[int]]:
    """Which rules are worth a look where a concept is there, and which always are."""
    wanted: dict[str, set[int]] = {}
    always: set[int] = set()
    for place, rule in enumerate(flags):
        for way in rule.when:
            if not way.needs:
                always.add(place)
            for concept in min(way.needs, key=len, default=()):
                wanted.setdefault(concept, set()).add(place)
    return {name: tuple(places) for name, places in wanted.items()}, frozenset(always)


def _way(groups: tuple[Group, ...]) -> Way:
    needs = [group.terms for group in groups]
    concepts = [
        frozenset(term for term in terms if isinstance(term, str))
        for terms in needs
        if all(isinstance(term, str) for term in terms)
    ]
    return Way(groups, tuple(concepts))


def _group(flag: str, text: str, known: object) -> Group:
    least = 1
    count, of, rest = text.partition(" of ")
    if of and count.isdigit():
        least, text = int(count), rest
    terms = tuple(_term(flag, term.strip(), known) for term in text.split("|"))
    return Group(least, terms)


def _term(flag: str, text: str, known: object) -> Term:
    comparison = _COMPARISON.fullmatch(text)
    if comparison:
        name, sign, bound = comparison.groups()
        return Comparison(name, _sign(sign), float(bound))
    assert hasattr(known, "__contains__")
    if text not in known:  # pyright: ignore[reportOperatorIssue]
        raise ValueError(f"{flag}: there is no concept {text!r}")
    return text


def _sign(sign: str) -> Literal["<", "<=", ">", ">="]:
    match sign:
        case "<" | "<=" | ">" | ">=":
            return sign
        case _:
            raise ValueError(sign)
