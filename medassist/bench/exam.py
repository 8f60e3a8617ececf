"""Multiple-choice exams, question by question, for every row.

Each answer is kept with the sha256 of the token ids that it was asked with: two models
are compared on a question only where these are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from medassist.bench.events import Event, Progressed, StepFailed
from medassist.bench.results import ROUND, ExamItem, Figure
from medassist.bench.targets import Target
from medassist.bench.work import Step, Work, scorer_facts, settings
from medassist.core.errors import EngineError
from medassist.core.values import CHUNK, Message
from medassist.engine.scorer import GgufScorer
from medassist.exams.log_probs import Logits
from medassist.exams.multiple_choice import (
    Chat,
    ExamError,
    ExamQuestion,
    PromptTurn,
    ScoredChoices,
    ScorerExaminee,
    ScoringPass,
    plan,
    result,
    sit,
)
from medassist.exams.question_files import ExamPaper, find_exams

BLOCK = 10
"""Questions after which what was found is written down."""
CONTEXT = 4096
BY_CHAT = ", by the chat template"
FLASH = False
"""As the app reads on a processor: with it a question of sixty tokens behind solved
ones is read half as fast."""
WAY = "without flash attention; what introduces a question is read apart"
"""A mark of the way of reading, on which the last bits of an answer hang."""


@dataclass(frozen=True)
class Adapted:
    """A GGUF with its adapter, applied from the start or from where it is invoked.

    Attributes:
        scorer: reads tokens.
        invocation: the tokens that switch an activated adapter on.
    """

    scorer: GgufScorer
    invocation: tuple[int, ...]

    def logits(
        self, tokens: Sequence[int], first: int = 0, *, shared: int = 0
    ) -> Logits:
        """The logits after each of `tokens` from position `first` on: (T, V)."""
        return self.scorer.logits(tokens, first, self._from(tokens), shared)

    def _from(self, tokens: Sequence[int]) -> int | None:
        if not self.invocation:
            return 0
        size = len(self.invocation)
        for at in range(len(tokens) - size, -1, -1):
            if tuple(tokens[at : at + size]) == self.invocation:
                return at
        return None


def papers(work: Work) -> tuple[list[ExamPaper], tuple[str, ...]]:
    """The exams in the folder, each limited to the wanted number of questions.

    Returns:
        Them, and what is wrong with files that could not be read.

    Raises:
        ExamError: there is none.
    """
    if work.wishes.exams is None:
        return [], ()
    most = work.wishes.questions
    found = find_exams(work.wishes.exams, work.wishes.shots)
    return [
        ExamPaper(p.task, p.title, p.questions[:most], p.shots, p.files)
        for p in found.papers
    ], found.unlike


def by_chat(work: Work) -> bool:
    """Whether questions are put by the chat template, to every row alike.

    Unless it was said, only where an adapter is switched on by what a template writes.
    """
    said = work.wishes.exam_chat
    return any(t.invocation for t in work.targets) if said is None else said


def steps(work: Work, exams: Sequence[ExamPaper]) -> list[Step]:
    """All blocks of all exams, row by row."""
    return [
        _step(work, target, paper, first)
        for target in work.targets
        for paper in exams
        for first in range(0, len(paper.questions), BLOCK)
    ]


def measure(work: Work, exams: Sequence[ExamPaper]) -> Generator[Event]:
    """Run the exam blocks that are left.

    Raises:
        BenchError: the file of results cannot be written.
    """
    for target in work.targets:
        left = [
            (paper, first, step)
            for paper in exams
            for first in range(0, len(paper.questions), BLOCK)
            if not work.done(step := _step(work, target, paper, first))
        ]
        if not left:
            continue
        try:
            with GgufScorer(
                target.model,
                target.adapter,
                context=CONTEXT,
                batch=CHUNK,
                threads=settings(work.wishes)[0].threads,
                flash=FLASH,
            ) as scorer:
                sitting = _sitting(target, scorer, by_chat(work))
                for paper, first, step in left:
                    yield work.begin(step, f"{paper.task} from {first + 1:,}")
                    yield from _block(work, step, sitting, paper, first)
        except (EngineError, ExamError) as error:
            yield StepFailed(target.name, "exams", str(error))


@dataclass(frozen=True)
class Sitting:
    """A model that is examined, and how a dialogue becomes a text for it."""

    examinee: ScorerExaminee
    chat: Chat | None


def _sitting(target: Target, scorer: GgufScorer, chat: bool) -> Sitting:
    def rendered(turns: Sequence[PromptTurn]) -> str:
        return scorer.rendered([Message(turn.role, turn.content) for turn in turns])

    examinee = ScorerExaminee(
        Adapted(scorer, target.invocation) if target.adapter else scorer,
        scorer.tokenize_rendered if chat else scorer.tokenize,
        scorer.opened.context,
    )
    return Sitting(examinee, rendered if chat else None)


def _block(
    work: Work, step: Step, sitting: Sitting, paper: ExamPaper, first: int
) -> Generator[Event]:
    questions = paper.questions[first : first + BLOCK]
    readings = list(plan(sitting.examinee, questions, sitting.chat))
    hashes = hashed(readings)
    answers: dict[int, ScoredChoices] = {}
    for at, answer in sit(sitting.examinee, questions, readings=readings):
        answers[at] = answer
        done = first + len(answers)
        yield Progressed(step.target.name, paper.task, done, len(paper.questions))
    items = tuple(
        item(questions[at], answers[at], hashes[at]) for at in range(len(questions))
    )
    found = result([q.gold for q in questions], [answers[at] for at in sorted(answers)])
    yield work.keep(
        step,
        items=items,
        figures={
            "acc": Figure(value=found.acc),
            "acc_norm": Figure(value=found.acc_norm),
        },
        notes=_notes(step.target, readings),
        settings=scorer_facts(
            work.wishes, sitting.examinee.context, CHUNK, flash=int(FLASH)
        ),
    )


def hashed(readings: Sequence[ScoringPass]) -> dict[int, str]:
    """The sha256 of all token ids of each question, by its place."""
    found: dict[int, str] = {}
    by_question: dict[int, list[ScoringPass]] = {}
    for reading in readings:
        by_question.setdefault(reading.question, []).append(reading)
    for question, own in by_question.items():
        digest = hashlib.sha256()
        for reading in own:
            digest.update(repr(reading.tokens).encode())
            for one in reading.asked:
                digest.update(repr((one.choice, one.tokens)).encode())
        found[question] = digest.hexdigest()
    return found


def item(question: ExamQuestion, answer: ScoredChoices, tokens: str) -> ExamItem:
    """An answer as it is stored."""
    best = sorted(answer.scores, reverse=True)
    return ExamItem(
        id=question.id,
        group=question.group,
        tokens=tokens,
        gold=question.gold,
        choice=answer.choice,
        choice_norm=answer.choice_norm,
        margin=best[0] - best[1] if len(best) > 1 else 0.0,
    )


def _notes(target: Target, readings: Sequence[ScoringPass]) -> tuple[str, ...]:
    if not target.invocation:
        return ()
    text = repr(target.invocation)[1:-1]
    if any(text in repr(reading.tokens) for reading in readings):
        return ()
    return (
        "the adapter is switched on by a text that these questions do not hold, so "
        "they are answered as by the base",
    )


def _step(work: Work, target: Target, paper: ExamPaper, first: int) -> Step:
    chat = by_chat(work)
    return Step(
        "exam",
        target,
        {
            "task": paper.task,
            "title": f"{paper.title}{BY_CHAT if chat else ''}",
            "shots": paper.shots,
            "chat": chat,
            # Of more questions the first ones are the same, and stay.
            ROUND: f"{first}-{min(first + BLOCK, len(paper.questions)) - 1}",
        },
        depends=(
            *(f"{name} {sha}" for name, sha in sorted(paper.files.items())),
            WAY,
        ),
    )
