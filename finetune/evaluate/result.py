"""evaluation.json: base and tuned model on the same items, with verdicts.

Nothing in it is rounded. Every figure of the summaries can be computed again from the
items beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from finetune.errors import FinetuneError
from medassist.core.files import PRIVATE_FILE, write_whole
from medassist.core.run_folder import EVALUATION
from medassist.core.validated import first_problem
from medassist.exams.statistics import Flips, Method, Outcome, in_words, outcome
from medassist.frozen_model import FrozenModel

Kind = Literal["text", "dialogue"]


class ModelFacts(FrozenModel):
    """Files that a model was read from."""

    name: str
    """The folder's name, or its id on the Hub."""
    sha256: dict[str, str]
    """Hashes of the files with weights, by name."""
    parameters: int


class AdapterFacts(FrozenModel):
    """The LoRA that makes the tuned model of the base."""

    name: str
    sha256: dict[str, str]
    kind: Literal["plain", "activated"]
    rank: int
    parameters: int


class ComparedModels(FrozenModel):
    """The compared models."""

    base: ModelFacts
    tuned: AdapterFacts


class DataFacts(FrozenModel):
    """The data that both were evaluated on."""

    split: str
    instead_of: str | None = None
    """The split that was asked for, where it has no records."""
    note: str = ""
    """Warning about the split for readers of the figures, in a sentence or two."""
    sha256: str
    """Hash of the split's file."""
    records: int
    dialogues: int
    texts: int
    groups: int
    """Documents or patients that the records come from."""
    tokens: int
    """Scored tokens: of answers in dialogues (with their ends), all of texts."""
    bytes: int
    """UTF-8 bytes of the scored answers and texts."""
    not_read: int = 0
    """Records of the split that `--limit` left out."""
    unscored: int = 0
    """Records that are empty, or whose answers did not fit into the context."""


class ItemLoss(FrozenModel):
    """Losses of both models on one record."""

    id: str
    source: str
    group: str
    kind: Kind
    tokens: int
    """Scored; the same for both, since the tokenizer is."""
    bytes: int
    cut: int = 0
    """Tokens at the start that did not fit into the model's context."""
    base_nll: float
    """Nats, the sum over the tokens."""
    tuned_nll: float
    base_correct: int
    """Tokens that the model held for the likeliest."""
    tuned_correct: int


class Loss(FrozenModel):
    """A model's loss on all records of one kind: sum by sum, not a mean of means."""

    nll: float
    """Nats per token."""
    bits_per_byte: float
    token_accuracy: float

    @property
    def perplexity(self) -> float:
        """exp(nll)."""
        return math.exp(self.nll)


class KindLoss(FrozenModel):
    """The losses of both models on dialogues' answers, or on running texts."""

    kind: Kind
    records: int
    groups: int
    tokens: int
    bytes: int
    base: Loss
    tuned: Loss


class AnsweredItem(FrozenModel):
    """Answers of both models to a held-out question."""

    id: str
    source: str
    group: str
    prompt: str
    """The last question; what came before it is in the record."""
    reference: str
    base: str
    tuned: str
    base_ended: bool
    """By itself, not at the limit."""
    tuned_ended: bool
    base_rouge_l: float
    """F-measure, 0 to 1."""
    tuned_rouge_l: float
    base_semantic: float | None = None
    """Cosine of the embeddings of answer and reference."""
    tuned_semantic: float | None = None


class Example(FrozenModel):
    """Answers of both models to a prompt without a reference."""

    id: str
    system: str
    prompt: str
    base: str
    tuned: str
    base_ended: bool
    tuned_ended: bool


class PairedExamItem(FrozenModel):
    """Choices of both models for one exam question."""

    id: str
    group: str = ""
    """A subject, where the exam names them."""
    gold: int
    """The right choice, from 0."""
    base: int
    """The choice with the highest log-likelihood."""
    tuned: int
    base_norm: int
    """The choice with the highest log-likelihood by character."""
    tuned_norm: int
    base_scores: tuple[float, ...]
    """Log-likelihood of each choice, in nats."""
    tuned_scores: tuple[float, ...]


class ExamFigures(FrozenModel):
    """A model's result in an exam."""

    acc: float
    acc_stderr: float | None
    """Sample standard deviation by the root of n; none where n is 1."""
    acc_norm: float
    acc_norm_stderr: float | None


class Exam(FrozenModel):
    """An exam, and how both models did."""

    task: str
    title: str
    n: int
    shots: int = 0
    """Solved questions that stood before each."""
    chat: bool = False
    """Whether the questions were put by the chat template; published figures are
    mostly without."""
    files: dict[str, str]
    """The sha256 of what the questions were read from, by name."""
    base: ExamFigures
    tuned: ExamFigures
    subjects: dict[str, tuple[ExamFigures, ExamFigures]] = {}
    """Base and tuned by subject, where the exam has several."""
    items: tuple[PairedExamItem, ...]


class DifferenceInterval(FrozenModel):
    """A confidence interval of a paired difference."""

    low: float
    high: float
    level: float
    draws: int
    """Draws of the bootstrap; 0 of a score interval, which draws nothing."""
    seed: int
    method: Method = "bootstrap"
    """`bootstrap` over documents, or over questions in files of before; `score`:
    Tango's interval of right and wrong answers."""


class Comparison(FrozenModel):
    """Tuned against base in one figure, on the same items.

    `verdict` is about the tuned model: "better" or "worse" only where the interval
    excludes zero, else "no difference shown (n = ...)"; of fewer than ten items or
    documents "too few items to say (8; at least 10)", wherever the interval lies; of an
    exam in which neither is shown to know more than a fixed answer "cannot tell".
    """

    name: str
    """`answers: nll`, `medqa: acc`, ..."""
    subject: str
    """Subject: `answers`, `text`, `generated answers`, a task's name."""
    metric: str
    """nll, bits_per_byte, token_accuracy, rouge_l, semantic, acc, acc_norm."""
    higher_is_better: bool
    n: int
    """Items compared."""
    groups: int
    """Documents, patients or questions that were drawn from."""
    base: float
    tuned: float
    difference: float
    """tuned - base."""
    interval: DifferenceInterval
    """Interval of the difference."""
    flips: Flips | None = None
    """Questions that became wrong or right by the tuning."""
    p: float | None = None
    """Exact McNemar, two-sided; of right and wrong answers only."""
    holm_p: float | None = None
    """`p` adjusted by Holm for all exams in this file."""
    fixed: float | None = None
    """Of an exam, the share that the best fixed answer to every question gets right."""
    base_knows: bool | None = None
    """Of an exam, whether the base is shown to know more than a fixed answer."""
    tuned_knows: bool | None = None
    """The same of the tuned model."""
    verdict: str

    @property
    def outcome(self) -> Outcome:
        """Outcome by the figures, whichever version wrote `verdict`."""
        low, high = self.interval.low, self.interval.high
        found = outcome(low, high, self.groups, higher_is_better=self.higher_is_better)
        # Without knowledge a share of right answers rises and falls with a leaning.
        knows = {Outcome.BETTER: self.tuned_knows, Outcome.WORSE: self.base_knows}
        return Outcome.CANNOT_TELL if knows.get(found) is False else found

    @property
    def said(self) -> str:
        """The outcome in words."""
        return in_words(self.outcome, self.n, self.groups)


class EvaluationSettings(FrozenModel):
    """Settings that the figures depend on."""

    seed: int
    limit: int | None
    generated: int
    """Records of the held-out data that were answered."""
    max_new_tokens: int
    temperature: float
    system_prompt: str
    context: int
    """Tokens that the models read at most."""
    dtype: str
    attention: str
    semantic_model: ModelFacts | None = None
    """The encoder that the semantic scores are by."""
    chat_template: bool
    """Whether prompts were made by the tokenizer's own template."""
    bootstrap_draws: int
    confidence: float


class Evaluation(FrozenModel):
    """Content of evaluation.json."""

    version: Literal[1] = 1
    models: ComparedModels
    data: DataFacts
    losses: tuple[KindLoss, ...]
    """One for each kind of record that the split has."""
    comparisons: tuple[Comparison, ...]
    exams: tuple[Exam, ...] = ()
    exams_unlike: tuple[str, ...] = ()
    """Errors in files of exams that could not be read, in sentences."""
    examples: tuple[Example, ...] = ()
    answers: tuple[AnsweredItem, ...] = ()
    items: tuple[ItemLoss, ...]
    settings: EvaluationSettings
    seconds: float
    """Computing time over all sittings."""
    hardware: str
    versions: dict[str, str]

    def comparison(self, name: str) -> Comparison:
        """The comparison of that name.

        Raises:
            KeyError: there is none.
        """
        for found in self.comparisons:
            if found.name == name:
                return found
        raise KeyError(name)

    def exam(self, task: str) -> Exam:
        """The exam of that name.

        Raises:
            KeyError: it was not sat.
        """
        for found in self.exams:
            if found.task == task:
                return found
        raise KeyError(task)

    def with_outcome(self, outcome: Outcome) -> Sequence[Comparison]:
        """The comparisons that came out so."""
        return [c for c in self.comparisons if c.outcome is outcome]


def evaluation_file(run: Path) -> Path:
    """Path of the evaluation in the run folder `run`."""
    return run / EVALUATION


def read_evaluation(run: Path) -> Evaluation:
    """The evaluation of the run folder `run`.

    Raises:
        FinetuneError: there is none, or the file is not one of this version.
    """
    file = evaluation_file(run)
    try:
        return Evaluation.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        raise FinetuneError(
            f"{file} is not there: the run was not evaluated yet. "
            f"`medassist finetune evaluate {run}` does it."
        ) from None
    except OSError as error:
        raise FinetuneError(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise FinetuneError(
            f"{file} is no evaluation of this version: {first_problem(error)}. "
            f"Evaluate the run again: `medassist finetune evaluate {run}`."
        ) from error


def write_evaluation(evaluation: Evaluation, run: Path) -> None:
    """Write the evaluation of `run`, whole or not at all.

    For the user's eyes only: it holds the held-out questions.
    """
    text = evaluation.model_dump_json(indent=1) + "\n"
    write_whole(evaluation_file(run), text, PRIVATE_FILE)
