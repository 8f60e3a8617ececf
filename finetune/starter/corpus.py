"""From the data folder to token ids: read, split by focus, mixed, counted.

Two things are kept apart by their question focus: what is trained on, and what the
losses and readings are taken from. No sentence about a held-out disease from the
question sets reaches the base, the tokenizer or the adapters.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from finetune.data.documents import (
    Document,
    QuestionAnswer,
    focus_key,
    is_held_out,
)
from finetune.data.sources import medquad, open_corpus
from finetune.errors import FinetuneError
from finetune.starter.chat import SYSTEM_SENTENCES
from finetune.starter.recipe import Recipe, TextPart, TunePart

SYSTEM_SHARE = 0.3  # of the conversations, how many open with a system turn
OTHER_HELD_OUT = 0.1  # other documents are held out a tenth as often as foci
LIST_ITEM = " - "  # how the lists of web pages look when they become one line
LINKS = "These resources address"  # opens answers that only name other pages
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(])")


@dataclass(frozen=True)
class Passage:
    """What the base reads at a time: a document, or a question in the chat format."""

    source: str
    text: str
    """The document, or the answer where there is a question."""
    question: str | None = None
    system: str | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Reading:
    """All the text of a pair, split."""

    train: tuple[Passage, ...]
    validation: tuple[Passage, ...]
    questions_train: tuple[QuestionAnswer, ...]
    questions_validation: tuple[QuestionAnswer, ...]
    dropped: Counter[str]


def read_text(data: Path, recipe: Recipe) -> Reading:
    """Read what `recipe` names from the `data` folder and split it.

    Raises:
        FinetuneError: a data set is missing or broken.
    """
    dropped: Counter[str] = Counter()
    weights = {s.name: s for s in recipe.text.sources}
    questions = tuple(medquad.read_medquad(data / medquad.SOURCE, dropped))
    train: list[Passage] = []
    validation: list[Passage] = []
    asked_train: list[QuestionAnswer] = []
    asked_validation: list[QuestionAnswer] = []
    chance = random.Random(recipe.seed)
    for asked in questions:
        held_out = is_held_out(focus_key(asked.focus), recipe.text.held_out)
        (asked_validation if held_out else asked_train).append(asked)
        if source := weights.get(asked.source):
            passage = _question_passage(asked, source.longest, recipe.text, chance)
            passage = _weighted(passage, source.weight)
            (validation if held_out else train).append(passage)
    others = [name for name in weights if name != medquad.SOURCE]
    if others:
        for document in open_corpus.read_open_corpus(data / "pretrain-corpus", others):
            source = weights[document.source]
            held_out = is_held_out(
                document.text[:200], recipe.text.held_out * OTHER_HELD_OUT
            )
            for piece in _pieces(document, source.longest):
                passage = _weighted(piece, source.weight)
                (validation if held_out else train).append(passage)
    return Reading(
        train=tuple(train),
        validation=tuple(validation),
        questions_train=tuple(asked_train),
        questions_validation=tuple(asked_validation),
        dropped=dropped,
    )


def short_answers(
    questions: tuple[QuestionAnswer, ...], part: TunePart
) -> list[QuestionAnswer]:
    """The questions that the adapters learn from, with answers of a few sentences.

    Answers end before a list: a small model that has learned to write lists does not
    find out of them again. Mere links to other pages are left out.
    Answers that come up word for word under many questions (how a disease is
    inherited) are kept `same_answer` times.
    """
    seen: Counter[str] = Counter()
    kept: list[QuestionAnswer] = []
    for asked in questions:
        if asked.answer.startswith(LINKS):
            continue
        prose = asked.answer.partition(LIST_ITEM)[0]
        answer = whole_sentences(prose, part.longest_answer)
        seen[answer] += 1
        if answer and seen[answer] <= part.same_answer:
            kept.append(
                QuestionAnswer(
                    asked.source, asked.focus, asked.kind, asked.question, answer
                )
            )
    return kept


def whole_sentences(text: str, longest: int) -> str:
    """The first sentences of `text` within `longest` characters; "" if none fits."""
    kept = ""
    for sentence in _SENTENCE_END.split(text):
        longer = f"{kept} {sentence}".strip()
        if len(longer) > longest or not sentence.endswith((".", "!", "?")):
            break
        kept = longer
    return kept


def write_questions(file: Path, questions: tuple[QuestionAnswer, ...]) -> None:
    """Write `questions` to `file`, one JSON object a line."""
    lines = (json.dumps(asdict(q), ensure_ascii=False) + "\n" for q in questions)
    file.write_text("".join(lines), "utf-8")


def read_questions(file: Path) -> tuple[QuestionAnswer, ...]:
    """The questions that `write_questions` wrote.

    Raises:
        FinetuneError: the file is missing or a line is not a question.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
        return tuple(QuestionAnswer(**json.loads(line)) for line in lines)
    except (OSError, ValueError, TypeError) as error:
        raise FinetuneError(
            f"{file} is not a list of questions ({error}); make the run folder anew"
        ) from error


def _question_passage(
    asked: QuestionAnswer, longest: int, part: TextPart, chance: random.Random
) -> Passage:
    answer = asked.answer[:longest]
    if len(asked.answer) > longest:
        answer = whole_sentences(asked.answer, longest) or answer
    if chance.random() >= part.chat_share:
        return Passage(asked.source, f"{asked.question}\n{answer}")
    system = None
    if chance.random() < SYSTEM_SHARE:
        system = chance.choice(SYSTEM_SENTENCES)
    return Passage(asked.source, answer, asked.question, system)


def _pieces(document: Document, longest: int) -> Iterator[Passage]:
    """`document` in pieces of at most about `longest` characters, by paragraphs."""
    piece = ""
    for paragraph in document.text.split("\n"):
        if piece and len(piece) + len(paragraph) > longest:
            yield Passage(document.source, piece)
            piece = ""
        piece = f"{piece}\n{paragraph}".strip()[: 2 * longest]
    if piece:
        yield Passage(document.source, piece)


def _weighted(passage: Passage, weight: float) -> Passage:
    return Passage(
        passage.source, passage.text, passage.question, passage.system, weight
    )
