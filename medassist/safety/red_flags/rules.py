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

from medassist.safety.red_flags.measures import Kind
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


class KindRow(_Strict):
    """A line of measures.toml."""

    names: str
    lowest: float
    highest: float


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
class Rule:
    """A flag and when it is raised: one of `when`, all groups of it."""

    id: str
    field: str
    title: str
    text: str
    urgency: Urgency
    panel: bool
    source: str
    when: tuple[tuple[Group, ...], ...]
    unless: tuple[str, ...]


@dataclass(frozen=True)
class Rules:
    """All that the files say, ready to be used."""

    flags: tuple[Rule, ...]
    phrases: Phrases
    cues: Cues
    kinds: dict[str, Kind]
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
    kinds = {
        name: Kind(frozenset(map(normal, row.names.split())), row.lowest, row.highest)
        for name, row in (
            (name, KindRow.model_validate(row))
            for name, row in _read("measures.toml").items()
        )
    }
    known = concepts.keys()
    flags = tuple(rule for field in fields for rule in _rules(field, known))
    return Rules(
        flags,
        Phrases(_parsed(concepts, lists)),
        Cues(
            {
                name: frozenset(map(normal, words.split()))
                for name, words in cue_file.words.items()
            },
            Phrases(_parsed(cue_file.phrases, lists)),
        ),
        kinds,
        frozenset(background),
        tuple(_measured(concepts)),
        tuple(_measured({name: [text] for name, text in shared.contradicted.items()})),
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
            tuple(_group(name, text, known) for text in way) for way in row.when
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
