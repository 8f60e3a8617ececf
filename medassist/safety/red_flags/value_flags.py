"""Values that speak for themselves: a saturation of 82 %, a sodium of 105.

Whether a value is beyond a limit is arithmetic; most of this file asks whether the text
tells it of a patient who is ill now. It is not where the value is a target, a limit, a
range or a general statement, where it is over, denied or as always, and where a later
value has taken its place.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from medassist.safety.red_flags.measures import AGES_BY_WORD, MeasuredValue, Values
from medassist.safety.red_flags.rules import Limit, Rules
from medassist.safety.red_flags.scope import Lists, Scope
from medassist.safety.red_flags.tokens import SENTENCE, Tokens

ADULT: Final = 40.0
"""Years that are taken where a text tells no age."""
AROUND: Final = 60
"""Words around a value that are looked at in a sentence without end."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """A value and the limit that it is beyond."""

    value: MeasuredValue
    limit: Limit


def of_patients(
    text: Tokens, raw: str, values: Values, said: Scope, lists: Lists
) -> Values:
    """Values without those that are over, replaced, denied, supposed or of nobody."""
    reader = _ValueReader(text, raw, said, lists)
    kept: Values = {}
    for measure, held in values.items():
        of_now = _not_replaced(held, text, lists) if len(held) > 1 else held
        told = [value for value in of_now if not reader.is_of_nobody(value)]
        if told:
            kept[measure] = told
    return kept


def beyond(
    text: Tokens,
    raw: str,
    values: Values,
    said: Scope,
    concepts: frozenset[str],
    known: Rules,
) -> Iterator[tuple[str, list[Crossed]]]:
    """The flags of the values that speak for themselves, each with what raises it.

    Args:
        text: The words.
        raw: The text that they were made of.
        values: Its measurements.
        said: What the words are said of.
        concepts: The concepts that the text names, past ones included.
        known: The rules of the language of the text.
    """
    age = _age(values, concepts)
    found: dict[str, list[Crossed]] = {}
    reader = _ValueReader(text, raw, said, known.cues.words)
    limits = known.limits
    for measure, held in values.items():
        left = [value for value in held if not value.loose]
        for limit in limits.get(measure, ()):
            if not limit.ages[0] <= age < limit.ages[1]:
                continue
            over = [value for value in left if limit.comparison.holds(value.number)]
            if not over or not concepts.isdisjoint(limit.unless):
                continue
            news = [value for value in over if reader.is_news(value, limit)]
            if news:
                shown = {value.places for value in news}
                left = [value for value in left if value.places not in shown]
                crossed = [Crossed(value, limit) for value in news]
                found.setdefault(limit.flag, []).extend(crossed)
    yield from found.items()


def _age(values: Values, concepts: frozenset[str]) -> float:
    """Years of the youngest whose age is told; a child's by its word."""
    told = [value.number for value in values.get("age", ())]
    if told and "newborn-words" in concepts:
        told.append(dict(AGES_BY_WORD)["newborn-words"])  # "RN 48 h": hours, no man.
    if told:
        return min(told)
    return next((years for word, years in AGES_BY_WORD if word in concepts), ADULT)


def _not_replaced(
    held: Iterable[MeasuredValue], text: Tokens, lists: Lists
) -> list[MeasuredValue]:
    """The values whose place no value of now has taken: of K 7.8, now 4.9 the last."""
    words = text.words
    kept: list[MeasuredValue] = []
    of_now: set[float] = set()
    for value in sorted(held, key=lambda value: -value.places[-1]):
        if not of_now or of_now == {value.number}:
            kept.append(value)
        at = value.places[-1]
        before = words[max(0, at - 3) : at]
        after = range(at + 1, min(len(words), at + 5))
        end = next((n for n in after if text.breaks[n]), after.stop)
        near = (*before, *words[at + 1 : end])
        of_today = not lists["newer"].isdisjoint(near)
        first = at
        while first > max(0, at - 3) and not (
            text.breaks[first] or words[first] in lists["and"]
        ):
            first -= 1
        # Of "from", "was" and "today" the one next to the value counts.
        nearest = next(
            (
                w
                for w in reversed(words[first:at])
                if w in lists["earlier"] | lists["newer"]
            ),
            "",
        )
        earlier = nearest in lists["earlier"]
        if of_today and not earlier and len(of_now) < 2:
            of_now.add(value.number)
    return kept[::-1]


class _ValueReader:
    """Asks of one value after the other what the text says of it."""

    def __init__(self, text: Tokens, raw: str, said: Scope, lists: Lists) -> None:
        self._text, self._raw, self._said, self._lists = text, raw, said, lists

    def is_news(self, value: MeasuredValue, limit: Limit) -> bool:
        """Whether the value is said of a patient, as of now, and as something new."""
        supposed, others = self._said.supposed, self._said.others
        if any(supposed[place] >= 0 or others[place] >= 0 for place in value.places):
            return False
        return not (self._is_limit(value, limit) or self._is_usual(value))

    def is_of_nobody(self, value: MeasuredValue) -> bool:
        """Whether it is over, denied, supposed, or said of nobody.

        "A potassium of 6.8 is dangerous", "not 7.1", "7.1 in 2018", "Sodium Road 107".
        """
        return (
            self._said.supposed[value.places[0]] >= 0
            or not self._said.harmless.isdisjoint(value.places)
            or self._is_denied(value)
            or self._is_past(value.places[-1])
            or self._is_general(value)
        )

    @cached_property
    def _clauses(self) -> list[int]:
        """First words of the clauses, and where the text ends."""
        breaks = self._text.breaks
        return [0, *(at for at in range(1, len(breaks)) if breaks[at]), len(breaks)]

    @cached_property
    def _sentences(self) -> list[int]:
        breaks = self._text.breaks
        ends = (at for at in range(1, len(breaks)) if breaks[at] == SENTENCE)
        return [0, *ends, len(breaks)]

    def _clause(self, at: int) -> tuple[int, int]:
        """First word of the clause of `at`, and the one after its last."""
        after = bisect_right(self._clauses, at)
        return self._clauses[after - 1], self._clauses[after]

    def _sentence(self, at: int) -> tuple[int, int]:
        """The ends of the sentence of `at`, no further away than `AROUND`."""
        after = bisect_right(self._sentences, at)
        first, end = self._sentences[after - 1], self._sentences[after]
        return max(first, at - AROUND), min(end, at + AROUND)

    def _is_denied(self, value: MeasuredValue) -> bool:
        """A "no" of its own clause: lists that go on do not deny values."""
        denied = self._said.denied
        own = value.places
        cues = [denied[at] for at in own if denied[at] >= 0 and denied[at] not in own]
        if not cues or max(cues) < self._clause(value.places[0])[0]:
            return False
        name, at = value.places[0], value.places[-1]
        bound = value.named and name < max(cues) and self._sign(name, at)
        return not bound

    def _is_past(self, at: int) -> bool:
        cue = self._said.past[at]
        if cue < 0:
            return False
        _, end = self._clause(at)
        # "K 7.4, previously 4.5" and "7.4 previously 4.5" tell of the 7.4 of now.
        later = self._text.words[cue + 1 : min(end, cue + AROUND)] if cue > at else ()
        return not any(word[0].isdigit() for word in later)

    def _is_limit(self, value: MeasuredValue, limit: Limit) -> bool:
        """A target, a setting, a threshold, a range, or the wrong side of a sign."""
        at, name = value.places[-1], value.places[0]
        words, lists = self._text.words, self._lists
        first, _ = self._clause(name)
        between = words[name:at]
        before = words[max(first, name - 5) : name]
        after = words[at + 1 : at + 3]
        if not lists["target"].isdisjoint(before) or not lists[
            "target-value"
        ].isdisjoint(between):
            return True
        joins = not lists["or"].isdisjoint(after[:1])
        if joins and not lists["or-beyond"].isdisjoint(after):
            return True
        if words[at - 1] in lists["by"] or (
            words[at - 1] in lists["of"]
            and not lists["change"].isdisjoint(words[at - 2 : at])
        ):
            return True
        start, end = self._sentence(at)
        if not lists["settings"].isdisjoint(words[start:end]):
            return True
        sign = self._sign(name, at) if value.named else ""
        if not sign:
            return False
        if not lists["orders"].isdisjoint(words[start:end]):
            return True
        return sign not in limit.comparison.sign

    def _sign(self, name: int, at: int) -> str:
        """Whether the number is told as a bound, by a sign or a word; which one."""
        text, words = self._text, self._text.words[name:at]
        raw = self._raw[text.ends[name] : text.starts[at]]
        less = "<" in raw or "≤" in raw or not self._lists["below"].isdisjoint(words)
        more = ">" in raw or "≥" in raw or not self._lists["above"].isdisjoint(words)
        if not (less or more):
            return ""
        # "Will not come above 74" is 74 at most.
        return "<" if less != self._fails(words) else ">"

    def _fails(self, words: Sequence[str]) -> bool:
        return not all(
            self._lists[name].isdisjoint(words) for name in ("not", "cannot")
        )

    def _is_general(self, value: MeasuredValue) -> bool:
        name, words = value.places[0], self._text.words
        before = words[max(0, name - 3) : name]
        if self._lists["article"].isdisjoint(before):
            return False
        start, end = self._sentence(value.places[-1])
        if self._lists["general"].isdisjoint(words[start:end]):
            return False
        return not _any_within(self._said.someone, start, end)

    def _is_usual(self, value: MeasuredValue) -> bool:
        first, _ = self._clause(value.places[0])
        _, end = self._clause(value.places[-1])
        return _any_within(self._said.usual, first, end)


def _any_within(places: Sequence[int], start: int, end: int) -> bool:
    at = bisect_left(places, start)
    return at < len(places) and places[at] < end
