"""Finds the red flags that a text raises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from medassist.safety.language import whose_rules
from medassist.safety.language.spoken import ENGLISH
from medassist.safety.language.words import foreign_words
from medassist.safety.letters import Plain, has_ended_line, plain
from medassist.safety.red_flags.measures import NAME, Values, measures
from medassist.safety.red_flags.phrases import Hit
from medassist.safety.red_flags.reading import TextReading, read_in
from medassist.safety.red_flags.rules import (
    URGENCIES,
    FlagRule,
    Group,
    MeasureBound,
    Rules,
    Urgency,
    rules,
)
from medassist.safety.red_flags.scope import Scope
from medassist.safety.red_flags.sex import told_sex
from medassist.safety.red_flags.tokens import Tokens
from medassist.safety.red_flags.value_flags import Crossed, beyond, of_patients

Span = tuple[int, int]
MOST_LIMITS: Final = 5
"""Limits that a reminder names; the others are counted."""


@dataclass(frozen=True, slots=True)
class RedFlag:
    """A danger sign in a text: a reminder, never a triage.

    Attributes:
        id: Its name in the rule file.
        title: One line.
        text: What is shown: fixed words of ours.
        spans: The characters of the text that raised it, first and after the last,
            in order and not overlapping.
        field: Of medicine.
        urgency: How soon harm may be done; for the order, and no triage.
        panel: It is shown as a panel of its own: self-harm, harm to others, abuse.
            Nothing is blocked by it.
        source: What the rule stands on.
    """

    id: str
    title: str
    text: str
    spans: tuple[Span, ...]
    field: str
    urgency: Urgency
    panel: bool
    source: str

    @property
    def rank(self) -> tuple[int, bool]:
        """Key to sort by: urgency, then panels before reminders."""
        return URGENCIES.index(self.urgency), not self.panel


def find_red_flags(text: str) -> tuple[RedFlag, ...]:
    """The red flags of `text`, the most urgent first.

    Never raises, and takes a time proportional to the length of the text. Nothing found
    is no proof that nothing is wrong.
    """
    readings = [plain(text)]
    if has_ended_line(text):
        # "fore-" and "arm" are one word, "post-" and "operative" are two.
        readings.append(plain(text, join_lines=False))
    found: dict[str, RedFlag] = {}
    languages = whose_rules(text)
    first: list[TextReading] = []
    for seen in readings:
        read = [read_in(language, seen) for language in languages]
        first = first or read
        for reading in read:
            others = read[1:] if languages[0] == ENGLISH and reading is read[0] else ()
            for flag in _flags(reading, others):
                found.setdefault(flag.id, flag)
    of_one_sex = {rule.id: rule.sex for rule in rules().flags if rule.sex}
    if not found.keys().isdisjoint(of_one_sex):
        sex = told_sex(first)
        for flag_id in [*found] if sex else ():
            if of_one_sex.get(flag_id, sex) != sex:
                del found[flag_id]
    return tuple(sorted(found.values(), key=lambda flag: flag.rank))


def _flags(
    reading: TextReading, others: Sequence[TextReading] = ()
) -> Iterator[RedFlag]:
    """The flags of one reading of a text by the rules of one language.

    Args:
        reading: The text and what stands in it.
        others: It read in languages that it may be in as well: what they deny does
            not count either. "Sin melenas" has a word of English in it.
    """
    seen, known, pieces = reading.seen, reading.known, reading.pieces
    hits, said = reading.hits, reading.said
    silent = _silenced(seen, others)
    if others:
        hits = [
            hit
            for hit in hits
            if not _is_silenced(hit, pieces, silent, known.background)
            and not _is_theirs(hit, pieces, others)
        ]
    values = {
        measure: [one for one in held if not silent[pieces.starts[one.places[-1]]]]
        for measure, held in _values(reading, hits).items()
    }
    concepts = frozenset(hit.concept for hit in hits)
    values = of_patients(pieces, seen.text, values, said, known.cues.words)
    for flag, crossed in beyond(pieces, seen.text, values, said, concepts, known):
        yield _of_values(flag, crossed, pieces, seen)
    evidence = _evidence(hits, known, values, said)
    there = set(evidence)
    worth = set(known.may_always_hold)
    for concept in evidence:
        worth.update(known.wanted_by.get(concept, ()))
    for place in sorted(worth):
        rule = known.flags[place]
        found = _raised(rule, evidence, values, there)
        if found is not None:
            yield _flag(rule, found, pieces, seen)


_TAKEN_BACK: Final = 1
_OVER: Final = 2


def _is_silenced(
    hit: Hit, pieces: Tokens, silent: bytearray, background: frozenset[str]
) -> bool:
    said = {silent[pieces.starts[at]] for at in hit.places}
    return _TAKEN_BACK in said or (_OVER in said and hit.concept not in background)


def _is_theirs(hit: Hit, pieces: Tokens, others: Sequence[TextReading]) -> bool:
    """A word of another of the languages alone: "ich" is I, and no haemorrhage."""
    at, *more = hit.places
    whose = foreign_words().get(pieces.words[at], ())
    return not more and any(reading.language in whose for reading in others)


def _values(reading: TextReading, hits: Iterable[Hit]) -> Values:
    known = reading.known
    names = [hit for hit in hits if hit.concept[0] == NAME]
    text = reading.seen.text
    return measures(reading.pieces, text, names, known.kinds, known.around)


def _silenced(seen: Plain, others: Iterable[TextReading]) -> bytearray:
    """For each character whether one of the languages takes back what stands there.

    Of values the number is, where another has taken its place.
    """
    silent = bytearray(len(seen.text) + 1)
    for reading in others:
        pieces, said = reading.pieces, reading.said
        held = _values(reading, reading.hits)
        lists = reading.known.cues.words
        kept = of_patients(pieces, seen.text, held, said, lists)
        told = {one.places[-1] for values in kept.values() for one in values}
        for one in (one for values in held.values() for one in values):
            if (at := one.places[-1]) not in told:
                start, end = pieces.starts[at], pieces.ends[at]
                silent[start:end] = bytes([_TAKEN_BACK]) * (end - start)
        for at in range(len(pieces)):
            start, end = pieces.starts[at], pieces.ends[at]
            if max(said.denied[at], said.others[at], said.supposed[at]) >= 0:
                silent[start:end] = bytes([_TAKEN_BACK]) * (end - start)
            elif said.past[at] >= 0:
                silent[start:end] = bytes([_OVER]) * (end - start)
    return silent


def _evidence(
    hits: Iterable[Hit], known: Rules, values: Values, said: Scope
) -> dict[str, list[tuple[int, ...]]]:
    """The places of each concept that counts; of "here" too, whether it counts."""
    evidence: dict[str, list[tuple[int, ...]]] = {}
    for hit in hits:
        concept = hit.concept
        if concept[0] == NAME:
            continue
        past, others = concept in known.background, concept in known.of_relatives
        if said.counts(hit, past_counts=past, others_count=others):
            evidence.setdefault(concept, []).append(hit.places)
    for held in values.values():
        evidence.setdefault("someone", []).append(held[0].places)
    for concept, comparison in known.contradicted:
        against = values.get(comparison.measure)
        if against and all(comparison.holds(value.number) for value in against):
            evidence.pop(concept, None)
    for concept, comparison in known.measured:
        for value in values.get(comparison.measure, ()):
            if comparison.holds(value.number):
                evidence.setdefault(concept, []).append(value.places)
    return evidence


def _raised(
    rule: FlagRule,
    evidence: dict[str, list[tuple[int, ...]]],
    values: Values,
    there: set[str],
) -> list[tuple[int, ...]] | None:
    found: list[tuple[int, ...]] = []
    for way in rule.when:
        for need in way.needs:
            if need.isdisjoint(there):
                break
        else:
            found.extend(_places(way.groups, evidence, values))
    if found and any(concept in evidence for concept in rule.unless):
        return None
    if not found:
        return None
    # That somebody is spoken of is a condition, and nothing to point at.
    people = set(evidence.get("someone", ()))
    return [places for places in found if places not in people] or found


def _places(
    way: tuple[Group, ...],
    evidence: dict[str, list[tuple[int, ...]]],
    values: Values,
) -> list[tuple[int, ...]]:
    """The places that make every group of `way` hold; empty if one does not."""
    found: list[tuple[int, ...]] = []
    for group in way:
        held = _holds(group, evidence, values)
        if not held:
            return []
        found.extend(held)
    return found


def _holds(
    group: Group, evidence: dict[str, list[tuple[int, ...]]], values: Values
) -> list[tuple[int, ...]]:
    """The places that make `group` hold; empty if it does not."""
    found: list[tuple[int, ...]] = []
    held = 0
    for term in group.terms:
        if isinstance(term, MeasureBound):
            places = [
                value.places
                for value in values.get(term.measure, ())
                if term.holds(value.number)
            ]
        else:
            places = evidence.get(term, [])
        if places:
            held += 1
            found.extend(places)
    return found if held >= group.least else []


def _flag(
    rule: FlagRule, found: list[tuple[int, ...]], pieces: Tokens, seen: Plain
) -> RedFlag:
    return RedFlag(
        rule.id,
        rule.title,
        rule.text,
        _spans(found, pieces, seen),
        rule.field,
        rule.urgency,
        rule.panel,
        rule.source,
    )


def _of_values(
    flag: str, crossed: Sequence[Crossed], pieces: Tokens, seen: Plain
) -> RedFlag:
    """The flag of values that speak for themselves: the limits that they are beyond."""
    row = rules().value_flags[flag]
    limits = list(dict.fromkeys(one.limit.said for one in crossed))
    more = f"; {len(limits) - MOST_LIMITS} more" if len(limits) > MOST_LIMITS else ""
    return RedFlag(
        flag,
        row.title,
        f"Reminder: {'; '.join(limits[:MOST_LIMITS])}{more}. {row.say}",
        _spans([one.value.places for one in crossed], pieces, seen),
        flag.replace("-", " "),
        row.urgency,
        False,
        "; ".join(dict.fromkeys(one.limit.source for one in crossed)),
    )


def _spans(
    found: Iterable[tuple[int, ...]], pieces: Tokens, seen: Plain
) -> tuple[Span, ...]:
    spans: list[Span] = []
    last = -2
    for place in sorted({place for hit in found for place in hit}):
        if place == last + 1 and not pieces.breaks[place]:
            spans[-1] = (spans[-1][0], pieces.ends[place])
        else:
            spans.append((pieces.starts[place], pieces.ends[place]))
        last = place
    return tuple(seen.span(*span) for span in spans)
