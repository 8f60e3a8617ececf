"""Limits of the figures, and next steps."""

from __future__ import annotations

from finetune.evaluate.result import Comparison, Evaluation
from finetune.report.run_facts import RunFacts
from finetune.report.wording import IGNORANT, counted, listed, number
from finetune.train.metrics import TrainingStep
from medassist.exams.statistics import LEAST_GROUPS, Outcome
from medassist.report.elements import Items, Section

FEW = 200  # items: fewer show large differences only
RISEN = 0.02  # of the lowest validation loss: more is no noise of a single figure


def limits(facts: RunFacts) -> Section:
    """The section: what must be kept in mind when reading the figures."""
    said: list[str] = []
    evaluation, manifest, training = facts.evaluation, facts.manifest, facts.training
    if evaluation is None:
        said.append(
            "The run was not evaluated: nothing here says that the tuned model is "
            "better."
        )
    else:
        said += _of_evaluation(evaluation)
    if facts.verdicts is None:
        said.append(
            "No clinician's verdicts were given: no person who knows the subject has "
            "judged these answers."
        )
    if manifest is not None:
        if evaluation and evaluation.exams and not manifest.settings.overlap.exams:
            said.append(
                "The training data was not compared with the exams' questions. Where "
                "it "
                "holds them, the exam results are too good."
            )
        if manifest.warnings:
            said.append(
                f"The preparation gave {counted(len(manifest.warnings), 'warning')}; "
                "they stand in the section on data."
            )
    if training is not None:
        said.append(
            f"It was trained once, with seed {training.seed}. Another seed gives other "
            "figures, and how much they differ was not measured."
        )
        if training.stopped_why == "budget":
            said.append("The training stopped at its budget and is not finished.")
        elif training.unfinished:
            said.append("The training was stopped and is not finished.")
    said.append(
        "A lower loss or a better exam does not make a model safe: it can still be "
        "wrong "
        "in any sentence. It is not for clinical use."
    )
    return Section(
        "limits",
        "Limits",
        (Items(tuple(said)),),
        notes="What was not measured is not known. A model that does better on these "
        "figures can do worse on a question that nobody asked it.",
    )


def _of_evaluation(evaluation: Evaluation) -> list[str]:
    said: list[str] = []
    if few := evaluation.with_outcome(Outcome.TOO_FEW):
        said.append(
            f"{counted(len(few), 'comparison')} of {len(evaluation.comparisons)} rest "
            f"on fewer than {LEAST_GROUPS} items or documents: too few to say anything."
        )
    if untold := evaluation.with_outcome(Outcome.CANNOT_TELL):
        names = listed(sorted({c.subject for c in untold}))
        said.append(f"Of {names} nothing can be said: {IGNORANT}.")
    small = [c for c in evaluation.comparisons if c.n < FEW and c not in few]
    if small:
        least = min(c.n for c in small)
        said.append(
            f"{counted(len(small), 'comparison')} of {len(evaluation.comparisons)} "
            "rest "
            f"on fewer than {FEW} items (the least: {least:,}); only large differences "
            "can be seen in so few."
        )
    if not evaluation.exams:
        said.append(
            "No exam was sat: what was measured is likeness to the held-out text, not "
            "medical knowledge."
        )
    if evaluation.data.not_read:
        said.append(
            f"{evaluation.data.not_read:,} records of the split were not read, for a "
            "limit was given."
        )
    cut = sum(item.cut > 0 for item in evaluation.items)
    if cut:
        said.append(
            f"Of {counted(cut, 'record')} the beginning did not fit into the models' "
            "context and was cut."
        )
    count = len(evaluation.comparisons)
    if count > 1:
        said.append(
            f"{count} figures were compared. At this number, one interval in twenty "
            "excludes zero by chance; the exams' p-values are adjusted for it (Holm), "
            "the intervals are not."
        )
    if evaluation.answers:
        said.append(
            "ROUGE-L counts words in common with one reference. A right answer in "
            "other "
            "words scores low, and a fluent wrong one can score high."
        )
    return said


def next_steps(facts: RunFacts, run: str) -> Section:
    """The section: what the figures suggest.

    Args:
        facts: of the run.
        run: how the run folder is called in the commands that are named.
    """
    todo: list[str] = []
    training, evaluation = facts.training, facts.evaluation
    if training is None:
        # A run that was only prepared has no recipe of its own.
        what = run if facts.recipe is not None else f"RECIPE --out {run}"
        todo.append(f"Train: medassist finetune train {what}")
    elif training.stopped_why == "budget":
        todo.append(
            f"Raise the budget and go on: medassist finetune train {run} --resume"
        )
    elif training.unfinished:
        todo.append(f"Go on: medassist finetune train {run} --resume")
    todo += _of_curves(facts.steps)
    if evaluation is None:
        if training is not None:
            todo.append(f"Evaluate: medassist finetune evaluate {run}")
    else:
        worse = list(evaluation.with_outcome(Outcome.WORSE))
        if worse:
            names = sorted({c.subject for c in worse})
            todo.append(
                f"See what became worse in {listed(names)}: a lower rate, fewer epochs "
                "or some general text among the training data often cure it; measure "
                "it."
            )
        todo += _undecided(evaluation)
        if not evaluation.exams:
            todo.append(f"Sit the exams: medassist finetune evaluate {run} --exams DIR")
    if evaluation is not None and facts.verdicts is None:
        todo.append(
            "Let clinicians compare both blind in medassist, export the verdicts, and "
            f"make this report again: medassist finetune report {run} --verdicts FILE"
        )
    if training is not None and not (facts.card and facts.card.lineage.gguf):
        todo.append(f"Make files for laptops of it: medassist convert run {run}")
    if facts.manifest is not None and facts.manifest.lists.identifiers:
        todo.append(
            "Look at the records in which a patient's identifier may stand: "
            f"data/{facts.manifest.lists.identifiers}"
        )
    if not todo:
        todo.append(
            "Repeat the training with other seeds, to see how much they differ."
        )
    return Section("next", "Next steps", (Items(tuple(todo)),))


def _of_curves(steps: tuple[TrainingStep, ...]) -> list[str]:
    """Sentences on what the validation losses suggest."""
    losses = [
        step.validation_loss for step in steps if step.validation_loss is not None
    ]
    if len(losses) < 3:
        return []
    lowest = min(losses)
    if losses[-1] == lowest:
        return [
            f"Train longer: the validation loss still fell at the end "
            f"(to {number(lowest, 3)})."
        ]
    if losses[-1] > lowest * (1 + RISEN):
        return [
            "Train shorter or with more data: the validation loss rose after its "
            "lowest "
            f"({number(lowest, 3)}, then {number(losses[-1], 3)}); the checkpoint of "
            "the "
            "lowest was kept."
        ]
    return []


def _undecided(evaluation: Evaluation) -> list[str]:
    todo: list[str] = []
    if few := evaluation.with_outcome(Outcome.TOO_FEW):
        todo.append(
            "Hold out more, or have more questions answered: of "
            f"{counted(len(few), 'comparison')} nothing can be said, for that "
            f"needs at least {LEAST_GROUPS} items or documents."
        )
    found = evaluation.with_outcome(Outcome.NOT_SHOWN)
    if not found:
        return todo
    wide = max(found, key=_half_width)
    return [
        *todo,
        f"Where no difference was shown ({counted(len(found), 'comparison')}), more "
        "items "
        f"would tell more: four times as many halve an interval. The widest is that of "
        f"{wide.name} (n = {wide.n:,}).",
    ]


def _half_width(comparison: Comparison) -> float:
    return comparison.interval.high - comparison.interval.low
