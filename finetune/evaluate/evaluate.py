"""Evaluates a run: losses, answers, examples and exams of base and tuned model."""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import TypeAdapter

from finetune.data.prepared_records import RecordMessage
from finetune.errors import FinetuneError
from finetune.evaluate.answers import (
    ANSWER,
    EXAMPLE,
    answer_of,
    questions,
    stoppable,
)
from finetune.evaluate.batches import Batches, fitting
from finetune.evaluate.evaluation_statistics import (
    compare_answers,
    compare_exams,
    compare_losses,
    exam_of,
    kind_losses,
)
from finetune.evaluate.examinee import HfExaminee
from finetune.evaluate.held_out import HeldOut, held_out_of
from finetune.evaluate.journal import Journal
from finetune.evaluate.losses import SIDES, measure
from finetune.evaluate.recipe import EvaluatePart
from finetune.evaluate.result import (
    AnsweredItem,
    ComparedModels,
    Evaluation,
    EvaluationSettings,
    Exam,
    Example,
    ItemLoss,
    PairedExamItem,
    write_evaluation,
)
from finetune.evaluate.torch_pair import TorchPair, load_pair
from finetune.evaluate.written_answers import (
    Writing,
    prompt_of,
    read_prompts,
    write_both,
)
from finetune.train.chat_format import CannotRender, render
from medassist.core.progress import Watcher, unwatched
from medassist.exams.multiple_choice import (
    ExamError,
    PromptTurn,
    ScoredChoices,
    plan,
    sit,
)
from medassist.exams.question_files import ExamPaper, find_exams
from medassist.exams.statistics import DRAWS, LEVEL

if TYPE_CHECKING:
    from finetune.evaluate.semantic import Encoder

BLOCK = 128  # items between two looks at the journal
VERSIONS = ("torch", "transformers", "peft", "numpy")
LOSS: TypeAdapter[ItemLoss | str] = TypeAdapter(ItemLoss | str)
EXAM_ITEM = TypeAdapter(PairedExamItem)


@dataclass
class EvaluationWork:
    """State that the steps of an evaluation share."""

    run: Path
    pair: TorchPair
    held_out: HeldOut
    part: EvaluatePart
    batches: Batches
    journal: Journal
    watcher: Watcher
    depends: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def writing(self) -> Writing:
        """Settings for writing answers: no longer than half the context."""
        most = min(self.part.max_new_tokens, self.pair.context // 2)
        return Writing(most, self.part.temperature, self.part.seed)


def evaluate_run(
    run: Path,
    part: EvaluatePart,
    *,
    exams: Path | None = None,
    semantic: str | None = None,
    base: str | None = None,
    limit: int | None = None,
    exactly: bool = False,
    resume: bool = False,
    watcher: Watcher = unwatched,
) -> Evaluation:
    """Evaluate the run folder `run` and write its evaluation.json.

    Args:
        run: holds data/ and adapter/.
        part: what its recipe says of the evaluation.
        exams: a folder of exams in published formats.
        semantic: a folder with an encoder, for the semantic score of answers.
        base: where the base lies, if not where the run says.
        limit: records of the split, and questions of each exam, at most.
        exactly: take the split that `part` names and no other, where it is empty.
        resume: go on with an evaluation that was broken off.
        watcher: hears how far it is.

    Raises:
        FinetuneError: something is missing or broken; evaluation.json is as it was.
        Interrupted: it was stopped; what it found is kept for `resume`.
    """
    if not run.is_dir():
        raise FinetuneError(
            f"{run} is no folder. Give a run folder: with data/ and adapter/."
        )
    held_out = held_out_of(run, part.split, limit, exactly=exactly)
    papers, unlike = _papers(exams, part, limit)
    encoder = None
    if semantic is not None:
        from finetune.evaluate.semantic import Encoder

        encoder = Encoder.load(semantic)
    with stoppable(run, "evaluate", "--resume (and the same options)"):
        pair = load_pair(run, base, watcher)
        journal = Journal(run, resume=resume)
        work = EvaluationWork(
            run,
            pair,
            held_out,
            part,
            Batches(fitting(part.batch_tokens, pair.vocabulary)),
            journal,
            watcher,
            {
                "base": pair.base.sha256,
                "tuned": pair.tuned.sha256,
                "template": pair.tokenizer.chat_template,
                "dtype": pair.dtype,
            },
        )
        before, start = journal.seconds, time.monotonic()
        try:
            losses = _losses(work)
            answers = _answers(work)
            examples = _examples(work)
            sat = [_exam(work, paper) for paper in papers]
        finally:
            seconds = before + time.monotonic() - start
            journal.spent(seconds)
        if encoder is not None and answers:
            answers = _with_semantic_scores(work, encoder, answers)
        watcher("Comparing", 0, 1)
        evaluation = Evaluation(
            models=ComparedModels(base=pair.base, tuned=pair.tuned),
            data=held_out.facts(
                tokens=sum(item.tokens for item in losses),
                bytes=sum(item.bytes for item in losses),
                unscored=len(held_out.records) - len(losses),
            ),
            losses=kind_losses(losses),
            comparisons=(
                *compare_losses(losses, part.seed),
                *compare_answers(answers, part.seed),
                *compare_exams(sat),
            ),
            exams=tuple(sat),
            exams_unlike=unlike,
            examples=tuple(examples),
            answers=tuple(answers),
            items=tuple(losses),
            settings=EvaluationSettings(
                seed=part.seed,
                limit=limit,
                generated=len(answers),
                max_new_tokens=work.writing.new_tokens,
                temperature=part.temperature,
                system_prompt=part.system_prompt,
                context=pair.context,
                dtype=pair.dtype,
                attention=pair.attention,
                semantic_model=encoder.facts if encoder else None,
                chat_template=pair.has_own_template,
                bootstrap_draws=DRAWS,
                confidence=LEVEL,
            ),
            seconds=seconds,
            hardware=_hardware(pair.device),
            versions={
                "python": platform.python_version(),
                **{name: version(name) for name in VERSIONS},
            },
        )
        write_evaluation(evaluation, run)
        journal.remove()
    watcher("Comparing", 1, 1)
    return evaluation


def _losses(work: EvaluationWork) -> list[ItemLoss]:
    records = work.held_out.records
    depends = {
        **work.depends,
        "data": work.held_out.sha256,
        "ids": [f"{record.source} {record.id}" for record in records],
    }
    with work.journal.part("losses", depends, LOSS) as kept:
        left = [at for at in range(len(records)) if at not in kept.found]
        # Alike in length within a block, so that little is padded.
        left.sort(key=lambda at: len(records[at].model_dump_json()), reverse=True)
        work.watcher("Losses", len(kept.found), len(records))
        for block in _blocks(left):
            for place, found in measure(
                work.pair, [records[at] for at in block], work.batches
            ):
                kept.add(block[place], found)
                work.watcher("Losses", len(kept.found), len(records))
        found = [kept.found[at] for at in sorted(kept.found)]
    scored = [one for one in found if isinstance(one, ItemLoss)]
    if not scored:
        raise FinetuneError(
            f"none of the {len(records):,} records of "
            f"data/{work.held_out.split}.jsonl can be scored: {found[0]}."
        )
    return scored


def _answers(work: EvaluationWork) -> list[AnsweredItem]:
    chosen = questions(work.held_out.records, work.part.generate)
    count = len(chosen)
    depends = {
        **work.depends,
        "data": work.held_out.sha256,
        "ids": [f"{record.source} {record.id}" for record in chosen],
        "writing": repr(work.writing),
    }
    with work.journal.part("answers", depends, ANSWER) as kept:
        prompts: dict[int, list[int]] = {}
        for at, record in enumerate(chosen):
            if at in kept.found:
                continue
            try:
                tokens = prompt_of(
                    work.pair, record.messages[:-1], work.writing.new_tokens
                )
            except CannotRender as error:
                kept.add(at, str(error))
                continue
            if tokens is None:
                kept.add(at, "no room for an answer within the model's context")
            else:
                prompts[at] = tokens
        work.watcher("Answers", len(kept.found), count)
        for block in _blocks(sorted(prompts, key=lambda at: -len(prompts[at])), 16):
            written = write_both(
                work.pair, [prompts[at] for at in block], work.batches, work.writing
            )
            for place, base, tuned in written:
                record = chosen[block[place]]
                kept.add(block[place], answer_of(record, base, tuned))
                work.watcher("Answers", len(kept.found), count)
        found = [kept.found[at] for at in sorted(kept.found)]
    return [one for one in found if isinstance(one, AnsweredItem)]


def _with_semantic_scores(
    work: EvaluationWork, encoder: Encoder, answers: Sequence[AnsweredItem]
) -> list[AnsweredItem]:
    work.watcher("Semantic scores", 0, len(answers))
    texts = [(a.base, a.reference) for a in answers]
    texts += [(a.tuned, a.reference) for a in answers]
    found = encoder.similarities(texts, work.batches)
    base, tuned = found[: len(answers)], found[len(answers) :]
    return [
        answer.model_copy(update={"base_semantic": first, "tuned_semantic": second})
        for answer, first, second in zip(answers, base, tuned, strict=True)
    ]


def _examples(work: EvaluationWork) -> list[Example]:
    if not work.part.examples:
        return []
    prompts, system = read_prompts(), work.part.system_prompt
    opening = [RecordMessage(role="system", content=system)] if system else []
    depends = {
        **work.depends,
        "writing": repr(work.writing),
        "system": system,
        "prompts": [one.model_dump() for one in prompts],
    }
    with work.journal.part("examples", depends, EXAMPLE) as kept:
        tokens: dict[int, list[int]] = {}
        for at, one in enumerate(prompts):
            asked = [*opening, RecordMessage(role="user", content=one.prompt)]
            with contextlib.suppress(CannotRender):
                found = prompt_of(work.pair, asked, work.writing.new_tokens)
                if found is not None and at not in kept.found:
                    tokens[at] = found
        places = sorted(tokens)
        work.watcher("Examples", len(kept.found), len(prompts))
        written = write_both(
            work.pair, [tokens[at] for at in places], work.batches, work.writing
        )
        for place, base, tuned in written:
            one = prompts[places[place]]
            kept.add(
                places[place],
                Example(
                    id=one.id,
                    system=system,
                    prompt=one.prompt,
                    base=base.text,
                    tuned=tuned.text,
                    base_ended=base.ended,
                    tuned_ended=tuned.ended,
                ),
            )
        work.watcher("Examples", len(prompts), len(prompts))
        return [kept.found[at] for at in sorted(kept.found)]


def _papers(
    folder: Path | None, part: EvaluatePart, limit: int | None
) -> tuple[list[ExamPaper], tuple[str, ...]]:
    """The exams in `folder`, and what is wrong with files that cannot be read."""
    if folder is None:
        return [], ()
    try:
        found = find_exams(folder, part.shots)
    except ExamError as error:
        raise FinetuneError(str(error)) from error
    return [_some(paper, limit) for paper in found.papers], found.unlike


def _some(paper: ExamPaper, limit: int | None) -> ExamPaper:
    """Every n-th question of a paper, where not all are asked."""
    every = paper.questions
    count = min(limit or len(every), len(every))
    chosen = tuple(every[i * len(every) // count] for i in range(count))
    return ExamPaper(paper.task, paper.title, chosen, paper.shots, paper.files)


def _exam(work: EvaluationWork, paper: ExamPaper) -> Exam:
    questions, pair = paper.questions, work.pair
    chat = work.part.exam_chat
    chat = bool(pair.invocation) if chat is None else chat
    if pair.invocation and not chat:
        raise FinetuneError(
            "the run's adapter is an activated LoRA: without the chat template its "
            "invocation is never read, and it would sit the exam as its base. Leave "
            "out --no-exam-chat."
        )
    depends = {
        **work.depends,
        "files": paper.files,
        "ids": [question.id for question in questions],
        "shots": paper.shots,
        "chat": chat,
    }
    examinee = HfExaminee(pair, work.batches)
    with work.journal.part(f"exam-{paper.task}", depends, EXAM_ITEM) as kept:
        left = [at for at in range(len(questions)) if at not in kept.found]
        left.sort(key=lambda at: len(questions[at].text), reverse=True)
        work.watcher(paper.title, len(kept.found), len(questions))
        for block in _blocks(left):
            own = [questions[at] for at in block]
            by_side: dict[str, dict[int, ScoredChoices]] = {}
            try:
                readings = list(plan(examinee, own, _chat(pair) if chat else None))
                for side in SIDES:
                    with pair.side(side):
                        sat = sit(examinee, own, readings=readings)
                        by_side[side] = dict(sat)
            except ExamError as error:
                raise FinetuneError(f"{paper.title}: {error}") from error
            for place, question in enumerate(own):
                base, tuned = by_side["base"][place], by_side["tuned"][place]
                kept.add(
                    block[place],
                    PairedExamItem(
                        id=question.id,
                        group=question.group,
                        gold=question.gold,
                        base=base.choice,
                        tuned=tuned.choice,
                        base_norm=base.choice_norm,
                        tuned_norm=tuned.choice_norm,
                        base_scores=base.scores,
                        tuned_scores=tuned.scores,
                    ),
                )
            work.watcher(paper.title, len(kept.found), len(questions))
        items = [kept.found[at] for at in sorted(kept.found)]
    return exam_of(paper, items, chat=chat)


def _chat(pair: TorchPair) -> Any:
    def rendered(turns: Sequence[PromptTurn]) -> str:
        messages = [
            RecordMessage.model_validate({"role": turn.role, "content": turn.content})
            for turn in turns
        ]
        try:
            return render(pair.tokenizer, messages, answer=True)
        except CannotRender as error:
            raise ExamError(str(error)) from error

    return rendered


def _blocks(places: Sequence[int], size: int = BLOCK) -> list[Sequence[int]]:
    return [places[at : at + size] for at in range(0, len(places), size)]


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
