"""Differences between two answers: sentences, doses, numbers and negations.

Sentences that share most of their words are held against each other, each with one
of the other answer at most; then what differs in them is looked for: first doses,
numbers and negations, then words. Sameness of words is Dice's coefficient (1945) of
the words that carry meaning. It compares wording, not truth: two sentences that say
the same in other words stand as two, and equal words may both be wrong.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

from medassist.consult.stated_values import StatedValue, stated
from medassist.core.words import plural
from medassist.text.quantities import Key, decimal_signs
from medassist.text.sentences import Sentence, sentences

Fact = Literal["dose", "number", "negation"]
Kind = Literal["dose", "number", "negation", "words"]
FACTS: tuple[Fact, ...] = ("dose", "number", "negation")
ALIKE = 0.5
"""The least sameness of two sentences that are held against each other."""
ALIKE_TO_DENY = 0.6
"""The same for two of which one says no: with fewer common words they speak of
different things."""

COMMON = 60
"""A word in more sentences than these tells none of them from the others."""
LONGEST = 200
"""Words of a sentence whose words are held against another's one by one: it takes the
square of their number, and a model that repeats itself writes thousands."""

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?|\d+(?:[.,]\d+)*")
_STOP = re.compile(
    r"a|an|and|are|as|at|be|been|but|by|can|could|for|from|given|had|has|have|if|in|"
    r"into|is|it|its|may|of|on|or|such|than|that|the|their|them|then|there|these|"
    r"they|this|those|to|was|were|will|with|would|you|your|i|we|also|should|must|do|"
    r"does|did|not|no|never|without|cannot|avoid|avoided|avoiding|avoids"
)
_OF_DOSES = re.compile(
    r"dose|doses|dosage|dosing|tablet|tablets|capsule|capsules|oral|orally|mouth|"
    r"take|taken|taking|give|given|start|started|starting|with|daily|every|once|"
    r"twice|three|times|hours|hour|days|weeks|week|month|months|maximum|max|minimum|"
    r"about|intravenous|intravenously|intramuscular|subcutaneous|initially|adult|"
    r"adults|children|child|patients|patient|then|followed|increase|increased|reduce"
)
_DENIAL = re.compile(
    r"\b(?:not(?!\s+only\b)|no(?!\s+(?:more|longer)\b)|never|without|cannot|neither|nor"
    r"|avoid(?:ed|ing|s)?|contra-?indicat(?:ed|ions?|es)|withh[eo]ld(?:ing)?)\b"
    r"|[^\W\d_]n['\u2019]t\b",
    re.IGNORECASE,
)
_CANCELS = re.compile(r"[\s,]*(?:\w+\s+){0,2}$")


@dataclass(frozen=True)
class Mark:
    """A differing span of a text, from `start` up to `end`."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True)
class SentencePair:
    """Two matching sentences, or one without a match in the other answer."""

    a: Sentence | None
    b: Sentence | None
    marks_a: tuple[Mark, ...] = ()
    marks_b: tuple[Mark, ...] = ()
    against: frozenset[Fact] = frozenset()
    """Facts in which the two contradict each other, rather than one being silent."""

    @property
    def same(self) -> bool:
        """Whether both sentences have the same words."""
        return bool(self.a and self.b) and not (self.marks_a or self.marks_b)

    @property
    def facts(self) -> frozenset[Fact]:
        """Whether a dose, a number or a negation differs."""
        kinds = {mark.kind for mark in (*self.marks_a, *self.marks_b)}
        found: list[Fact] = [fact for fact in FACTS if kinds & {fact}]
        return self.against.union(found)


@dataclass(frozen=True)
class Differences:
    """All differences of two answers, in the order of the answers."""

    rows: tuple[SentencePair, ...]

    @property
    def against(self) -> tuple[Fact, ...]:
        """The kinds of facts in which the answers contradict each other."""
        found = {fact for row in self.rows for fact in row.against}
        return tuple(fact for fact in FACTS if fact in found)

    def first(self, fact: Fact) -> tuple[SentencePair, ...]:
        """The rows where `fact` differs; contradictions before what one leaves out."""
        rows = [row for row in self.rows if fact in row.facts]
        return tuple(sorted(rows, key=lambda row: fact not in row.against))

    @property
    def summary(self) -> str:
        """The number of differences, in one line."""
        both = [row for row in self.rows if row.a and row.b]
        same = sum(row.same for row in both)
        only_a = sum(row.b is None for row in self.rows)
        only_b = sum(row.a is None for row in self.rows)
        return (
            f"{same} {plural(same, 'sentence')} the same, {len(both) - same} alike, "
            f"{only_a} only in A, {only_b} only in B"
        )


@dataclass(frozen=True)
class _Read:
    """A sentence and what is to be compared of it."""

    sentence: Sentence
    words: Counter[str]
    stated: tuple[StatedValue, ...]
    denials: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        return self.words.total()

    def of(self, one: StatedValue) -> set[Key]:
        """All values of what `one` measures."""
        return {
            key for other in self.stated if other.of == one.of for key in other.keys
        }


@lru_cache(maxsize=8)
def compare(a: str, b: str) -> Differences:
    """Compare two answers; deterministic.

    Args:
        a: the answer of side A, cleaned.
        b: that of side B.
    """
    first, second = _read(a), _read(b)
    partners = _partners(first, second)
    subjects = (_subjects(first), _subjects(second))
    everywhere = (_values(first), _values(second))
    rows: list[SentencePair] = []
    taken = {*partners.values()}
    waiting = [j for j in range(len(second)) if j not in taken]
    for i, one in enumerate(first):
        j = partners.get(i)
        if j is None:
            rows.append(_alone(one, subjects[1], everywhere[1], in_a=True))
            continue
        while waiting and waiting[0] < j:
            there = second[waiting.pop(0)]
            rows.append(_alone(there, subjects[0], everywhere[0], in_a=False))
        rows.append(_beside(one, second[j]))
    rows += [_alone(second[j], subjects[0], everywhere[0], in_a=False) for j in waiting]
    return Differences(tuple(rows))


def disagreement(a: str, b: str) -> tuple[Fact, ...]:
    """The kinds of facts (doses, numbers, negations) that two answers contradict.

    What one of them leaves out is no contradiction. Empty: none was found, which
    does not say that they agree.
    """
    return compare(a, b).against if a.strip() and b.strip() else ()


def _read(text: str) -> list[_Read]:
    found: list[_Read] = []
    known = decimal_signs(text)
    for sentence in sentences(text):
        denials = _denials(sentence.text)
        found_here = tuple(stated(sentence.text, known))
        found.append(
            _Read(
                sentence,
                Counter(_carrying(sentence.text, found_here)),
                found_here,
                denials,
            )
        )
    return found


def _carrying(text: str, found: Iterable[StatedValue]) -> Iterable[str]:
    """The words by which two sentences are known to speak of the same thing."""
    rest: list[str] = []
    at = 0
    for quantity in found:  # what is compared is not what they are compared by
        rest.append(text[at : quantity.start])
        at = max(at, quantity.end)
    rest.append(text[at:])
    for match in _WORD.finditer(" ".join(rest).casefold()):
        word = match.group()
        if _STOP.fullmatch(word) or word[0].isdigit() or word[:7] == "contrai":
            continue
        yield word.removesuffix("s") if len(word) > 4 else word


def _denials(text: str) -> tuple[tuple[int, int], ...]:
    """Places of a `no` in a sentence. Two, as `not contraindicated`, say yes."""
    kept: list[tuple[int, int]] = []
    for match in _DENIAL.finditer(text):
        if kept and _CANCELS.match(text[kept[-1][1] : match.start()] or " "):
            between = text[kept[-1][1] : match.start()]
            if "," not in between and not re.search(r"\b(?:and|or|but)\b", between):
                kept.pop()
                continue
        kept.append(match.span())
    return tuple(kept)


def _partners(first: Sequence[_Read], second: Sequence[_Read]) -> dict[int, int]:
    """Pairs of sentences, one of each text: the likest first."""
    partners = _equal(first, second)
    taken = {*partners.values()}
    free = [j for j in range(len(second)) if j not in taken]
    places: dict[str, list[int]] = defaultdict(list)
    for j in free:
        for word in second[j].words:
            places[word].append(j)
    pairs: list[tuple[float, float, int, int]] = []
    for i, one in enumerate(first):
        if i in partners:
            continue
        rare = (places[word] for word in one.words if word in places)
        for j in {j for found in rare if len(found) <= COMMON for j in found}:
            other = second[j]
            shared = (one.words & other.words).total()
            alike = 2 * shared / (one.size + other.size)
            if alike >= (ALIKE_TO_DENY if _denied(one, other) else ALIKE):
                apart = abs(i / len(first) - j / len(second))
                pairs.append((-alike, apart, i, j))
    for _, _, i, j in sorted(pairs):
        if i not in partners and j not in taken:
            partners[i] = j
            taken.add(j)
    return partners


def _equal(first: Sequence[_Read], second: Sequence[_Read]) -> dict[int, int]:
    places: dict[str, list[int]] = defaultdict(list)
    for j in reversed(range(len(second))):
        places[second[j].sentence.text].append(j)
    found: dict[int, int] = {}
    for i, one in enumerate(first):
        if places.get(one.sentence.text):
            found[i] = places[one.sentence.text].pop()
    return found


def _denied(one: _Read, other: _Read) -> bool:
    return bool(one.denials) != bool(other.denials)


def _beside(one: _Read, other: _Read) -> SentencePair:
    marks_a, against_a = _stated_of(one, other)
    marks_b, against_b = _stated_of(other, one)
    against = against_a | against_b
    if _denied(one, other):
        against.add("negation")
        marks_a += [_placed(one, start, end, "negation") for start, end in one.denials]
        marks_b += [
            _placed(other, start, end, "negation") for start, end in other.denials
        ]
    words_a, words_b = _words(one.sentence, other.sentence)
    return SentencePair(
        one.sentence,
        other.sentence,
        _sorted(marks_a, words_a),
        _sorted(marks_b, words_b),
        frozenset(against),
    )


def _stated_of(one: _Read, other: _Read) -> tuple[list[Mark], set[Fact]]:
    marks: list[Mark] = []
    against: set[Fact] = set()
    for quantity in one.stated:
        there = other.of(quantity)
        if quantity.keys & there:
            continue
        marks.append(_placed(one, quantity.start, quantity.end, quantity.kind))
        if there:
            against.add(quantity.kind)
    return marks, against


def _alone(
    one: _Read,
    subjects: Mapping[str, Mapping[str, set[Key]]],
    everywhere: set[tuple[str, Key]],
    *,
    in_a: bool,
) -> SentencePair:
    """A sentence without a partner: its doses are held against those of its drug."""
    marks: list[Mark] = []
    against: set[Fact] = set()
    for quantity in one.stated:
        there = subjects.get(_subject(one, quantity), {}).get(quantity.of, set())
        if quantity.kind == "dose" and there and not quantity.keys & there:
            against.add("dose")
        elif any((quantity.of, key) in everywhere for key in quantity.keys):
            continue
        marks.append(_placed(one, quantity.start, quantity.end, quantity.kind))
    whole = Mark(one.sentence.start, one.sentence.end, "words")
    found = _sorted(marks, [whole])
    if in_a:
        return SentencePair(one.sentence, None, found, (), frozenset(against))
    return SentencePair(None, one.sentence, (), found, frozenset(against))


def _subjects(read: Sequence[_Read]) -> dict[str, dict[str, set[Key]]]:
    """The doses of each drug, by what they measure: a drug is the word before them."""
    found: dict[str, dict[str, set[Key]]] = defaultdict(lambda: defaultdict(set))
    for one in read:
        for quantity in one.stated:
            if quantity.kind == "dose" and (name := _subject(one, quantity)):
                found[name][quantity.of] |= quantity.keys
    return found


def _subject(one: _Read, quantity: StatedValue) -> str:
    text = one.sentence.text
    after = re.match(r"\s*of\s+([^\W\d_]{4,})", text[quantity.end :])
    before = [] if after else _WORD.findall(text[: quantity.start].casefold())
    names = [after.group(1).casefold()] if after else reversed(before)
    for name in names:
        known = _STOP.fullmatch(name) or _OF_DOSES.fullmatch(name)
        if len(name) >= 4 and not known:
            return name
    return ""


def _values(read: Sequence[_Read]) -> set[tuple[str, Key]]:
    return {(told.of, key) for one in read for told in one.stated for key in told.keys}


def _words(a: Sentence, b: Sentence) -> tuple[list[Mark], list[Mark]]:
    """The words of each that the other has not in this place."""
    if a.text == b.text:
        return [], []
    in_a, in_b = list(_WORD.finditer(a.text)), list(_WORD.finditer(b.text))
    if max(len(in_a), len(in_b)) > LONGEST:
        return [Mark(a.start, a.end, "words")], [Mark(b.start, b.end, "words")]
    matcher = SequenceMatcher(
        None,
        [word.group().casefold() for word in in_a],
        [word.group().casefold() for word in in_b],
        autojunk=False,
    )
    marks_a: list[Mark] = []
    marks_b: list[Mark] = []
    for tag, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        if tag == "equal":
            continue
        if a_from < a_to:
            start, end = in_a[a_from].start(), in_a[a_to - 1].end()
            marks_a.append(Mark(a.start + start, a.start + end, "words"))
        if b_from < b_to:
            start, end = in_b[b_from].start(), in_b[b_to - 1].end()
            marks_b.append(Mark(b.start + start, b.start + end, "words"))
    return marks_a, marks_b


def _placed(one: _Read, start: int, end: int, kind: Kind) -> Mark:
    return Mark(one.sentence.start + start, one.sentence.start + end, kind)


def _sorted(marks: list[Mark], words: list[Mark]) -> tuple[Mark, ...]:
    return tuple(sorted([*marks, *words], key=lambda mark: (mark.start, mark.end)))
