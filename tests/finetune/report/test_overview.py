"""What the report's first pages say of a run, in its words."""

from __future__ import annotations

from dataclasses import replace

from finetune.report.run_facts import read_facts
from finetune.report.sections.overview import objective, recipe


def test_nothing_is_said_to_be_measured_before_it_is(run):
    facts = read_facts(run)
    assert "Both are measured on the same held-out items" in str(objective(facts))
    before = str(objective(replace(facts, evaluation=None)))
    assert "measured" not in before
    assert "have not been compared yet" in before


def test_settings_name_the_precision_that_was_trained_in(run):
    facts = read_facts(run)
    assert facts.recipe is not None and facts.training is not None
    train = facts.recipe.train.model_copy(
        update={"precision": "fp16", "epochs": 1.0, "steps": None}
    )
    asked = facts.recipe.model_copy(update={"train": train})
    ran = facts.training.model_copy(update={"precision": "fp32"})
    told = str(recipe(replace(facts, recipe=asked, training=ran)))
    assert "fp32 (fp16 was asked for)" in told
    assert "1 epoch'" in told
    assert "1 epochs" not in told
    told = str(recipe(replace(facts, recipe=asked, training=None)))
    assert "'fp16'" in told
