"""Multiple-choice exams: how many questions each model answered right."""

from __future__ import annotations

from finetune.evaluate.result import Evaluation, Exam
from finetune.report.wording import number, probability
from medassist.report.elements import Bar, BarGroup, Bars, Column, Table


def exam_bars(evaluation: Evaluation) -> Bars:
    """The accuracy of both models in each exam, side by side."""
    groups = tuple(
        BarGroup(
            exam.title or exam.task,
            (
                _bar("base", exam.base.acc, exam.base.acc_stderr),
                _bar("tuned", exam.tuned.acc, exam.tuned.acc_stderr),
            ),
        )
        for exam in evaluation.exams
    )
    told = "; ".join(
        f"{exam.title or exam.task}: base {100 * exam.base.acc:.1f} %, tuned "
        f"{100 * exam.tuned.acc:.1f} % (n = {exam.n:,})"
        for exam in evaluation.exams
    )
    return Bars(
        "Questions answered right",
        "Accuracy in %",
        (("Base", "base"), ("Tuned", "tuned")),
        groups,
        told + ".",
        top=100.0,
        note="Whiskers: 1.96 standard errors of each by itself. They may overlap where "
        "the paired difference is clear: the table of comparisons decides.",
    )


def _bar(role: str, share: float, error: float | None) -> Bar:
    side = "base" if role == "base" else "tuned"
    if error is None:
        return Bar(side, 100 * share)
    return Bar(
        side,
        100 * share,
        100 * max(0.0, share - 1.96 * error),
        100 * min(1.0, share + 1.96 * error),
    )


def exam_table(evaluation: Evaluation) -> Table:
    """Accuracy, flips and the tests of each exam."""
    rows: list[tuple[str, ...]] = []
    for exam in evaluation.exams:
        found = [c for c in evaluation.comparisons if c.subject == exam.task]
        acc = next((c for c in found if c.metric == "acc"), None)
        flips = acc.flips if acc else None
        rows.append(
            (
                exam.title or exam.task,
                f"{exam.n:,}",
                f"{exam.shots}",
                _with_error(exam.base.acc, exam.base.acc_stderr),
                _with_error(exam.tuned.acc, exam.tuned.acc_stderr),
                "" if acc is None or acc.fixed is None else number(100 * acc.fixed, 1),
                f"{flips.wrong_to_right:,}" if flips else "",
                f"{flips.right_to_wrong:,}" if flips else "",
                probability(acc.p if acc else None),
                probability(acc.holm_p if acc else None),
            )
        )
    return Table(
        "Multiple-choice exams",
        (
            Column("Exam"),
            Column("n", figures=True),
            Column("Shots", figures=True),
            Column("Base", figures=True),
            Column("Tuned", figures=True),
            Column("One fixed answer", figures=True),
            Column("Wrong to right", figures=True),
            Column("Right to wrong", figures=True),
            Column("p (McNemar)", figures=True),
            Column("p (Holm)", figures=True),
        ),
        tuple(rows),
        note="Accuracy in %, with its standard error, beside what the best fixed "
        "answer to every question gets right. p: exact McNemar test, two-sided; "
        "then adjusted by Holm for all exams of this report.",
    )


def _with_error(share: float, error: float | None) -> str:
    written = number(100 * share, 1)
    return written if error is None else f"{written} ± {number(100 * error, 1)}"


def exam_subjects(exam: Exam) -> Table:
    """The parts of one exam."""
    return Table(
        f"{exam.title or exam.task} by subject",
        (
            Column("Subject"),
            Column("n", figures=True),
            Column("Base", figures=True),
            Column("Tuned", figures=True),
        ),
        tuple(
            (
                name.replace("_", " "),
                f"{sum(item.group == name for item in exam.items):,}",
                _with_error(base.acc, base.acc_stderr),
                _with_error(tuned.acc, tuned.acc_stderr),
            )
            for name, (base, tuned) in exam.subjects.items()
        ),
        note="Parts of the exam above; differences of single subjects were not tested.",
        on_slides=False,
    )
