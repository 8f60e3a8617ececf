"""Negation, past, other persons and suppositions in a text.

One walk over the words marks each with the reason why it does not count. The cues are
word lists (cues.toml); here is only how far they reach. The idea of cues with a reach
that other words end is NegEx's and ConText's (Chapman et al. 2001; Harkema et al.
2009), as the authors remember them; lists and reaches here are our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from medassist.safety.red_flags.phrases import Hit, Phrases
from medassist.safety.red_flags.tokens import CLAUSE, SENTENCE, Tokens

REACH_OF_NO: Final = 9
REACH_OF_NOT: Final = 5
REACH_OF_DENIES: Final = 30
REACH_BACK: Final = 6
"""Words before "ruled out" or "negative" that it can speak of."""
LIST_AHEAD: Final = 14
"""Words within which an "or" makes a list of what follows a "no"."""
REACH_OF_IF: Final = 14
REACH_OF_ANYBODY: Final = 30
"""Words of a sentence that begins "if somebody"."""
HEALED_BACK: Final = 25
"""Words before "healed" that it can speak of."""
FINDING: Final = 3
"""Words of a finding that a "no" behind it takes back."""


@dataclass(frozen=True, slots=True)
class Cues:
    """The word lists of cues.toml."""

    words: Mapping[str, frozenset[str]]
    phrases: Phrases


@dataclass(frozen=True, slots=True)
class Scope:
    """For each word why it does not count, as the place of the cue; -1 if it does.

    Attributes:
        denied: Not so.
        past: Over.
        others: Of a relative.
        supposed: A question in general, a condition, a teaching case.
        compound: Words that say nothing alone: the "blood" of "blood pressure".
        harmless: Words that say nothing with others either: "swollen lymph nodes".
        halves: Words that say nothing without the one that follows, and which that is:
            "vomited, blood tests sent" tells of no blood that was vomited.
        usual: Where something is said to be as always.
        someone: Where somebody is spoken of.
    """

    denied: list[int]
    past: list[int]
    others: list[int]
    supposed: list[int]
    compound: frozenset[int]
    harmless: frozenset[int]
    halves: Mapping[int, int]
    usual: Sequence[int] = ()
    someone: Sequence[int] = ()

    def counts(
        self, hit: Hit, *, past_counts: bool = False, others_count: bool = False
    ) -> bool:
        """Whether `hit` is said to be so, now, of the patient."""
        denied, past = self.denied, self.past
        others, supposed = self.others, self.supposed
        if len(hit.places) == 1 and hit.places[0] in self.compound:
            return False
        if not self.harmless.isdisjoint(hit.places):
            return False
        halves = self.halves
        if halves and any(halves.get(at, at) not in hit.places for at in hit.places):
            return False
        for at in hit.places:
            if supposed[at] >= 0 or (others[at] >= 0 and not others_count):
                return False
            if past[at] >= 0 and not past_counts:
                return False
            # A "no" that is part of the phrase itself does not take it back.
            if denied[at] >= 0 and denied[at] not in hit.places:
                return False
        return True


def scope(text: Tokens, cues: Cues, teaching_overruled: bool = False) -> Scope:
    """Find for every word of `text` whether it counts.

    Args:
        text: The text.
        cues: The word lists.
        teaching_overruled: Somebody speaks of a patient who is there, whatever else
            the text says of exams and slides.
    """
    size = len(text)
    cue_hits: dict[str, list[tuple[int, ...]]] = {}
    for hit in cues.phrases.find(text, mend=False):
        cue_hits.setdefault(hit.concept, []).append(hit.places)
    compound = frozenset(at for one in cue_hits.get("compound", ()) for at in one)
    harmless = frozenset(at for one in cue_hits.get("harmless", ()) for at in one)
    halves = {places[0]: places[-1] for places in cue_hits.get("half", ())}
    denied, past, others, supposed = ([-1] * size for _ in range(4))
    usual, someone = (
        sorted(places[0] for places in cue_hits.get(name, ()))
        for name in ("usual", "someone")
    )
    said = Scope(
        denied, past, others, supposed, compound, harmless, halves, usual, someone
    )
    _Denials(text, cues.words, cue_hits, said.denied).mark()
    _past(text, cues.words, cue_hits, said.past)
    _others(text, cues.words, cue_hits, said.others)
    _supposed(text, cues.words, cue_hits, said.supposed, teaching_overruled)
    return said


CueHits = Mapping[str, Sequence[tuple[int, ...]]]
Lists = Mapping[str, frozenset[str]]


class _Denials:
    """No, not, denies, without; "ruled out" and "negative" look back."""

    def __init__(
        self, text: Tokens, lists: Lists, hits: CueHits, marks: list[int]
    ) -> None:
        self._text, self._lists, self._marks = text, lists, marks
        self._skip = {at for places in hits.get("not-a-denial", ()) for at in places}
        self._after = [places[-1] for places in hits.get("denied-after", ())]
        self._back = [places[0] for places in hits.get("denied-before", ())]
        self._skip -= {at for places in hits.get("a-denial", ()) for at in places}
        self._lists_denied = [places[-1] for places in hits.get("denied-list", ())]

    def mark(self) -> None:
        words = self._text.words
        for place, word in enumerate(words):
            if self._answers_no(place):
                self._backward(place, over_a_colon=True)
            elif place in self._skip:
                continue
            elif word in self._lists["denies"]:
                self._forward(place, REACH_OF_DENIES, through_commas=True, listed=True)
            elif word in self._lists["no"]:
                self._forward(place, REACH_OF_NO, through_commas=False)
            elif word in self._lists["non"]:
                self._forward(place, self._one_word(place), through_commas=False)
            elif word in self._lists["not"]:
                self._forward(place, REACH_OF_NOT, through_commas=False)
        for place in self._after:
            self._forward(place, REACH_OF_NO, through_commas=False)
        for place in self._lists_denied:
            self._forward(place, REACH_OF_DENIES, through_commas=True, listed=True)
        for place in self._back:
            if place not in self._skip:
                self._backward(place)

    def _one_word(self, cue: int) -> int:
        """The reach of a "no" of one word: Spanish has pronouns before its verb."""
        words, at = self._text.words, cue + 1
        while at < min(cue + REACH_OF_NOT, len(words)) and (
            words[at] in self._lists["clitics"]
        ):
            at += 1
        return at - cue

    def _forward(
        self, cue: int, reach: int, *, through_commas: bool, listed: bool = False
    ) -> None:
        """Mark what stands behind the cue.

        Args:
            cue: Its place.
            reach: Words that it can speak of.
            through_commas: It speaks of a list.
            listed: "Negative for fever, sudden headache": what describes a finding
                begins nothing new there.
        """
        words, breaks = self._text.words, self._text.breaks
        light = True
        is_list = self._is_list(cue)
        if is_list:
            reach = max(reach, LIST_AHEAD)
        for place in range(cue + 1, min(cue + 1 + reach, len(words))):
            word = words[place]
            if breaks[place] == SENTENCE or word in self._lists["but"]:
                return
            # "No fever crushing pain" ends there; "never had crushing pain" does not.
            describes = listed and word in self._lists["describes"]
            if word in self._lists["ends-denial"] and not (light or describes):
                return
            light = light and word in self._lists["light"]
            if breaks[place] == CLAUSE:
                if not (through_commas or is_list):
                    return
                if word[0].isdigit() or (
                    word in self._lists["begins-anew"] and not describes
                ):
                    return
            # "Denies vomiting with blood" is one finding, "no fever, with a cough" two.
            if word in self._lists["with"] and not (listed and not breaks[place]):
                return
            following = words[place + 1 : place + 2]
            if word in self._lists["and"] and not self._lists["begins-anew"].isdisjoint(
                following
            ):
                return
            self._marks[place] = cue
            if is_list and word in self._lists["or"] and not self._is_light(place):
                # The last of the list follows; then it is over.
                end = min(place + 4, len(words))
                for last in range(place + 1, end):
                    word = words[last]
                    if breaks[last] or word in self._lists["ends-denial"]:
                        return
                    if word in self._lists["but"]:
                        return
                    self._marks[last] = cue
                if not (
                    place + 4 < len(words) and words[place + 4] in self._lists["or"]
                ):
                    return

    def _is_list(self, cue: int) -> bool:
        """An "or" ahead joins what follows to the "no", across commas."""
        words, breaks = self._text.words, self._text.breaks
        for place in range(cue + 1, min(cue + 1 + LIST_AHEAD, len(words))):
            word = words[place]
            if breaks[place] == SENTENCE or word in self._lists["but"]:
                return False
            if word in self._lists["or"] and not self._is_light(place):
                return True
            if breaks[place] == CLAUSE and word in self._lists["begins-anew"]:
                return False
        return False

    def _is_light(self, place: int) -> bool:
        """The "or" of "no signs or symptoms of": it joins no findings."""
        beside = self._text.words[place - 1 : place + 2 : 2]
        return len(beside) == 2 and self._lists["light"].issuperset(beside)

    def _answers_no(self, place: int) -> bool:
        """The "no" of "chest pain: no" or "heat stroke no, only red skin"."""
        text, after = self._text, place + 1
        if not (
            text.words[place] in self._lists["answers-no"]
            and (after == len(text) or text.breaks[after] > 0)
        ):
            return False
        if place in text.colons:
            return True
        # A finding and nothing else before it: "he was offered morphine and said no".
        first = max(place - FINDING, 0)
        while first < place and text.breaks[first] == 0 and first > 0:
            first += 1
        return first < place and text.words[place] in self._lists["says-no"]

    def _backward(self, cue: int, *, over_a_colon: bool = False) -> None:
        """Mark what stands before the cue: "chest pain: no" over its colon too."""
        words, breaks = self._text.words, self._text.breaks
        for place in range(cue - 1, max(cue - 1 - REACH_BACK, -1), -1):
            if words[place] in self._lists["but"]:
                return
            if breaks[place + 1] and not (over_a_colon and place + 1 == cue):
                return
            self._marks[place] = cue


def _segments(text: Tokens) -> list[tuple[int, int]]:
    """The stretches between commas and stops: first word, and one after the last."""
    edges = [0, *(at for at in range(1, len(text)) if text.breaks[at]), len(text)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


def _sentence_end(text: Tokens, place: int, most: int) -> int:
    for at in range(place + 1, min(place + most, len(text))):
        if text.breaks[at] == SENTENCE:
            return at
    return min(place + most, len(text))


def _past(text: Tokens, lists: Lists, hits: CueHits, marks: list[int]) -> None:
    """What stands in one stretch with a year, "years ago" or "previous" is over.

    "Now", "today" and their like end it: what follows is the present again.
    """
    words = text.words
    # `past-list` opens a list (PMH: ...); `past` speaks of its own stretch.
    whole = {at for places in hits.get("past", ()) for at in (places[0], places[-1])}
    # "No PMH" opens no list.
    lists_of_past = [
        places[0]
        for places in hits.get("past-list", ())
        if not (places[0] and words[places[0] - 1] in lists["no"])
    ]
    since = {at for places in hits.get("since-then", ()) for at in places}
    previous = lists["previous"]
    for at, word in enumerate(words):
        if word in previous or (word[0] in "12" and _is_year(text, at, lists)):
            whole.add(at)
    whole -= since
    for first, end in _segments(text):
        cue = next((at for at in range(first, end) if at in whole), None)
        if cue is None:
            continue
        for at in range(first, end):
            if words[at] in lists["now"] and at != cue:
                if at < cue:
                    continue
                break
            marks[at] = cue
    for places in hits.get("grown-up-now", ()):
        # "Jaundice on the first day, he is 5 now": all before it is over.
        for at in range(places[0] - 1, -1, -1):
            if text.breaks[at + 1] == SENTENCE:
                break
            marks[at] = places[0]
    _healed(text, lists, hits, marks)
    for places in hits.get("older-now", ()):
        # "In intensive care at two months. Now he is 7": over, whole sentences back.
        marks[: places[0]] = [places[0]] * places[0]
    for cue in lists_of_past:
        for at in range(cue, _sentence_end(text, cue, 60)):
            if words[at] in lists["now"] or words[at] in lists["but"]:
                break
            marks[at] = cue


def _healed(text: Tokens, lists: Lists, hits: CueHits, marks: list[int]) -> None:
    """What "without lasting harm" or "well ever since" says is over, before it too.

    Not what began today: a weakness of an hour ago that went may be a stroke.
    """
    words = text.words
    for places in hits.get("healed", ()):
        cue = places[0]
        first = _sentence_start(text, cue, HEALED_BACK)
        if lists["fresh"].isdisjoint(words[first:cue]):
            marks[first : places[-1] + 1] = [cue] * (places[-1] + 1 - first)


def _sentence_start(text: Tokens, place: int, most: int) -> int:
    for at in range(place, max(place - most, 0), -1):
        if text.breaks[at] == SENTENCE:
            return at
    return max(place - most, 0)


def _is_year(text: Tokens, at: int, lists: Lists) -> bool:
    word = text.words[at]
    if (
        word[0] not in "12"
        or len(word) != 4
        or not (word.isascii() and word.isdigit())
        or not 1940 <= int(word) <= 2040
    ):
        return False
    if at + 1 < len(text) and not text.breaks[at + 1]:
        return text.words[at + 1] not in lists["units"]
    return True


def _others(text: Tokens, lists: Lists, hits: CueHits, marks: list[int]) -> None:
    """A family history, and a relative of whom something is told in the past."""
    words = text.words
    starts: list[tuple[int, bool]] = [
        (places[0], True) for places in hits.get("family-history", ())
    ]
    recent = {places[0] for places in hits.get("just-now", ())}
    ends_of_owners: dict[int, int] = {}
    for at, word in enumerate(words):
        if word not in lists["relatives"]:
            continue
        first = ends_of_owners[at] = _behind_the_owner(text, at, lists)
        end = min(first + 5, len(words))
        died = had = False
        for near in range(first, end):
            if text.breaks[near] == SENTENCE:
                break
            if words[near] in lists["patient-again"]:
                break
            died |= words[near] in lists["died"]
            # "Grandad hasn't had his bowels open" is of him, and of now.
            had |= words[near] in lists["had"] and words[near - 1] not in lists["not"]
        if died:
            starts.append((at, True))
        elif had or _theirs(words, at, lists) or _heads(text, at, lists):
            starts.append((at, False))
    _in_a_relative(text, lists, marks)
    for cue, surely in starts:
        end = _sentence_end(text, cue, 40)
        if not surely and any(cue < at < end for at in recent):
            continue
        for at in range(ends_of_owners.get(cue, cue + 1), end):
            again = words[at] in lists["patient-again"]
            if again or (text.breaks[at] and words[at] in lists["pronouns"]):
                break
            marks[at] = cue
        # "Osteogenesis in his brother": the finding stands before.
        if cue and words[cue - 1] in lists["of"]:
            _before(text, cue - 1, cue, marks)
        elif (
            cue > 1
            and words[cue - 2] in lists["of"]
            and words[cue - 1] in (lists["possessives"])
        ):
            _before(text, cue - 2, cue, marks)


def _behind_the_owner(text: Tokens, at: int, lists: Lists) -> int:
    """The word behind a relative; of "mother of the patient" that behind it all."""
    words, owner = text.words, at + 1
    small = lists["of"] | lists["possessives"]
    while owner < min(at + 3, len(words)) and words[owner] in small:
        owner += 1
    told = owner > at + 1 and owner < len(words) and not text.breaks[owner]
    return owner + 1 if told and words[owner] in lists["patient-again"] else at + 1


def _in_a_relative(text: Tokens, lists: Lists, marks: list[int]) -> None:
    """Findings "in her sister", without a verb; "in my sister" is asked for.

    "The pills of the grandmother" are hers, and may be in the child.
    """
    words = text.words
    for at in range(2, len(words)):
        whose, of = words[at - 1], words[at - 2]
        if (
            words[at] in lists["relatives"]
            and whose in lists["possessives"]
            and whose not in lists["mine"]
            and of in lists["of"]
            and (at < 3 or words[at - 3] not in lists["belongings"])
            and not (text.breaks[at] or text.breaks[at - 1])
            and (at + 1 == len(words) or text.breaks[at + 1])
        ):
            _before(text, at - 2, at, marks)


def _before(text: Tokens, place: int, cue: int, marks: list[int]) -> None:
    for at in range(place - 1, max(place - 6, -1), -1):
        if text.breaks[at + 1]:
            return
        marks[at] = cue


def _heads(text: Tokens, at: int, lists: Lists) -> bool:
    """Whether a colon follows the relative: "Brother: stroke"; not "of my mother:"."""
    before = text.words[at - 1] if at else ""
    return at + 1 in text.colons and before not in lists["mine"]


def _theirs(words: list[str], at: int, lists: Lists) -> bool:
    """Whether "his mother has" speaks of her; "my mother has" is of the patient."""
    return (
        at > 0
        and words[at - 1] in lists["theirs"]
        and at + 1 < len(words)
        and words[at + 1] in lists["has"]
    )


def _supposed(
    text: Tokens, lists: Lists, hits: CueHits, marks: list[int], overruled: bool
) -> None:
    """Teaching texts whole; general questions by the sentence; conditions by reach."""
    words = text.words
    if not words:
        return
    teaching = [places[0] for places in hits.get("teaching", ())]
    if teaching and not overruled:
        marks[:] = [teaching[0]] * len(marks)
        return
    for places in hits.get("asked-about", ()):
        last = places[-1]
        for at in range(last + 1, _sentence_end(text, last, 12)):
            if words[at] in lists["but"]:
                break
            marks[at] = places[0]
    real = {places[0] for places in hits.get("someone", ())}
    findings = {places[0] for places in hits.get("finding", ())}
    general = {at for places in hits.get("general-question", ()) for at in places}
    start = 0
    edges = [at for at in range(1, len(words)) if text.breaks[at] == SENTENCE]
    for end in [*edges, len(words)]:
        bounds = (start, end)
        # "List the differences on CT" begins with its task; "ECG shows" tells of one.
        of_one = real if words[start] in lists["teaches"] else real | findings
        _sentence(text, bounds, lists, of_one, marks)
        asked = [at for at in range(start, end) if at in general]
        if asked and not any(
            at in (real | findings) - general for at in range(start, end)
        ):
            marks[start:end] = [asked[0]] * (end - start)
        start = end
    for places in hits.get("anybody", ()):
        # "If somebody chokes: back blows?" asks of nobody, up to its end.
        cue = places[0]
        end = _sentence_end(text, cue, REACH_OF_ANYBODY)
        if lists["fresh"].isdisjoint(words[cue:end]):
            marks[cue:end] = [cue] * (end - cue)
    for places in hits.get("if", ()):
        cue = places[0]
        if cue and words[cue - 1] in lists["as"]:
            continue  # "As if it were torn" is a comparison and no condition.
        for at in range(cue + 1, min(cue + 1 + REACH_OF_IF, len(words))):
            if text.breaks[at]:
                break
            marks[at] = cue


def _sentence(
    text: Tokens,
    bounds: tuple[int, int],
    lists: Lists,
    real: set[int],
    marks: list[int],
) -> None:
    """A question that begins "what", "which", "explain", and speaks of nobody."""
    start, end = bounds
    words = text.words
    asks = [
        at
        for at in range(start, end)
        if words[at] in lists["asks"]
        and (
            at == start
            or text.breaks[at]
            # "A womb like a stone" compares, in German with the word that asks how.
            or (at - start <= 2 and words[at] not in lists["as"])
        )
    ]
    if not asks:
        return
    if any(at in real for at in range(start, end)):
        return
    whole = any(words[at] in lists["teaches"] for at in asks)
    for at in range(start if whole else asks[0], end):
        marks[at] = asks[0]
