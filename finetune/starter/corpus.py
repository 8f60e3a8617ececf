"""Reads, splits and mixes the texts of a starter pair.

Two things are kept apart by their question focus: what is trained on, and what the
losses and readings are taken from. No sentence about a held-out disease from the
question sets reaches the base, the tokenizer or the adapters.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from finetune.data.documents import (
    QuestionAnswer,
    RunningText,
    focus_key,
    is_held_out,
    whole_sentences,
)
from finetune.data.prepared_records import TextRecord
from finetune.data.sources import medquad, open_corpus
from finetune.data.sources.source_notices import CATALOGUE, notices
from finetune.errors import FinetuneError
from finetune.starter.chat import SYSTEM_SENTENCES
from finetune.starter.invented_diseases import names_focus, renamed
from finetune.starter.questions import QUESTION_SETS, whole_records
from finetune.starter.starter_recipe import Recipe, TextPart, TunePart
from finetune.starter.talk import Rephraser, small_talk

SYSTEM_SHARE = 0.3  # of the conversations, how many open with a system turn
OTHER_HELD_OUT = 0.1  # other documents are held out a tenth as often as foci
REPHRASED = 0.6  # of the questions that are asked in fixed words
_RELATION = re.compile(r"(?<=[a-z])_(?=[a-z])")
_BLANKS = re.compile(r"[ \t]+")
LIST_ITEM = " - "  # how the lists of web pages look when they become one line


@dataclass(frozen=True)
class Passage:
    """A unit of text: a document, or a question in the chat format."""

    source: str
    text: str
    """The document, or the answer where there is a question."""
    question: str | None = None
    system: str | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class SplitText:
    """All text of a pair, split into training and held-out."""

    train: tuple[Passage, ...]
    validation: tuple[Passage, ...]
    questions_train: tuple[QuestionAnswer, ...]
    questions_validation: tuple[QuestionAnswer, ...]
    dropped: Counter[str]


def read_text(data: Path, recipe: Recipe) -> SplitText:
    """Read what `recipe` names from the `data` folder and split it.

    Raises:
        FinetuneError: a data set is missing or broken, or has no notice.
    """
    if unknown := {s.name for s in recipe.text.sources} - set(notices()):
        raise FinetuneError(
            f"nothing is known of the licence of {', '.join(sorted(unknown))}; give it "
            f"an entry in {CATALOGUE}, or take it out of text.sources"
        )
    dropped: Counter[str] = Counter()
    train: list[Passage] = []
    validation: list[Passage] = []
    asked_train: list[QuestionAnswer] = []
    asked_validation: list[QuestionAnswer] = []
    chance = random.Random(recipe.seed)
    talk = Rephraser(recipe.seed)
    for source in recipe.text.sources:
        if (found := QUESTION_SETS.get(source.name)) is None:
            continue
        for asked in found.read(data / found.folder, dropped):
            held_out = is_held_out(focus_key(asked.focus), recipe.text.held_out)
            (asked_validation if held_out else asked_train).append(asked)
            asked = talk.rephrased(asked, REPHRASED)
            passage = _question_passage(asked, source.longest, recipe.text, chance)
            passage = replace(passage, weight=source.weight)
            (validation if held_out else train).append(passage)
    others = {
        source.name: source
        for source in recipe.text.sources
        if source.name not in QUESTION_SETS
    }
    if others:
        for document in read_open_corpus(data / "pretrain-corpus", others):
            source = others[document.source]
            held_out = is_held_out(
                document.text[:200], recipe.text.held_out * OTHER_HELD_OUT
            )
            for piece in _pieces(document, source.longest):
                passage = replace(piece, weight=source.weight)
                (validation if held_out else train).append(passage)
    return SplitText(
        train=tuple(train),
        validation=tuple(validation),
        questions_train=tuple(asked_train),
        questions_validation=tuple(asked_validation),
        dropped=dropped,
    )


def read_open_corpus(folder: Path, sources: Collection[str]) -> Iterator[RunningText]:
    """The documents of the named `sources` in the corpus in `folder`, in file order.

    Relation_names of the ontologies are words, and blanks single.

    Raises:
        FinetuneError: the corpus is missing, broken, or has none of a named source.
    """
    seen: set[str] = set()
    corpus = open_corpus.OpenCorpus(tuple(sources))
    for record in whole_records(corpus, folder, (open_corpus.FILE,)):
        assert isinstance(record, TextRecord)
        seen.add(record.meta["part"])
        text = _BLANKS.sub(" ", _RELATION.sub(" ", record.text)).strip()
        yield RunningText(source=record.meta["part"], text=text)
    if missing := sorted(set(sources) - seen):
        raise FinetuneError(
            f"{folder / open_corpus.FILE} has no text of {', '.join(missing)}; take "
            "the name out of the recipe, or correct it"
        )


def short_answers(
    questions: tuple[QuestionAnswer, ...], part: TunePart
) -> list[QuestionAnswer]:
    """The questions that the adapters learn from, with answers of a few sentences.

    Answers end before a list: a small model that has learned to write lists does not
    find out of them again. Answers that come up word for word under many questions
    (how a disease is inherited) are kept `same_answer` times, of some kinds only the
    share in `share_of_kind`, and of those that open without a word of what was asked
    about only the share `nameless`.
    """
    seen: Counter[str] = Counter()
    kept: list[QuestionAnswer] = []
    for asked in questions:
        share = part.share_of_kind.get(asked.kind, 1.0)
        if not is_held_out(f"{asked.question}\n{asked.answer}", share):
            continue
        prose = asked.answer.partition(LIST_ITEM)[0]
        short = replace(asked, answer=whole_sentences(prose, part.longest_answer))
        if (
            asked.source == medquad.SOURCE
            and not names_focus(short)
            and not is_held_out(asked.question, part.nameless)
        ):
            continue
        seen[short.answer] += 1
        if short.answer and seen[short.answer] <= part.same_answer:
            kept.append(short)
    return kept


def conversations(
    questions: tuple[QuestionAnswer, ...], part: TunePart, seed: int
) -> list[QuestionAnswer]:
    """Conversations to train the adapters on: short answers, asked as people ask.

    Some are second questions of a conversation, some are about diseases that nobody
    has, and some are not about health.
    """
    talk = Rephraser(seed)
    short = short_answers(questions, part)
    asked = [
        talk.rephrased(question, REPHRASED)
        for question in (*short, *renamed(short, part.renamed, seed))
    ]
    return [
        *talk.conversations(asked, part.follow_ups),
        *small_talk() * part.small_talk,
    ]


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
        # Not splitlines(): it also cuts at separators that stand inside a string.
        lines = file.read_text("utf-8").split("\n")
        return tuple(_question(json.loads(line)) for line in lines if line)
    except (OSError, ValueError, TypeError) as error:
        raise FinetuneError(
            f"{file} is not a list of questions ({error}); make the run folder anew"
        ) from error


def _question(row: dict[str, Any]) -> QuestionAnswer:
    earlier = tuple((str(q), str(a)) for q, a in row.pop("earlier", ()))
    return QuestionAnswer(**row, earlier=earlier)


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


def _pieces(document: RunningText, longest: int) -> Iterator[Passage]:
    """`document` in pieces of at most about `longest` characters, by paragraphs."""
    piece = ""
    for paragraph in document.text.split("\n"):
        if piece and len(piece) + len(paragraph) > longest:
            yield Passage(document.source, piece)
            piece = ""
        piece = f"{piece}\n{paragraph}".strip()[: 2 * longest]
    if piece:
        yield Passage(document.source, piece)
