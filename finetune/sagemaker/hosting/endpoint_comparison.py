"""Base against tuned on an endpoint: a run's held-out questions, answered by both.

The file that is written is the one of an evaluation here, by the same writer and with
the same statistics. What an endpoint does not give (the losses on the held-out data,
the likelihoods of an exam's choices) is not in it. An answer that was paid for is kept
until the file stands.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeVar

from pydantic import TypeAdapter

from finetune.data.prepared_records import DialogueRecord, RecordMessage
from finetune.errors import FinetuneError
from finetune.evaluate.answers import ANSWER, answer_of, questions
from finetune.evaluate.evaluation_statistics import compare_answers
from finetune.evaluate.held_out import HeldOut, held_out_of
from finetune.evaluate.journal import Journal
from finetune.evaluate.recipe import EvaluatePart
from finetune.evaluate.result import (
    AnsweredItem,
    Evaluation,
    EvaluationSettings,
    Example,
    evaluation_file,
    read_evaluation,
    write_evaluation,
)
from finetune.evaluate.written_answers import read_prompts
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.hosting.endpoint import OpenEndpoint
from finetune.sagemaker.hosting.facts import has_template, models_of, numbers_of
from finetune.sagemaker.hosting.invoke import EndpointAnswer as Written
from finetune.sagemaker.hosting.question import EndpointQuestion, QuestionDoesNotFit
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import COMPARING, RunFolder
from medassist.core.words import duration
from medassist.exams.statistics import DRAWS, LEVEL

ENDPOINT = "SageMaker endpoint"
"""Value of the file's `hardware` that marks an endpoint."""
ENOUGH = 3
"""Answers after which it is known how long the others take."""
SPARE_S = 60.0
T = TypeVar("T")


@dataclass
class EndpointComparison:
    """State that the steps of a comparison share."""

    found: OpenEndpoint
    part: EvaluatePart
    journal: Journal
    depends: Mapping[str, object]
    watcher: Watcher
    done: int = 0
    began: float = 0.0

    def asked(self, messages: Sequence[RecordMessage]) -> EndpointQuestion:
        """A question, with the settings of the recipe."""
        return EndpointQuestion(
            tuple(messages),
            max_tokens=min(self.part.max_new_tokens, self.found.served.context // 2),
            temperature=self.part.temperature,
            seed=self.part.seed,
        )

    def both(self, messages: Sequence[RecordMessage]) -> tuple[Written, Written]:
        """Has base and tuned answer.

        Raises:
            QuestionDoesNotFit: nothing, to this question.
            SageMakerError: the endpoint gives no answer.
        """
        asked = self.asked(messages)
        base = self.found.endpoint.answer("base", asked)
        return base, self.found.endpoint.answer("tuned", asked)

    def must_outlast(self, left: int) -> None:
        """Make sure that the endpoint stands for `left` more questions.

        Raises:
            SageMakerError: it goes before.
        """
        until = self.found.made.until
        if until is None or not left:
            return
        rest = until - time.time() - SPARE_S
        each = (time.time() - self.began) / self.done if self.done >= ENOUGH else 0.0
        if rest > each * left:
            return
        raise SageMakerError(
            f"{left} questions are left, which take about {duration(each * left)}, and "
            f"the endpoint goes in {duration(max(0.0, rest))}. What was answered is "
            "kept: deploy the run again for longer, and call it again"
        )


def check_kept(run: RunFolder, *, replace: bool) -> None:
    """Make sure that no evaluation of another kind is lost.

    Raises:
        SageMakerError: the run has one that was made here.
    """
    file = evaluation_file(run.root)
    if replace or not file.is_file():
        return
    try:
        ours = ENDPOINT in read_evaluation(run.root).hardware
    except FinetuneError:
        ours = False
    if not ours:
        raise SageMakerError(
            f"{file} holds an evaluation that was made on this computer, with losses "
            "that an endpoint does not give. Move it away, or say --replace"
        )


def held_out(run: RunFolder, part: EvaluatePart, *, exactly: bool) -> HeldOut:
    """The held-out data, with at least one question.

    Raises:
        FinetuneError: there is none.
    """
    found = held_out_of(run.root, part.split, exactly=exactly)
    if not questions(found.records, part.generate):
        raise SageMakerError(
            f"data/{found.split}.jsonl has no dialogue whose last question could be "
            "asked (or --generate is 0); an endpoint answers questions alone"
        )
    return found


def compare(
    found: OpenEndpoint,
    run: RunFolder,
    part: EvaluatePart,
    data: HeldOut,
    *,
    region: str,
    watcher: Watcher = unwatched,
) -> Evaluation:
    """Ask both sides the held-out questions, and write the run's evaluation.json.

    Args:
        found: the endpoint.
        run: the run folder.
        part: what its recipe says of the evaluation.
        data: the held-out data.
        region: where the endpoint stands.
        watcher: hears how far it is.

    Raises:
        SageMakerError: the endpoint gives no answer, or goes too soon; what was
            answered is kept, and the same call goes on with it.
    """
    served = found.served
    models = models_of(run, found)
    journal = Journal(run.root, resume=True, name=COMPARING)
    depends = {
        "base": models.base.sha256,
        "tuned": models.tuned.sha256,
        "engine": served.engine,
        "image": served.image,
        "context": served.context,
        "data": data.sha256,
    }
    work = EndpointComparison(found, part, journal, depends, watcher)
    before, start = journal.seconds, time.time()
    work.began = start
    try:
        answers = _answers(work, questions(data.records, part.generate))
        examples = _examples(work) if part.examples else []
    finally:
        seconds = before + time.time() - start
        journal.spent(seconds)
    if not answers:
        raise SageMakerError(
            "none of the held-out questions could be put to the endpoint: their "
            "context does not suffice; deploy it with a larger --context"
        )
    evaluation = Evaluation(
        models=models,
        data=data.facts(),
        losses=(),
        comparisons=tuple(compare_answers(answers, part.seed)),
        examples=tuple(examples),
        answers=tuple(answers),
        items=(),
        settings=EvaluationSettings(
            seed=part.seed,
            limit=None,
            generated=len(answers),
            max_new_tokens=work.asked(()).max_tokens,
            temperature=part.temperature,
            system_prompt=part.system_prompt,
            context=served.context,
            dtype=numbers_of(run, found),
            attention=served.engine,
            chat_template=has_template(run, found),
            bootstrap_draws=DRAWS,
            confidence=LEVEL,
        ),
        seconds=seconds,
        hardware=f"{served.instance}, {ENDPOINT} in {region} ({served.engine})",
        versions={
            "python": platform.python_version(),
            "boto3": version("boto3"),
            "image": served.image.rpartition("/")[2],
        },
    )
    write_evaluation(evaluation, run.root)
    journal.remove()
    return evaluation


def _answers(
    work: EndpointComparison, chosen: Sequence[DialogueRecord]
) -> list[AnsweredItem]:
    depends = {
        **work.depends,
        "ids": [f"{record.source} {record.id}" for record in chosen],
        "writing": repr(work.asked(())),
    }

    def one(at: int) -> AnsweredItem | str:
        record = chosen[at]
        try:
            base, tuned = work.both(record.messages[:-1])
        except QuestionDoesNotFit as error:
            return str(error)
        return answer_of(record, base, tuned)

    found = _each(work, "Answers", depends, ANSWER, len(chosen), one)
    return [each for each in found if isinstance(each, AnsweredItem)]


def _examples(work: EndpointComparison) -> list[Example]:
    prompts, system = read_prompts(), work.part.system_prompt
    opening = [RecordMessage(role="system", content=system)] if system else []
    depends = {
        **work.depends,
        "writing": repr(work.asked(())),
        "system": system,
        "prompts": [each.model_dump() for each in prompts],
    }

    def one(at: int) -> Example | str:
        prompt = prompts[at]
        question = RecordMessage(role="user", content=prompt.prompt)
        try:
            base, tuned = work.both([*opening, question])
        except QuestionDoesNotFit as error:
            return str(error)
        return Example(
            id=prompt.id,
            system=system,
            prompt=prompt.prompt,
            base=base.text,
            tuned=tuned.text,
            base_ended=base.ended,
            tuned_ended=tuned.ended,
        )

    either: TypeAdapter[Example | str] = TypeAdapter(Example | str)
    found = _each(work, "Examples", depends, either, len(prompts), one)
    return [each for each in found if isinstance(each, Example)]


def _each(
    work: EndpointComparison,
    name: str,
    depends: Mapping[str, object],
    adapter: TypeAdapter[T],
    count: int,
    one: Callable[[int], T],
) -> list[T]:
    """Yields the result of `one` at each place, that of earlier calls first."""
    with work.journal.part(name.lower(), depends, adapter) as kept:
        left = [at for at in range(count) if at not in kept.found]
        for number, at in enumerate(left):
            work.watcher(name, len(kept.found), count)
            work.must_outlast(len(left) - number)
            kept.add(at, one(at))
            work.done += 1
        work.watcher(name, count, count)
        return [kept.found[at] for at in sorted(kept.found)]
