r"""Phrases of the rule files, and where a text has them.

A phrase is a few words, written as a clinician would read them:

    crush*/heavy chest pain      a star ends a stem, a slash parts alternatives
    <pain>                       a word list of words.toml
    #                            any number
    vomit* ..3 blood             up to three words between
    leg/arm ~5 cold/pale         both within five words, in either order

No phrase runs over the end of a sentence. There is no regular expression in it: each
word of the text is looked up, and what is tried from there is bounded by the phrase,
so that no text can make it slow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final, NamedTuple

from medassist.safety.language.spoken import ENGLISH
from medassist.safety.red_flags.tokens import CLAUSE, SENTENCE, Tokens, spellings

STEM_HEAD: Final = 3
"""Letters by which stems are looked up; none has fewer."""
SHORTEST_MISSPELT: Final = 6
"""Letters a word has at least to be recognised with one slip in it: in shorter words
a slip makes another word (chest and chess)."""

SHORTEST_INFLECTED: Final = 5
"""Letters of a word that is known with another ending too."""


@dataclass(frozen=True, slots=True)
class PhraseWord:
    """One word of a phrase.

    Attributes:
        exact: Words that are it.
        stems: Beginnings of words that are it.
        number: Any number is it.
        gap: How many words may stand before it.
        denies: It is a "no": what it speaks of in a distance stands in its own clause.
    """

    exact: frozenset[str]
    stems: tuple[str, ...]
    number: bool
    gap: int
    denies: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is words alone, no stem and no number."""
        return not (self.stems or self.number)

    def fits(self, word: str) -> bool:
        if word in self.exact:
            return True
        if self.stems and word.startswith(self.stems):
            return True
        return self.number and word[0].isdigit()


Part = tuple[PhraseWord, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase of a concept: one part, or two that stand near each other.

    Attributes:
        concept: What it says.
        part: Where the search begins.
        other: The second part, if there are two.
        within: Words between the two parts at most.
        verb_last: The second part may stand first, in one clause: what German says as
            "the face hangs" it says as "that hangs the face" and asks so too.
    """

    concept: str
    part: Part
    other: Part
    within: int
    verb_last: bool = False


class Hit(NamedTuple):
    """A phrase in a text: the places of the words that made it, in order."""

    concept: str
    places: tuple[int, ...]


def parse(
    concept: str,
    phrase: str,
    lists: Mapping[str, Sequence[str]],
    language: str = ENGLISH,
    verb_last: bool = False,
) -> Phrase:
    """Read one phrase of a rule file.

    Args:
        concept: What it says.
        phrase: The phrase.
        lists: The word lists that it may name.
        language: Of the phrase.
        verb_last: Two words with a gap between them may change places in a clause.

    Raises:
        ValueError: it cannot be read; the sentence names it.
    """
    parts: list[list[PhraseWord]] = [[]]
    within = gap = 0
    if language != ENGLISH:
        phrase = phrase.replace("'", " ")
    for piece in phrase.replace("-", " ").split():
        if piece.startswith(("~", "..")) and piece.strip("~.").isdigit():
            if piece.startswith("~"):
                within = int(piece[1:])
                parts.append([])
            else:
                gap = int(piece[2:])
            continue
        parts[-1].append(_item(piece, gap, lists, language))
        gap = 0
    if len(parts) > 2 or not all(parts) or gap:
        raise ValueError(f"{concept}: {phrase!r} is not a phrase; see phrases.py")
    if verb_last and len(parts) == 1 and _may_change_places(parts[0]):
        first, last = parts[0]
        return Phrase(concept, (first,), (last,), last.gap, verb_last=True)
    other = tuple(parts[1]) if len(parts) == 2 else ()
    return Phrase(concept, tuple(parts[0]), other, within)


def _may_change_places(words: list[PhraseWord]) -> bool:
    return len(words) == 2 and words[1].gap > 1 and not any(w.number for w in words)


def _item(
    piece: str, gap: int, lists: Mapping[str, Sequence[str]], language: str
) -> PhraseWord:
    words: list[str] = []
    for choice in piece.split("/"):
        if choice.startswith("<") and choice.endswith(">"):
            if choice[1:-1] not in lists:
                raise ValueError(f"the word list {choice} is not there")
            words.extend(lists[choice[1:-1]])
        elif choice.startswith("<") and choice[1:2].isalpha():
            raise ValueError(f"{piece!r} is no name of a word list: it holds a hyphen?")
        else:
            words.append(choice)
    if not all(len(word) > STEM_HEAD if word.endswith("*") else word for word in words):
        raise ValueError(f"{piece!r} holds an empty word, or too short a stem")
    stems = [word[:-1] for word in words if word.endswith("*")]
    exact = [word for word in words if not word.endswith("*")]
    whole = frozenset(_spelt(exact, language)) - {"#"}
    begun = tuple(_spelt(stems, language))
    return PhraseWord(whole, begun, "#" in exact, gap, bool(whole & NEGATIONS))


def _spelt(words: Iterable[str], language: str) -> Iterator[str]:
    for word in words:
        yield from spellings(word, language)


_COMMON: Final = (
    "no not cant cannot wont in of on up and the with for to at after a i he she her"
    " his my is was has had it out down off over unable never without absent since"
)
COMMON: Final = frozenset(_COMMON.split())
"""Words that say too little to begin a search from."""
_NEGATIONS: Final = (
    "no not without never kein keine keinen keinem keiner ohne nicht pas sans aucun"
    " aucune sin ningun ninguna"
)
NEGATIONS: Final = frozenset(_NEGATIONS.split())
"""Words that deny what follows them, in the four languages."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A phrase and the word of it that the search begins from: its rarest.

    Attributes:
        phrase: The phrase.
        part: That one of its parts in which the search begins.
        other: The other part, if there are two.
        at: The place of the first word in `part`.
        needs: Words of which one has to stand in the text too; empty if none has.
        beside: Words of which one has to stand near; empty if none has.
        first: Where they may begin, counted from the search's first word.
        end: Behind the last place where they may be.
    """

    phrase: Phrase
    part: Part
    other: Part
    at: int
    needs: frozenset[str]
    beside: frozenset[str] = frozenset()
    first: int = 0
    end: int = 0


def _entry(phrase: Phrase) -> _Entry:
    choices = [(phrase.part, phrase.other, i) for i in range(len(phrase.part))]
    choices += [(phrase.other, phrase.part, i) for i in range(len(phrase.other))]
    part, other, at = min(choices, key=lambda choice: _commonness(choice[0][choice[2]]))
    plain = [
        item.exact
        for item in (*part[:at], *part[at + 1 :], *other)
        if item.is_plain and item.exact
    ]
    needs = min(plain, key=len, default=frozenset[str]())
    if at + 1 < len(part) and part[at + 1].is_plain:
        item = part[at + 1]
        return _Entry(phrase, part, other, at, needs, item.exact, 1, item.gap + 2)
    if at and part[at - 1].is_plain:
        exact, gap = part[at - 1].exact, part[at].gap
        return _Entry(phrase, part, other, at, needs, exact, -gap - 1, 0)
    return _Entry(phrase, part, other, at, needs)


def _commonness(item: PhraseWord) -> int:
    words = sum(40 if word in COMMON else 1 for word in item.exact)
    return words + 2 * len(item.stems) + 100 * item.number


class _Begun:
    """The searches that begin from one word.

    Most phrases are one word, or name the word beside it: where it stands there
    nothing is left to search, and where another one does nothing is begun.
    """

    def __init__(self) -> None:
        self.alone: dict[str, None] = {}
        """Concepts of phrases of this word alone."""
        self.pairs: dict[str, dict[str, None]] = {}
        """Those of this word and the next one, by the next."""
        self.anywhere: list[_Entry] = []
        self.before: dict[str, list[_Entry]] = {}
        """By the word that has to follow."""
        self.after: dict[str, list[_Entry]] = {}
        """By the word that has to stand before."""

    @classmethod
    def of(cls, several: Sequence[_Begun]) -> _Begun:
        """Those of a word and of its beginnings in one."""
        made = cls()
        for one in several:
            made.alone |= one.alone
            made.anywhere += one.anywhere
            for word, concepts in one.pairs.items():
                made.pairs.setdefault(word, {}).update(concepts)
            for word, entries in one.before.items():
                made.before.setdefault(word, []).extend(entries)
            for word, entries in one.after.items():
                made.after.setdefault(word, []).extend(entries)
        return made

    def add(self, entry: _Entry) -> None:
        part, at = entry.part, entry.at
        if len(part) == 1 and not entry.other:
            self.alone[entry.phrase.concept] = None
            return
        following = part[at + 1] if at + 1 < len(part) else None
        previous = part[at - 1] if at and not part[at].gap else None
        if following is not None and not following.gap and following.is_plain:
            is_pair = len(part) == 2 and not entry.other
            for word in following.exact:
                if is_pair:
                    self.pairs.setdefault(word, {})[entry.phrase.concept] = None
                else:
                    self.before.setdefault(word, []).append(entry)
        elif previous is not None and previous.is_plain:
            for word in previous.exact:
                self.after.setdefault(word, []).append(entry)
        else:
            self.anywhere.append(entry)


class Phrases:
    """All phrases of the rules, found in one walk over a text."""

    def __init__(
        self,
        phrases: Iterable[Phrase],
        known: frozenset[str] = frozenset(),
        endings: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Find phrases.

        Args:
            phrases: The phrases.
            known: Words that are no slip of the pen.
            endings: Endings that a word of the phrases may have, each with what stands
                there in the phrase: des Nabels is Nabel.
        """
        self._known = known
        self._endings = {len(ending) for ending, _ in endings}
        self._instead: dict[str, list[str]] = {}
        for ending, instead in endings:
            self._instead.setdefault(ending, []).append(instead)
        self._exact: dict[str, _Begun] = {}
        self._stems: dict[str, _Begun] = {}
        # By their first letters: most words begin no stem, and one look tells.
        self._stems_by_head: dict[str, list[str]] = {}
        self._numbers = _Begun()
        self._vocabulary: set[str] = set()
        self._remembered: dict[str, list[_Begun]] = {}
        self._stem_words: set[str] = set()
        for phrase in phrases:
            entry = _entry(phrase)
            first = entry.part[entry.at]
            for word in first.exact:
                self._exact.setdefault(word, _Begun()).add(entry)
            for stem in first.stems:
                self._stems.setdefault(stem, _Begun()).add(entry)
            if first.number:
                self._numbers.add(entry)
            for item in (*phrase.part, *phrase.other):
                self._vocabulary |= item.exact
                self._stem_words |= set(item.stems)
        for stem in sorted(self._stem_words):
            self._stems_by_head.setdefault(stem[:STEM_HEAD], []).append(stem)

    def find(self, text: Tokens, *, mend: bool = True) -> list[Hit]:
        """Every place where a phrase stands; a concept can have many.

        Args:
            text: The text.
            mend: Take a long word with one slip in it for the word it looks like.
        """
        words, breaks = self._mended(text.words) if mend else text.words, text.breaks
        hits: list[Hit] = []
        there = set(words)
        known: dict[str, list[_Begun]] = {}
        previous = ""
        for place, (word, following) in enumerate(pairwise([*words, ""])):
            begun = known.get(word)
            if begun is None:
                begun = known[word] = self._begun(word)
            for searches in begun:
                if searches.alone:
                    hits += [Hit(concept, (place,)) for concept in searches.alone]
                pairs = searches.pairs.get(following)
                if pairs and breaks[place + 1] != SENTENCE:
                    hits += [Hit(concept, (place, place + 1)) for concept in pairs]
                tried = searches.anywhere
                if searches.before and (more := searches.before.get(following)):
                    tried = [*tried, *more]
                if searches.after and (more := searches.after.get(previous)):
                    tried = [*tried, *more]
                for entry in tried:
                    if entry.needs and entry.needs.isdisjoint(there):
                        continue
                    if entry.beside and entry.beside.isdisjoint(
                        words[max(0, place + entry.first) : place + entry.end]
                    ):
                        continue
                    places = _found(entry, place, words, breaks)
                    if places is not None:
                        hits.append(Hit(entry.phrase.concept, places))
            previous = word
        return hits

    def _begun(self, word: str) -> list[_Begun]:
        # Words of the rules are remembered; those of the text never are.
        begun = self._remembered.get(word)
        if begun is None:
            if not (
                word in self._exact
                or word[:STEM_HEAD] in self._stems_by_head
                or word[0].isdigit()
            ):
                return []
            begun = self._looked_up(word)
            if word in self._vocabulary:
                begun = [_Begun.of(begun)] if len(begun) > 1 else begun
                self._remembered[word] = begun
        return begun

    def _looked_up(self, word: str) -> list[_Begun]:
        begun = [self._exact.get(word)]
        if word[0].isdigit():
            begun.append(self._numbers)
        else:
            begun.extend([self._stems.get(stem) for stem in self._stems_of(word)])
        return [searches for searches in begun if searches]

    def _stems_of(self, word: str) -> list[str]:
        """The stems that `word` begins with; most words begin with none."""
        alike = self._stems_by_head.get(word[:STEM_HEAD])
        return [stem for stem in alike if word.startswith(stem)] if alike else []

    def _mended(self, words: list[str]) -> list[str]:
        """`words` with one slip of the pen in a long word put right.

        What is a word of the language already is no slip: a monitor does not
        monitor anybody.
        """
        known: dict[str, str] = {}
        mended: list[str] = []
        for word in words:
            if len(word) < SHORTEST_MISSPELT or not word.isascii():
                mended.append(self._of_one(word))
                continue
            if word not in known:
                known[word] = self._meant(word)
            mended.append(known[word])
        return mended

    def _of_one(self, word: str) -> str:
        """A short word without the s of "his jaw's tight", where one knows it so."""
        one = word[:-1]
        if len(one) < 3 or word[-1] != "s" or one not in self._vocabulary:
            return word
        return word if self.knows(word) else one

    def _meant(self, word: str) -> str:
        if self.knows(word):
            return word
        for long in self._endings:
            for instead in self._instead.get(word[-long:], ()):
                one = word[:-long] + instead
                if len(one) >= SHORTEST_INFLECTED and one in self._vocabulary:
                    return one
        if word not in self._known:
            return self._nearest(word)
        one = word.removesuffix("s")
        return one if one in self._vocabulary else word

    @property
    def vocabulary(self) -> frozenset[str]:
        """The whole words of the phrases."""
        return frozenset(self._vocabulary)

    def knows(self, word: str, longer_than: int = 0) -> bool:
        """Whether a phrase names `word`, or so long a beginning of it."""
        return word in self._vocabulary or any(
            len(stem) > longer_than for stem in self._stems_of(word)
        )

    @cached_property
    def _slips(self) -> dict[str, str]:
        """Each long word of the rules with one letter left out, and what it was."""
        slips: dict[str, str] = {}
        for word in sorted(self._vocabulary):
            if len(word) >= SHORTEST_MISSPELT + 1:
                slips.setdefault(word, word)
                for left in _without_a_letter(word):
                    slips.setdefault(left, word)
        return slips

    def _nearest(self, word: str) -> str:
        if len(word) > 24:
            return word
        slips = self._slips
        for shape in (word, *_without_a_letter(word)):
            meant = slips.get(shape)
            if meant and meant[0] == word[0] and _one_slip(word, meant):
                return meant
        return word


def _without_a_letter(word: str) -> list[str]:
    return [word[:i] + word[i + 1 :] for i in range(1, len(word))]


def _one_slip(word: str, meant: str) -> bool:
    """One letter too many, too few or wrong, or two neighbours exchanged."""
    start = 0
    shorter = min(len(word), len(meant))
    while start < shorter and word[start] == meant[start]:
        start += 1
    one, other = word[start:], meant[start:]
    if one[1:] == other[1:] or one[1:] == other or one == other[1:]:
        # A plural is no slip: it may be another word (breath, breaths are in lists).
        return True
    return one[2:] == other[2:] and one[:2] == other[1::-1]


def _found(
    entry: _Entry, place: int, words: list[str], breaks: list[int]
) -> tuple[int, ...] | None:
    """Where the words of the phrase stand if the search's first is at `place`."""
    places: tuple[int, ...] | None = (place,)
    if len(entry.part) > 1:
        places = _part(entry.part, entry.at, place, words, breaks)
    if not entry.other or places is None:
        return places
    near = _near(entry, places, words, breaks)
    return None if near is None else tuple(sorted((*places, *near)))


def _part(
    part: Part, at: int, place: int, words: list[str], breaks: list[int]
) -> tuple[int, ...] | None:
    """Where the words of `part` stand if the one at `at` is at `place`; else None."""
    places = [place]
    last = len(words) - 1
    for previous, item in pairwise(part[at:]):
        exact = item.exact
        denies = previous.denies or item.denies
        ends = CLAUSE if denies and item.gap else SENTENCE
        for _ in range(item.gap + 1):
            place += 1
            if place > last or breaks[place] >= ends:
                return None
            word = words[place]
            if word in exact or item.fits(word):
                break
        else:
            return None
        places.append(place)
    place = places[0]
    for before in range(at - 1, -1, -1):
        gap = part[before + 1].gap
        denies = part[before].denies or part[before + 1].denies
        ends = CLAUSE if denies and gap else SENTENCE
        for _ in range(gap + 1):
            place -= 1
            if place < 0 or breaks[place + 1] >= ends:
                return None
            if part[before].fits(words[place]):
                break
        else:
            return None
        places.insert(0, place)
    return tuple(places)


def _near(
    entry: _Entry, places: tuple[int, ...], words: list[str], breaks: list[int]
) -> tuple[int, ...] | None:
    """The other part after the found one, or before it, in the same sentence.

    In the same clause where the parts have changed places.
    """
    within, other = entry.phrase.within, entry.other
    changed = entry.part is not entry.phrase.part
    ends_after, ends_before = SENTENCE, SENTENCE
    if entry.phrase.verb_last:
        ends_after, ends_before = (CLAUSE, SENTENCE) if changed else (SENTENCE, CLAUSE)
    last = places[-1]
    for place in range(last + 1, min(last + within + 2, len(words))):
        if breaks[place] >= ends_after:
            break
        if other[0].fits(words[place]):
            found = _part(other, 0, place, words, breaks)
            if found is not None:
                return found
    first = places[0]
    for place in range(first - 1, max(first - within - 3, -1), -1):
        if breaks[place + 1] >= ends_before:
            break
        if other[0].fits(words[place]):
            found = _part(other, 0, place, words, breaks)
            if found is not None and found[-1] < first:
                return found
    return None
