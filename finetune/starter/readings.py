"""Human ratings of a starter pair's answers, beside its loss.

A loss says how surprised a model is, not whether its answers can be read. So a finished
pair is asked sixty questions that it was not trained on, and of each answer it is
written down whether it is fluent, on topic, ends by itself and repeats itself. The last
two a program can tell; the first two are told by who reads them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from finetune.data.documents import QuestionAnswer, focus_key
from finetune.errors import FinetuneError
from finetune.starter.corpus import REPHRASED, read_questions
from finetune.starter.starter_folder import StarterFolder
from finetune.starter.starter_recipe import read_recipe
from finetune.starter.talk import Rephraser
from medassist.core.card import Pane, Readings, read_card, write_card
from medassist.core.files import SHARED_FILE, write_whole
from medassist.core.run_folder import CARD

QUESTIONS = Path(__file__).with_name("readings.yaml")
FILE = "readings.jsonl"
LOOP = 5  # words that come again at once or later, word for word, are a loop


@dataclass(frozen=True)
class ReadingQuestion:
    """A question of the readings."""

    kind: str
    question: str


class ReadAnswer(BaseModel):
    """An answer with its rating; `None` if not rated yet."""

    model_config = ConfigDict(extra="forbid")

    pane: Pane
    temperature: float
    kind: str
    question: str
    answer: str
    ended: bool
    """It ended with its end token, not at the limit."""
    repeated: bool
    fluent: bool | None = None
    on_topic: bool | None = None


def reading_questions(run: Path) -> list[ReadingQuestion]:
    """The questions for the finished run in `run`: the same each time.

    Raises:
        FinetuneError: the run has no held-out questions.
    """
    folder = StarterFolder(run)
    wanted = yaml.safe_load(QUESTIONS.read_text("utf-8"))
    unseen = read_questions(folder.data / "questions-validation.jsonl")
    talk = Rephraser(read_recipe(folder.recipe).seed)
    chosen: list[ReadingQuestion] = []
    foci: set[str] = set()
    for kind, count in wanted["held_out"].items():
        for asked in _shuffled(q for q in unseen if q.kind == kind):
            key = focus_key(asked.focus)
            if count and key not in foci and len(asked.question) < 1500:
                foci.add(key)
                count -= 1
                chosen.append(
                    ReadingQuestion(kind, talk.rephrased(asked, REPHRASED).question)
                )
    for kind, questions in wanted["own"].items():
        chosen += [ReadingQuestion(kind, question) for question in questions]
    return chosen


def repeats(answer: str) -> bool:
    """Whether `answer` says the same `LOOP` words twice."""
    words = answer.casefold().split()
    runs = [tuple(words[i : i + LOOP]) for i in range(len(words) - LOOP + 1)]
    return len(set(runs)) < len(runs)


def read_answers(run: Path) -> list[ReadAnswer]:
    """The answers that are kept in `run`; none where nobody asked yet.

    Raises:
        FinetuneError: a line is not an answer.
    """
    file = run / FILE
    if not file.is_file():
        return []
    try:
        # Not splitlines(): it also cuts at separators that stand inside a string.
        lines = file.read_text("utf-8").split("\n")
        return [ReadAnswer.model_validate_json(line) for line in lines if line]
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise FinetuneError(f"{file} is not a list of answers: {error}") from error


def write_answers(run: Path, answers: Sequence[ReadAnswer]) -> None:
    """Keep `answers` in `run`, whole or not at all."""
    lines = "".join(f"{answer.model_dump_json()}\n" for answer in answers)
    write_whole(run / FILE, lines, SHARED_FILE)


def count_into_card(run: Path) -> tuple[Readings, ...]:
    """Count what was found, and put the counts into the run's card.

    Raises:
        FinetuneError: an answer was not read yet.
        CardError: the run has no card.
    """
    groups: dict[tuple[Pane, float], list[ReadAnswer]] = defaultdict(list)
    for answer in read_answers(run):
        if answer.fluent is None or answer.on_topic is None:
            raise FinetuneError(
                f"{run / FILE}: the answer to {answer.question[:60]!r} was not read "
                "yet; read them all, then count"
            )
        groups[answer.pane, answer.temperature].append(answer)
    found = tuple(
        Readings(
            pane=pane,
            temperature=temperature,
            answers=len(group),
            fluent=sum(bool(a.fluent) for a in group),
            on_topic=sum(bool(a.on_topic) for a in group),
            ended=sum(a.ended for a in group),
            repeated=sum(a.repeated for a in group),
        )
        for (pane, temperature), group in sorted(groups.items())
    )
    card = read_card(run / CARD)
    write_card(replace(card, readings=found), run / CARD)
    return found


def _shuffled(questions: Iterable[QuestionAnswer]) -> list[QuestionAnswer]:
    """Shuffles into an order that is unlike the alphabet's, and always the same."""
    return sorted(questions, key=lambda q: sha256(q.question.encode()).digest())
