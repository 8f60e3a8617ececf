"""Puts the sections of a report in order."""

from __future__ import annotations

from finetune.report.public_names import base_name
from finetune.report.run_facts import LEFT_OUT, RunFacts
from finetune.report.sections.answers import answers
from finetune.report.sections.data import data
from finetune.report.sections.limitations import limits, next_steps
from finetune.report.sections.lineage import lineage, mismatches
from finetune.report.sections.loss_curves import training
from finetune.report.sections.overview import (
    objective,
    process,
    recipe,
    whole_recipe,
)
from finetune.report.sections.readers import readers, verdict_claim
from finetune.report.sections.results import lead, results
from finetune.report.sections.worse import worse
from medassist.exams.sign_test import sign_test
from medassist.report.elements import Report, Section


def tell(facts: RunFacts, run: str = "RUN") -> Report:
    """Make the report of a run.

    Args:
        facts: what its files say.
        run: how the run folder is called in the commands that are named.
    """
    evaluation, manifest = facts.evaluation, facts.manifest
    sections: list[Section | None] = [
        objective(facts),
        None if manifest is None else data(manifest),
        process(facts),
        recipe(facts),
        training(facts.training, facts.steps),
        None if evaluation is None else results(evaluation),
        None if evaluation is None else answers(evaluation),
        None if facts.verdicts is None else readers(facts.verdicts),
        None if evaluation is None else worse(evaluation),
        limits(facts),
        next_steps(facts, run),
        lineage(facts),
        whole_recipe(facts),
    ]
    return Report(
        title=facts.name,
        subtitle=_subtitle(facts),
        lead=_lead(facts),
        sections=tuple(section for section in sections if section is not None),
        missing=tuple(f"{name}: {LEFT_OUT[name]}" for name in facts.missing),
    )


def _subtitle(facts: RunFacts) -> str:
    if facts.training is not None:
        base = base_name(facts.training.base.name)
    elif facts.evaluation is not None:
        base = facts.evaluation.models.base.name
    elif facts.recipe is not None:
        base = base_name(facts.recipe.base)
    else:
        return "A fine-tune: its data, its training, its figures"
    when = f". Data prepared {facts.manifest.when[:10]}" if facts.manifest else ""
    return f"A fine-tune of {base}: data, training, base against tuned{when}"


def _lead(facts: RunFacts) -> tuple[str, ...]:
    said = list(mismatches(facts))
    if facts.evaluation is None:
        said.append(
            "The run was not evaluated, so nothing is claimed of the tuned model."
        )
    else:
        said += lead(facts.evaluation)
        if facts.evaluation.data.note:
            said.append(facts.evaluation.data.note)
    if facts.verdicts is not None:
        test = sign_test(facts.verdicts.count("tuned"), facts.verdicts.count("base"))
        said.append(verdict_claim(test, len(facts.verdicts.verdicts)))
    return tuple(said)
