"""Makes conversations from questions: rephrasing, follow-ups, small talk.

The sets ask in a handful of fixed sentences and never twice in a row; people do
otherwise. What is varied here is the question; an answer is never written anew.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from finetune.data.documents import QuestionAnswer, focus_key
from finetune.data.phrasings import phrasings
from finetune.data.sources import medquad

OWN = "own"  # the source of what is written for this project
_HERE = Path(__file__).parent
_LONGEST_FOCUS = 60  # characters; longer ones are no words of a question


class Rephraser:
    """Varies how questions are asked; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"talk/{seed}")
        self._words = phrasings()

    def rephrased(self, asked: QuestionAnswer, share: float) -> QuestionAnswer:
        """`asked` in other words, in a `share` of the cases where there are any."""
        words = self._words.get(asked.kind)
        if (
            asked.source != medquad.SOURCE
            or words is None
            or len(asked.focus) > _LONGEST_FOCUS
            or self._chance.random() >= share
        ):
            return asked
        focus = asked.focus
        if self._chance.random() < 0.5 and focus[1:2].islower():
            focus = focus.lower()
        question = self._chance.choice(words.asks).format(focus=focus)
        return replace(asked, question=question)

    def conversations(
        self, questions: Sequence[QuestionAnswer], share: float
    ) -> list[QuestionAnswer]:
        """`questions`, a `share` of them after another one about the same focus.

        A question that comes second may be asked in words that lean on the first.
        """
        by_focus: dict[str, list[QuestionAnswer]] = defaultdict(list)
        for asked in questions:
            if asked.source == medquad.SOURCE:
                by_focus[focus_key(asked.focus)].append(asked)
        found: list[QuestionAnswer] = []
        for asked in questions:
            others = [
                other
                for other in by_focus.get(focus_key(asked.focus), ())
                if other.kind != asked.kind
            ]
            words = self._words.get(asked.kind)
            if words and others and self._chance.random() < share:
                first = self.rephrased(self._chance.choice(others), 0.5)
                asked = replace(
                    asked,
                    question=self._chance.choice(words.follows),
                    earlier=((first.question, first.answer),),
                )
            found.append(asked)
        return found


def small_talk() -> tuple[QuestionAnswer, ...]:
    """Conversations that are not about health, which say what the model is for."""
    texts = yaml.safe_load((_HERE / "elsewhere.yaml").read_text("utf-8"))
    return tuple(
        QuestionAnswer(OWN, question, kind, question, answer)
        for kind, asks, says in (
            ("out of domain", "questions", "answers"),
            ("greeting", "greetings", "welcomes"),
        )
        for question in texts[asks]
        for answer in texts[says]
    )
