"""Multiple-choice questions scored by log-likelihood, with lm-eval's numbers.

A model answers with the choice that it holds for the likeliest continuation of the
question. What counts here, and where two programs differ easily:

- a choice is joined by one space (none after a chat template), and spaces that end
  the question belong to the choice;
- question and choice are tokenized together; the choice's tokens are what follows the
  tokens of the question alone;
- a text begins as the tokenizer begins one, and never with BOS twice;
- what does not fit into the context is cut off at the start;
- `acc` takes the highest sum of log-likelihoods, `acc_norm` the highest sum by
  character of the choice (without the space); of equals the first.

Source: EleutherAI's lm-evaluation-harness 0.4.13, whose predictions, accuracies and
standard errors on the same questions are compared in tests/exams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from medassist.core.values import Role
from medassist.exams.log_probs import Logits, log_softmax
from medassist.exams.scorer import Told
from medassist.exams.statistics import standard_error

PROBE = "?"
"""Stands in place of a question, to see how a text begins with another one."""


class ExamError(Exception):
    """An exam cannot be read or sat; the message says which, where and why."""


@dataclass(frozen=True)
class PromptTurn:
    """A part of a prompt: what a user asks or an assistant answered."""

    role: Role
    content: str


Chat = Callable[[Sequence[PromptTurn]], str]
"""Renders a dialogue up to where the next answer begins."""


@dataclass(frozen=True)
class ExamQuestion:
    """A question with its choices.

    Attributes:
        id: unique within its exam.
        group: a subject, where the exam has several; else empty.
        prompt: what stands before the choice.
        choices: what may follow it; without the space that joins them.
        gold: the right one, from 0.
        description: what introduces the questions, or nothing.
        solved: prompts and right choices that stand before this one.
    """

    id: str
    group: str
    prompt: str
    choices: tuple[str, ...]
    gold: int
    description: str = ""
    solved: tuple[tuple[str, str], ...] = ()

    @property
    def introduction(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What other questions of the exam begin with, too; of most exams nothing."""
        return self.description, self.solved

    @property
    def text(self) -> str:
        """The whole prompt as plain text."""
        before = "".join(f"{asked} {answer}\n\n" for asked, answer in self.solved)
        return f"{self.description}{before}{self.prompt}"

    @property
    def turns(self) -> tuple[PromptTurn, ...]:
        """The whole prompt as a dialogue, for a chat template."""
        opening = [PromptTurn("system", self.description)] if self.description else []
        before = [
            turn
            for asked, answer in self.solved
            for turn in (PromptTurn("user", asked), PromptTurn("assistant", answer))
        ]
        return (*opening, *before, PromptTurn("user", self.prompt))


@dataclass(frozen=True)
class Continuation:
    """A continuation whose log-likelihood is wanted after a reading."""

    choice: int
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class ScoringPass:
    """Tokens that a model reads once; the last `rows` positions are scored.

    Choices of one token each are all scored by one reading.

    Attributes:
        question: its place among the questions.
        tokens: that are read.
        asked: what is scored.
        shared: of the tokens, how many at the start introduce other questions, too.
    """

    question: int
    tokens: tuple[int, ...]
    asked: tuple[Continuation, ...]
    shared: int = 0

    @property
    def rows(self) -> int:
        """Positions whose logits are needed, at the end."""
        return max(len(one.tokens) for one in self.asked)


class Examinee(Protocol):
    """A model that sits an exam."""

    @property
    def context(self) -> int:
        """Tokens that it reads at most."""
        ...

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, begun as the model begins a text."""
        ...

    def likelihoods(
        self, readings: Sequence[ScoringPass]
    ) -> Iterator[tuple[int, tuple[float, ...]]]:
        """The log-likelihood of all that is asked, for each reading, in any order.

        Yields:
            the reading's place and a value for each of its `asked`.
        """
        ...


@dataclass(frozen=True)
class ScoredChoices:
    """Scores of a model's choices at a question.

    Attributes:
        scores: log-likelihood of each choice, in nats.
        choice: the one with the highest.
        choice_norm: the one with the highest by character.
    """

    scores: tuple[float, ...]
    choice: int
    choice_norm: int


@dataclass(frozen=True)
class Result:
    """A model's figures in an exam; an error is `None` of fewer than two questions."""

    acc: float
    acc_stderr: float | None
    acc_norm: float
    acc_norm_stderr: float | None


class ExamScorer(Protocol):
    """A model that reads texts of which many begin alike."""

    def logits(
        self, tokens: Sequence[int], first: int = 0, *, shared: int = 0
    ) -> Logits:
        """The logits after each of `tokens` from position `first` on: (T, V).

        The first `shared` tokens may be read once for all texts that begin with them.
        """
        ...


class ScorerExaminee:
    """An `ExamScorer` with its tokenizer, so that a GGUF sits the same exam.

    Args:
        scorer: reads tokens; see `medassist.engine.scorer.GgufScorer`.
        tokenize: a text to tokens, begun as the model begins a text.
        context: tokens that it reads at most.
    """

    def __init__(
        self, scorer: ExamScorer, tokenize: Callable[[str], list[int]], context: int
    ) -> None:
        self._scorer = scorer
        self._tokenize = tokenize
        self._context = context

    @property
    def context(self) -> int:
        """Tokens that it reads at most."""
        return self._context

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text."""
        return [self._tokenize(text) for text in texts]

    def likelihoods(
        self, readings: Sequence[ScoringPass]
    ) -> Iterator[tuple[int, tuple[float, ...]]]:
        """The log-likelihoods that are asked for, reading by reading."""
        for place, reading in enumerate(readings):
            first = len(reading.tokens) - reading.rows
            rows = self._scorer.logits(reading.tokens, first, shared=reading.shared)
            found = log_softmax(rows)
            yield place, tuple(_sum(found, one.tokens) for one in reading.asked)


def sit(
    examinee: Examinee,
    questions: Sequence[ExamQuestion],
    *,
    chat: Chat | None = None,
    readings: Sequence[ScoringPass] | None = None,
    told: Told | None = None,
    what: str = "Questions",
) -> Iterator[tuple[int, ScoredChoices]]:
    """Let a model answer; each answer comes as soon as it is known, in any order.

    Args:
        examinee: the model.
        questions: in a block that fits into memory as tokens.
        chat: renders a dialogue up to where the answer begins; by default prompts are
            plain text.
        readings: what `plan` gave for these questions, where two models with one
            tokenizer sit the exam; by default it is planned here.
        told: hears how many questions are answered.
        what: how it is told.

    Yields:
        a question's place in `questions` and its answer.

    Raises:
        ExamError: a choice has no tokens, or more than the model reads at a time.
    """
    if readings is None:
        readings = list(plan(examinee, questions, chat))
    scores = [[float("nan")] * len(question.choices) for question in questions]
    left = [len(question.choices) for question in questions]
    done = 0
    for place, found in examinee.likelihoods(readings):
        reading = readings[place]
        at = reading.question
        for one, value in zip(reading.asked, found, strict=True):
            scores[at][one.choice] = value
        left[at] -= len(reading.asked)
        if not left[at]:
            done += 1
            if told is not None:
                told(what, done, len(questions))
            yield at, answered(questions[at].choices, scores[at])


def plan(
    examinee: Examinee,
    questions: Sequence[ExamQuestion],
    chat: Chat | None = None,
) -> Iterator[ScoringPass]:
    """Plans what a model has to read to answer; what several choices share, once.

    Raises:
        ExamError: as `sit`.
    """
    joint = " " if chat is None else ""
    introduced = _introductions(examinee, questions, chat)
    texts: list[str] = []
    for question in questions:
        context = _context(question, chat)
        bare = context.rstrip()
        spaces = context[len(bare) :]
        texts.append(bare)
        texts += [f"{bare}{spaces}{joint}{choice}" for choice in question.choices]
    encoded = iter(examinee.encode(texts))
    for at, question in enumerate(questions):
        start = len(next(encoded))
        introduction = introduced.get(question.introduction, ())
        by_tokens: dict[tuple[int, ...], list[Continuation]] = {}
        for choice in range(len(question.choices)):
            whole = next(encoded)
            wanted = tuple(whole[start:])
            if not wanted or len(wanted) > examinee.context:
                raise ExamError(
                    f"question {question.id}: choice {choice + 1} "
                    f"({question.choices[choice]!r}) has {len(wanted):,} tokens of its "
                    f"own, where 1 to {examinee.context:,} can be scored."
                )
            read = tuple(whole[-(examinee.context + 1) :][:-1])
            by_tokens.setdefault(read, []).append(Continuation(choice, wanted))
        for tokens, asked in by_tokens.items():
            yield ScoringPass(at, tokens, tuple(asked), alike(introduction, tokens))


def _context(question: ExamQuestion, chat: Chat | None) -> str:
    """What stands before a choice."""
    return question.text if chat is None else chat(question.turns)


def _introductions(
    examinee: Examinee, questions: Sequence[ExamQuestion], chat: Chat | None
) -> dict[object, list[int]]:
    """By what introduces them, the tokens of a text that begins as the questions do.

    It hangs on a question alone and not on its neighbours, so that a model reads it in
    the same parts wherever it stands.
    """
    probes = {
        question.introduction: _context(replace(question, prompt=PROBE), chat)
        for question in questions
        # A template begins every text alike.
        if chat is not None or any(question.introduction)
    }
    return dict(zip(probes, examinee.encode(list(probes.values())), strict=True))


def alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def answered(choices: Sequence[str], scores: Sequence[float]) -> ScoredChoices:
    """The choices that the log-likelihoods `scores` speak for."""
    found = np.asarray(scores, np.float64)
    lengths = np.array([float(len(choice)) for choice in choices])
    return ScoredChoices(
        tuple(float(score) for score in found),
        int(np.argmax(found)),
        int(np.argmax(found / lengths)),
    )


def result(golds: Sequence[int], answers: Iterable[ScoredChoices]) -> Result:
    """Accuracies and their standard errors.

    Raises:
        ValueError: there are no answers, or their number is not that of the golds.
    """
    pairs = list(zip(golds, answers, strict=True))
    if not pairs:
        raise ValueError("there is no accuracy of no answers")
    right = np.array([gold == found.choice for gold, found in pairs], np.float64)
    norm = np.array([gold == found.choice_norm for gold, found in pairs], np.float64)
    return Result(
        float(right.mean()),
        standard_error(right),
        float(norm.mean()),
        standard_error(norm),
    )


def _sum(log_probs: npt.NDArray[np.float64], tokens: Sequence[int]) -> float:
    """Sum over the last rows of (T, V) log-probabilities, one for each of `tokens`."""
    rows = np.arange(len(log_probs) - len(tokens), len(log_probs))
    return float(log_probs[rows, np.asarray(tokens)].sum())
