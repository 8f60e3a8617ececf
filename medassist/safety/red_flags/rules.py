"""Red-flag rules, read from their files once.

A file a field: `[flags.NAME]` with what is shown and when, `[concepts]` with the
phrases that say a thing. Concepts are shared by all files; those of no one field stand
in concepts.toml, the word lists in words.toml, the cues of negation in cues.toml.

What a flag shows, when it is raised and on which values stands there once, for every
language. A file of `languages` only says how another language puts the same concepts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

from medassist.safety.language.spoken import ENGLISH
from medassist.safety.language.words import english_words, language_file, words_of
from medassist.safety.red_flags.compounds import Compounds
from medassist.safety.red_flags.measures import AGES_BY_WORD, NAME, Kind, NumberContext
from medassist.safety.red_flags.phrases import Phrase, Phrases, parse
from medassist.safety.red_flags.rule_files import (
    FOLDER,
    ConceptFile,
    CueFile,
    FieldFile,
    KindRow,
    LanguageFile,
    MeasureFile,
    Sex,
    Urgency,
    ValueFlagRow,
    read,
)
from medassist.safety.red_flags.scope import Cues
from medassist.safety.red_flags.tokens import normal, spellings

SHARED: Final = ("words.toml", "cues.toml", "concepts.toml", "measures.toml")
URGENCIES: Final[tuple[Urgency, ...]] = ("minutes", "hours", "today")
TOLD_TO_BE: Final[Mapping[Sex, str]] = MappingProxyType(
    {"male": "a-man-here", "female": "a-woman-here"}
)
"""Concepts that say which sex the patient has."""
SPEAKS_OF: Final[Mapping[Sex, tuple[str, ...]]] = MappingProxyType(
    {
        "male": ("a-man-here", "of-men"),
        "female": ("a-woman-here", "of-women", "pregnant", "after-birth"),
    }
)
"""Concepts with which a text speaks of somebody of that sex, the patient or not."""
_WHOLE_WORD: Final = re.compile(r"(?<![<\w])[^\W\d_]+(?![*>\w])")
_COMPARISON: Final = re.compile(r"([a-z0-9-]+)(<=|>=|<|>)(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class MeasureBound:
    """A bound that a measured value is compared with."""

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


Term = str | MeasureBound
"""A concept by its name, or a comparison."""


@dataclass(frozen=True, slots=True)
class Group:
    """Terms of which at least `least` must hold."""

    least: int
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Alternative:
    """Groups of terms that must all hold: one of the ways to meet a rule.

    Attributes:
        groups: The groups.
        needs: Of each of these sets one concept has to be there: what the groups ask
            for at least, so that most ways are over with one look.
    """

    groups: tuple[Group, ...]
    needs: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class FlagRule:
    """A flag, raised where all groups of one of `when` hold.

    Of a patient who is told to be of another sex than `sex` it is not raised.
    """

    id: str
    field: str
    title: str
    text: str
    urgency: Urgency
    panel: bool
    source: str
    sex: Sex | None
    when: tuple[Alternative, ...]
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

    comparison: MeasureBound
    said: str
    ages: tuple[float, float]
    unless: tuple[str, ...]
    source: str
    flag: str


@dataclass(frozen=True)
class Rules:
    """All rules, ready to be used on texts of one language."""

    flags: tuple[FlagRule, ...]
    wanted_by: dict[str, tuple[int, ...]]
    """By a concept the rules, by place in `flags`, that may hold where it is there."""
    may_always_hold: frozenset[int]
    phrases: Phrases
    cues: Cues
    kinds: dict[str, Kind]
    around: NumberContext
    limits: dict[str, tuple[Limit, ...]]
    """By the value that they are of."""
    value_flags: dict[str, ValueFlagRow]
    background: frozenset[str]
    of_relatives: frozenset[str]
    measured: tuple[tuple[str, MeasureBound], ...]
    """Concepts that a value makes true as well as their phrases do."""
    contradicted: tuple[tuple[str, MeasureBound], ...]
    """Concepts that do not count where all values of the measure hold."""
    usual: Mapping[str, str] = field(default_factory=dict[str, str])
    """By another spelling of a word the usual one; numbers from two on in digits."""
    compounds: Compounds | None = None
    """Words that are two; none where the language writes them apart."""


@cache
def rules(language: str = ENGLISH) -> Rules:
    """The rules of this folder for texts in `language`.

    Raises:
        ValueError: a file is not as it should be; the sentence names what. The tests
            read every file, so that this does not happen to a user.
    """
    return _english() if language == ENGLISH else _translated(language)


@cache
def _fields() -> tuple[FieldFile, ...]:
    files = sorted(FOLDER.glob("*.toml"))
    return tuple(
        FieldFile.model_validate(read(file.name))
        for file in files
        if file.name not in SHARED
    )


@cache
def english_concepts() -> Mapping[str, list[str]]:
    """The phrases of every concept, as the English files say them.

    Raises:
        ValueError: a concept stands in two files.
    """
    concepts = dict(ConceptFile.model_validate(read("concepts.toml")).concepts)
    for one in _fields():
        twice = concepts.keys() & one.concepts.keys()
        if twice:
            raise ValueError(f"{one.field}: {sorted(twice)} stand in another file too")
        concepts |= one.concepts
    return concepts


def is_comparison(phrase: str) -> bool:
    """`phrase` of a concept is a value and its bound, and no words."""
    return _COMPARISON.fullmatch(phrase) is not None


@cache
def _english() -> Rules:
    lists = _split({name: str(text) for name, text in read("words.toml").items()})
    cues = CueFile.model_validate(read("cues.toml"))
    shared = ConceptFile.model_validate(read("concepts.toml"))
    concepts = english_concepts()
    fields = _fields()
    background = {name for one in (shared, *fields) for name in one.background}
    of_relatives = {name for one in fields for name in one.of_relatives}
    measured = _measures()
    known = concepts.keys()
    flags = tuple(rule for one in fields for rule in _rules(one, known))
    wanted_by, always = _index(flags)
    return Rules(
        flags,
        wanted_by,
        always,
        Phrases([*_parsed(concepts, lists), *_names(measured, lists)], english_words()),
        _cues(cues, lists, ENGLISH),
        {name: _kind(name, row) for name, row in measured.measures.items()},
        _around(cues, measured, ENGLISH),
        {
            name: tuple(_limits(name, row, measured.sources, known))
            for name, row in measured.measures.items()
            if row.alone
        },
        measured.flags,
        frozenset(background),
        frozenset(of_relatives),
        tuple(_measured(concepts)),
        tuple(_measured({name: [text] for name, text in shared.contradicted.items()})),
    )


def _translated(language: str) -> Rules:
    """The English rules with the words of another language."""
    ours = _english()
    file = LanguageFile.model_validate(language_file(language))
    measured = _measures()
    for said, known in (
        (file.concepts, _concepts(ours)),
        (file.names, measured.measures),
        (file.cues.words, ours.cues.words),
    ):
        if unknown := said.keys() - known:
            raise ValueError(f"{language}.toml: {sorted(unknown)} are not in English")
    lists = _split(file.words)
    names = {
        name: [
            *(said for said in row.names if said not in file.other_names),
            *file.names.get(name, ()),
        ]
        for name, row in measured.measures.items()
    }
    kinds = {
        name: replace(kind, units=(*file.units.get(name, ()), *kind.units))
        for name, kind in ours.kinds.items()
    }
    named = {NAME + name: said for name, said in (names | file.said).items()}
    around = _around(file.cues, measured, language, ours.cues.words)
    digits = {w: f"{n:g}" for w, n in around.numbers.items() if n >= 2}
    usual = digits | _spelt(file.spelt, language, digits)
    parsed = [
        *_parsed(file.concepts, lists, language, usual, verb_last=file.verb_last),
        *_parsed(named, lists, language, usual),
    ]
    phrases = Phrases(parsed, words_of(language), file.endings)
    cues = _cues(file.cues, lists, language, ours.cues.words, usual)
    return replace(
        ours,
        phrases=phrases,
        cues=cues,
        kinds=kinds,
        around=around,
        usual=usual,
        compounds=_compounds(file, language, phrases, cues),
        measured=(*ours.measured, *_measured(file.concepts)),
    )


def _spelt(
    spelt: Mapping[str, str], language: str, digits: Mapping[str, str]
) -> dict[str, str]:
    """By another spelling of a word the usual one, a number in digits."""
    return {
        form: digits.get(normal(usual), normal(usual))
        for usual, others in spelt.items()
        for other in others.split()
        for form in spellings(other, language)
    }


def _compounds(
    file: LanguageFile, language: str, phrases: Phrases, cues: Cues
) -> Compounds | None:
    if not file.heads:
        return None
    of_cues = frozenset(word for words in cues.words.values() for word in words)
    return Compounds(
        _forms(file.heads, language),
        phrases.vocabulary,
        lambda word, longer: (
            word in of_cues
            or phrases.knows(word, longer)
            or cues.phrases.knows(word, longer)
        ),
        _forms(file.shades, language),
    )


def _forms(words: str, language: str) -> Iterator[str]:
    for word in words.split():
        yield from spellings(word, language)


def _concepts(ours: Rules) -> set[str]:
    """Every concept for which a rule, a limit or a value asks."""
    terms = [
        term
        for rule in ours.flags
        for way in rule.when
        for group in way.groups
        for term in group.terms
    ]
    asked = {term for term in terms if isinstance(term, str)}
    asked |= {concept for rule in ours.flags for concept in rule.unless}
    asked |= {c for held in ours.limits.values() for one in held for c in one.unless}
    asked.update(TOLD_TO_BE.values(), *SPEAKS_OF.values())
    return asked | ours.background | {word for word, _ in AGES_BY_WORD}


def _split(lists: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(words.split()) for name, words in lists.items()}


def _measures() -> MeasureFile:
    return MeasureFile.model_validate(read("measures.toml"))


Words = Mapping[str, frozenset[str]]


def _cue_words(file: CueFile, language: str, english: Words) -> Words:
    """The word lists of cues; one that a language leaves out is empty there."""
    return dict.fromkeys(english, frozenset[str]()) | {
        name: frozenset(
            form for word in words.split() for form in spellings(word, language)
        )
        for name, words in file.words.items()
    }


def _cues(
    file: CueFile,
    lists: dict[str, tuple[str, ...]],
    language: str,
    english: Words = MappingProxyType({}),
    usual: Mapping[str, str] = MappingProxyType({}),
) -> Cues:
    phrases = Phrases([*_parsed(file.phrases, lists, language, usual)])
    return Cues(_cue_words(file, language, english), phrases)


def _around(
    file: CueFile,
    measured: MeasureFile,
    language: str,
    english: Words = MappingProxyType({}),
) -> NumberContext:
    numbers = {
        form: float(number)
        for number, word in enumerate(file.numbers.split())
        for form in spellings(word, language)
    }
    return NumberContext(
        numbers,
        _cue_words(file, language, english),
        frozenset(map(normal, measured.not_a_pressure.split())),
    )


def _names(file: MeasureFile, lists: dict[str, tuple[str, ...]]) -> Iterator[Phrase]:
    for name, row in file.measures.items():
        for phrase in row.names:
            yield parse(NAME + name, phrase, lists)
    for value, phrases in file.said.items():
        for phrase in phrases:
            yield parse(NAME + value, phrase, lists)


def _kind(name: str, row: KindRow) -> Kind:
    return Kind(
        row.base or name,
        row.units,
        row.reach,
        row.whole,
        row.written,
        row.loose,
        row.with_unit,
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
            MeasureBound(name, _sign(sign), float(bound)),
            f"{called} of {_BEYOND[sign].format(amount)}",
            limit.ages,
            limit.unless,
            sources[limit.source],
            "laboratory-values" if row.laboratory else "vital-signs",
        )


def _parsed(
    concepts: Mapping[str, list[str]],
    lists: dict[str, tuple[str, ...]],
    language: str = ENGLISH,
    usual: Mapping[str, str] = MappingProxyType({}),
    verb_last: bool = False,
) -> Iterator[Phrase]:
    """The phrases; their words are spelt as usual, as those of a text become."""
    for name, phrases in concepts.items():
        for phrase in phrases:
            if not is_comparison(phrase):
                said = _WHOLE_WORD.sub(
                    lambda word: usual.get(normal(word[0]), word[0]), phrase
                )
                yield parse(name, said, lists, language, verb_last)


def _measured(concepts: Mapping[str, list[str]]) -> Iterator[tuple[str, MeasureBound]]:
    """The concepts that a value makes true too, each with the comparison."""
    for name, phrases in concepts.items():
        for phrase in phrases:
            if found := _COMPARISON.fullmatch(phrase):
                measure, sign, bound = found.groups()
                yield name, MeasureBound(measure, _sign(sign), float(bound))


def _rules(field: FieldFile, known: object) -> Iterator[FlagRule]:
    for name, row in field.flags.items():
        when = tuple(
            _way(tuple(_group(name, text, known) for text in way)) for way in row.when
        )
        for concept in row.unless:
            _term(name, concept, known)
        yield FlagRule(
            name,
            field.field,
            row.title,
            row.say,
            row.urgency,
            row.panel,
            row.source or field.source,
            row.sex or field.sex,
            when,
            row.unless,
        )


def _index(
    flags: tuple[FlagRule, ...],
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


def _way(groups: tuple[Group, ...]) -> Alternative:
    needs = [group.terms for group in groups]
    concepts = [
        frozenset(term for term in terms if isinstance(term, str))
        for terms in needs
        if all(isinstance(term, str) for term in terms)
    ]
    return Alternative(groups, tuple(concepts))


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
        return MeasureBound(name, _sign(sign), float(bound))
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
