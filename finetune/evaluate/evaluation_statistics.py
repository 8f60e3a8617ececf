"""Statistics of an evaluation: figures of both models, intervals and verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from finetune.evaluate.result import (
    AnsweredItem,
    Comparison,
    DifferenceInterval,
    Exam,
    ExamFigures,
    ItemLoss,
    Kind,
    KindLoss,
    Loss,
    PairedExamItem,
)
from medassist.exams.fixed_answer import BesideFixed, beside_fixed, known
from medassist.exams.multiple_choice import ScoredChoices, result
from medassist.exams.question_files import ExamPaper
from medassist.exams.statistics import (
    PairedDifference,
    flips,
    holm,
    mcnemar,
    paired_answers,
    paired_difference,
    verdict,
)

NATS_PER_BIT = 0.6931471805599453
SUBJECTS: dict[Kind, str] = {"dialogue": "answers", "text": "text"}


def kind_losses(items: Sequence[ItemLoss]) -> tuple[KindLoss, ...]:
    """The losses by kind of record: sums by sums."""
    found: list[KindLoss] = []
    for kind in SUBJECTS:
        own = [item for item in items if item.kind == kind]
        if own:
            tokens, size = sum(i.tokens for i in own), sum(i.bytes for i in own)
            sides = [
                Loss(
                    nll=nll / tokens,
                    bits_per_byte=nll / NATS_PER_BIT / size,
                    token_accuracy=correct / tokens,
                )
                for nll, correct in (
                    (sum(i.base_nll for i in own), sum(i.base_correct for i in own)),
                    (sum(i.tuned_nll for i in own), sum(i.tuned_correct for i in own)),
                )
            ]
            found.append(
                KindLoss(
                    kind=kind,
                    records=len(own),
                    groups=len({_group(item) for item in own}),
                    tokens=tokens,
                    bytes=size,
                    base=sides[0],
                    tuned=sides[1],
                )
            )
    return tuple(found)


def compare_losses(items: Sequence[ItemLoss], seed: int) -> list[Comparison]:
    """Nats per token, bits per byte and token accuracy, by kind of record."""
    found: list[Comparison] = []
    for kind, subject in SUBJECTS.items():
        own = [item for item in items if item.kind == kind]
        if not own:
            continue
        groups = [_group(item) for item in own]
        base, tuned = [i.base_nll for i in own], [i.tuned_nll for i in own]
        tokens = [float(i.tokens) for i in own]
        bits = [i.bytes * NATS_PER_BIT for i in own]
        right = [float(i.base_correct) for i in own]
        right_tuned = [float(i.tuned_correct) for i in own]
        for metric, first, second, weights in (
            ("nll", base, tuned, tokens),
            ("bits_per_byte", base, tuned, bits),
            ("token_accuracy", right, right_tuned, tokens),
        ):
            difference = paired_difference(
                first, second, weights=weights, groups=groups, seed=seed
            )
            higher = metric == "token_accuracy"
            found.append(_comparison(subject, metric, difference, higher=higher))
    return found


def compare_answers(answers: Sequence[AnsweredItem], seed: int) -> list[Comparison]:
    """ROUGE-L, and the semantic score where there is one, of generated answers."""
    if not answers:
        return []
    groups = [_group(answer) for answer in answers]
    found = [
        _comparison(
            "generated answers",
            "rouge_l",
            paired_difference(
                [answer.base_rouge_l for answer in answers],
                [answer.tuned_rouge_l for answer in answers],
                groups=groups,
                seed=seed,
            ),
            higher=True,
        )
    ]
    base = [a.base_semantic for a in answers if a.base_semantic is not None]
    tuned = [a.tuned_semantic for a in answers if a.tuned_semantic is not None]
    if len(base) == len(tuned) == len(answers):
        difference = paired_difference(base, tuned, groups=groups, seed=seed)
        found.append(
            _comparison("generated answers", "semantic", difference, higher=True)
        )
    return found


def compare_exams(exams: Sequence[Exam]) -> list[Comparison]:
    """Both accuracies of each exam; p adjusted over the exams, for each accuracy.

    Better is only who is shown to know more than a fixed answer, and worse only than
    one who does: see `medassist.exams.fixed_answer`.
    """
    found: list[Comparison] = []
    for metric in ("acc", "acc_norm"):
        made: list[Comparison] = []
        beside: list[tuple[BesideFixed, BesideFixed]] = []
        for exam in exams:
            norm = metric == "acc_norm"
            golds = [item.gold for item in exam.items]
            base = [i.base_norm if norm else i.base for i in exam.items]
            tuned = [i.tuned_norm if norm else i.tuned for i in exam.items]
            beside.append((beside_fixed(golds, base), beside_fixed(golds, tuned)))
            right = [a == gold for a, gold in zip(base, golds, strict=True)]
            right_tuned = [a == gold for a, gold in zip(tuned, golds, strict=True)]
            changed = flips(right, right_tuned)
            difference = paired_answers(right, right_tuned)
            made.append(
                _comparison(exam.task, metric, difference, higher=True).model_copy(
                    update={
                        "flips": changed,
                        "p": mcnemar(changed),
                    }
                )
            )
        told = zip(
            made,
            holm([one.p for one in made if one.p is not None]),
            [first.fixed for first, _ in beside],
            known([first for first, _ in beside]),
            known([second for _, second in beside]),
            strict=True,
        )
        found += [
            _with_verdict(
                one, holm_p=p, fixed=fixed, base_knows=base, tuned_knows=tuned
            )
            for one, p, fixed, base, tuned in told
        ]
    return found


def _with_verdict(found: Comparison, **more: float | bool) -> Comparison:
    whole = found.model_copy(update=more)
    return whole.model_copy(update={"verdict": whole.said})


def exam_of(paper: ExamPaper, items: Sequence[PairedExamItem], *, chat: bool) -> Exam:
    """An exam's figures from its items."""
    subjects = sorted({item.group for item in items} - {""})
    by_subject = {
        subject: _figures([item for item in items if item.group == subject])
        for subject in subjects
    }
    base, tuned = _figures(items)
    return Exam(
        task=paper.task,
        title=paper.title,
        n=len(items),
        shots=paper.shots,
        chat=chat,
        files=paper.files,
        base=base,
        tuned=tuned,
        subjects=by_subject,
        items=tuple(items),
    )


def _figures(items: Sequence[PairedExamItem]) -> tuple[ExamFigures, ExamFigures]:
    golds = [item.gold for item in items]
    base = [ScoredChoices(i.base_scores, i.base, i.base_norm) for i in items]
    tuned = [ScoredChoices(i.tuned_scores, i.tuned, i.tuned_norm) for i in items]
    made = [result(golds, answers) for answers in (base, tuned)]
    first, second = (
        ExamFigures(
            acc=one.acc,
            acc_stderr=one.acc_stderr,
            acc_norm=one.acc_norm,
            acc_norm_stderr=one.acc_norm_stderr,
        )
        for one in made
    )
    return first, second


def _comparison(
    subject: str, metric: str, found: PairedDifference, *, higher: bool
) -> Comparison:
    return Comparison(
        name=f"{subject}: {metric}",
        subject=subject,
        metric=metric,
        higher_is_better=higher,
        n=found.items,
        groups=found.groups,
        base=found.base,
        tuned=found.tuned,
        difference=found.difference,
        interval=DifferenceInterval(
            low=found.low,
            high=found.high,
            level=found.level,
            draws=found.draws,
            seed=found.seed,
            method=found.method,
        ),
        verdict=verdict(found, higher_is_better=higher),
    )


def _group(item: ItemLoss | AnsweredItem) -> str:
    # A group's name is unique within its source alone.
    return f"{item.source}\n{item.group}"
