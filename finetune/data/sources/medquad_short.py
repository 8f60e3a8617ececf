"""MedQuAD for a small model: asked as people ask, answered in a sentence or two.

An answer is the first whole sentences of MedQuAD's own; nothing is written anew. What
says nothing by itself ("there are different types of treatment") is left out, and an
answer that does not stand alone then is left out whole. Questions are asked in other
words, as patients and in clinicians' shorthand; some come second in a conversation.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.data.documents import is_held_out, sentences
from finetune.data.phrasings import Phrasings, phrasings
from finetune.data.prepared_records import DialogueRecord
from finetune.data.sources.data_source import Broken, Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.medquad import LICENCE, MedQuad

NAME = "medquad-short"
RARE = ("GARD", "GHR")  # the publishers whose pages are about rare diseases
LONGEST_FOCUS = 50  # characters; longer ones are no words of a question
FEWEST_WORDS, ENOUGH_WORDS, MOST_WORDS = 15, 30, 58
LOWERED = 0.7  # how often a name is asked about in lower case

NAMED = 0.5  # of a name's words, how many an answer must say
# What can be answered without saying the name again.
NAMELESS = ("treatment", "prevention", "considerations", "exams and tests")

_BEFORE_A_NAME = re.compile(
    r"^(?:What I need to know about|Parasites -) ", re.IGNORECASE
)
_NO_NAME = re.compile(
    r"^(?:Causes of|Your |Treatment|Diagnosis|Creating)", re.IGNORECASE
)
_ALSO_KNOWN = re.compile(r"^.*\balso known as ([^)]+)\).*$")
_IN_BRACKETS = re.compile(r"\s*\([^)]*\)")
_LIST = re.compile(r":\s*\n|:\s+-|\s-\s|:$")
_SAYS_NOTHING = re.compile(
    r"\d ?(?:mg|mcg|milligrams|micrograms)\b|will go away|away on (?:its|their) own|"
    r"may be caused by .* or by other|used to (?:help )?detect|certain factors affect|"
    r"\bresearch|\bscientists|these (?:healthy|steps|tips)|new types of treatment|"
    r"different (?:types|kinds) of treatment|is called a risk factor|\bdepends? |"
    r"depending on|risk factor does ?n[o']?t mean|clinical trial|patients may want|"
    r"talk (?:to|with) |website|web site|https?:|www\.|\bclick|\bvideo\b|glossary|"
    r"brochure|more information|obituar|\bsee (?:the|also|a|this)\b|National |listed|"
    r"\b(?:NIH|CDC|NINDS|NCI|NHLBI|NIDDK|FDA|PDQ)\b|following|\babove\b|\bbelow\b|"
    r"this (?:section|page|summary|graphic)|medicare|medicaid|figure|\?",
    re.IGNORECASE,
)
_LEANS = re.compile(
    r"(?:It|This|That|They|These|Those|Such|He|She|Its|Their|However|But|Also|Others?|"
    r"Another|In addition|Therefore|For example|Instead|Both|Then|Yes|No|If so|Even|"
    r"Sometimes|In some|Some)\b"
)
_GLOSS = re.compile(r" \((?:find|cancer|malignant|cancerous)\)")
# The set lost its apostrophes in some pages, and its dashes in others.
_DAMAGED = re.compile(
    r"\b(?:does|do|is|are|ca|wo|was|has|have|did|should|would|could)nt\b|"
    r"\b(?:youre|theyre|whos|Im|Ive|thats|bodys|persons|childs)\b|"
    r"[a-z]{6}(?:the|also|they|which|when)\b|\d{4,} percent|^[a-z]"
)


@dataclass(frozen=True)
class MedQuadShort:
    """Short answers of MedQuAD.

    Attributes:
        common: the share (0 to 1) of the questions that is taken from pages about
            common diseases, chosen by their ids.
        rare: the same from pages about rare diseases.
        patients: the share that is asked in the first person.
        clinicians: the share that is asked in shorthand.
        follow_ups: the share that comes second, after another question of its page.
    """

    common: float = 0.6
    rare: float = 0.0
    patients: float = 0.13
    clinicians: float = 0.1
    follow_ups: float = 0.1

    def files(self, root: Path) -> list[Path]:
        return MedQuad().files(root)

    def read(self, file: Path) -> Iterator[Read]:
        before: DialogueRecord | None = None
        for record in MedQuad().read(file):
            if isinstance(record, Broken):
                yield record
            elif isinstance(record, DialogueRecord) and self._wants(record):
                short = self._short(record, before)
                if short is not None:
                    before = short
                    yield short

    def _wants(self, record: DialogueRecord) -> bool:
        rare = record.meta.get("publisher") in RARE
        share = self.rare if rare else self.common
        return record.meta.get("type") in phrasings() and is_held_out(record.id, share)

    def _short(
        self, record: DialogueRecord, before: DialogueRecord | None
    ) -> DialogueRecord | None:
        """`record` with a short answer; None where it has none that stands alone."""
        answer, focus = short_answer(record.messages[-1].content), focus_of(record)
        kind = record.meta["type"]
        if not answer or not 0 < len(focus) <= LONGEST_FOCUS or _NO_NAME.match(focus):
            return None
        if kind not in NAMELESS and not _names(answer, focus):
            return None
        chance = random.Random(record.id)
        words = phrasings()[kind]
        earlier: tuple[tuple[str, str], ...] = ()
        first = _first_of(before, record)
        if chance.random() < self.follow_ups and first is not None:
            question = chance.choice(words.follows)
            earlier = (first,)
        else:
            if chance.random() < LOWERED and focus[1:2].islower():
                focus = focus.lower()
            asks = self._asks(words, chance)
            question = chance.choice(asks).replace("{focus}", focus)
        return dialogue(
            NAME,
            record.id,
            question,
            answer,
            LICENCE,
            group=record.group,
            title=record.title,
            earlier=earlier,
            meta=record.meta,
        )

    def _asks(self, words: Phrasings, chance: random.Random) -> tuple[str, ...]:
        drawn = chance.random()
        if drawn < self.patients:
            return words.patients
        if drawn < self.patients + self.clinicians:
            return words.clinicians
        return words.asks


def short_answer(answer: str) -> str:
    """The first whole sentences of `answer` that say something; "" if it has none.

    They end before a list, and at about thirty words: 15 to 58.
    """
    listed = _LIST.search(answer)
    prose = _GLOSS.sub("", answer[: listed.start()] if listed else answer)
    found = [s for line in prose.split("\n") for s in sentences(line.strip())]
    kept: list[str] = []
    words = 0
    for sentence in found:
        if not sentence.endswith(".") or _DAMAGED.search(sentence):
            break
        if _SAYS_NOTHING.search(sentence):
            if kept:
                break
            continue
        words += len(sentence.split())
        if words > MOST_WORDS:
            break
        kept.append(sentence)
        if words >= ENOUGH_WORDS:
            break
    text = " ".join(kept)
    return text if len(text.split()) >= FEWEST_WORDS and not _LEANS.match(text) else ""


def focus_of(record: DialogueRecord) -> str:
    """Subject of `record` as people say it: the name in use, no brackets."""
    known = _ALSO_KNOWN.match(record.title)
    name = _BEFORE_A_NAME.sub("", known[1] if known else record.title)
    return _IN_BRACKETS.sub("", name).strip()


def _names(answer: str, focus: str) -> bool:
    """Whether `answer` says half the words of `focus`, in whatever form."""
    words = [w[:5] for w in re.findall(r"\w{4,}", focus.casefold())]
    said = answer.casefold()
    return sum(word in said for word in words) >= NAMED * len(words)


def _first_of(
    before: DialogueRecord | None, record: DialogueRecord
) -> tuple[str, str] | None:
    """Question and answer of `before`, if `record` of the same page can follow it."""
    if (
        before is None
        or before.group != record.group
        or before.meta.get("type") == record.meta.get("type")
        or len(before.messages) != 2
    ):
        return None
    asked, answered = before.messages
    return asked.content, answered.content


INFO = SourceInfo(
    name=NAME,
    title="MedQuAD, short",
    about="MedQuAD with answers of one or two whole sentences, asked as patients and "
    "clinicians ask.",
    licence=LICENCE.name,
    terms="",
    kind="dialogue",
    open_source=MedQuadShort,
    options=("common", "rare", "patients", "clinicians", "follow_ups"),
)
