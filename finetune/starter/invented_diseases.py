"""Makes training answers about invented diseases from real ones.

Asked about a disease that it has not met, a small model tells of a similar name that it
has. A name that stands nowhere but in the question leaves it one way to go on: to read
the name there. The copies also even out what is asked: the sets explain far more often
what a disease is than how it is found or treated.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from finetune.data.documents import QuestionAnswer, sentences

BEGINNINGS = "b bl br c cr d dr f fl g gl gr h k kl l m n p pr qu r s st t tr v w z"
VOWELS = "a e i o u ae ia eo y"
ENDINGS = "l n r s x m th nd rt ck nt sk"
LAST_WORDS = (
    "syndrome",
    "disease",
    "deficiency",
    "dystrophy",
    "anemia",
    "carcinoma",
    "dysplasia",
    "neuropathy",
)
SYLLABLES = (2, 3)  # at least, at most, of an invented word
SECOND_WORD, NUMBERED = 0.3, 0.15  # how often a name has them
NAMED_BY = 4  # characters; shorter words of a focus do not tell what is spoken of


def names_focus(asked: QuestionAnswer) -> bool:
    """Whether the first two sentences of the answer say half the words of the focus."""
    words = [
        w for w in re.findall(r"\w+", asked.focus.casefold()) if len(w) >= NAMED_BY
    ]
    opening = " ".join(sentences(asked.answer)[:2]).casefold()
    return not words or 2 * sum(word in opening for word in words) >= len(words)


def renamed(
    questions: Sequence[QuestionAnswer], copies: Mapping[str, float], seed: int
) -> list[QuestionAnswer]:
    """Copies of `questions` in which the focus has an invented name.

    Args:
        questions: those whose question and answer both say the focus word for word are
            copied.
        copies: for a kind of question the mean number of copies of each; kinds that
            are not named have none.
        seed: the same copies for the same seed.
    """
    chance = random.Random(f"renaming/{seed}")
    found: list[QuestionAnswer] = []
    for asked in questions:
        wanted = copies.get(asked.kind, 0.0)
        focus = re.compile(rf"\b{re.escape(asked.focus)}\b", re.IGNORECASE)
        if not (focus.search(asked.question) and focus.search(asked.answer)):
            continue
        for _ in range(int(wanted) + (chance.random() < wanted % 1)):
            name = invented_name(chance)
            found.append(
                replace(
                    asked,
                    focus=name,
                    question=_put(focus, name, asked.question),
                    answer=_put(focus, name, asked.answer),
                )
            )
    return found


def invented_name(chance: random.Random) -> str:
    """The name of a disease that there is not: "Braeth-Kolin syndrome"."""
    words = [_word(chance)]
    if chance.random() < SECOND_WORD:
        words[0] += f"-{_word(chance)}"
    words.append(chance.choice(LAST_WORDS))
    if chance.random() < NUMBERED:
        words.append(f"type {chance.randint(1, 9)}")
    return " ".join(words)


def _word(chance: random.Random) -> str:
    parts = [
        chance.choice(BEGINNINGS.split()) + chance.choice(VOWELS.split())
        for _ in range(chance.randint(*SYLLABLES))
    ]
    return ("".join(parts) + chance.choice(ENDINGS.split())).capitalize()


def _put(focus: re.Pattern[str], name: str, text: str) -> str:
    # By a function: in a replacement text a backslash would have a meaning.
    return focus.sub(lambda _: name, text)
