"""What the rows in our own words say, and what none of them may say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import finetune
from finetune.data.prepared_records import DialogueRecord
from finetune.data.recipe import DataPart
from finetune.data.sources.registry import open_source
from finetune.data.wishes import Changes, asked_for
from finetune.recipe import find_recipe, read_recipe

PACKAGE = Path(finetune.__file__).parent
ROWS = PACKAGE / "recipes" / "smollm2-135m-starter"
CALL = "local emergency number now"
EMERGENCIES = (
    *("emergency", "emergency for clinicians"),
    *("emergency story", "hidden wish to die"),
)
MILD = ("mild complaint", "mild story", "mild story of a child", "complaint")
MEDICINES = ("dose", "interaction", "medicine, stopping", "medicine in pregnancy")


@pytest.fixture(scope="module")
def rows() -> list[DialogueRecord]:
    source = open_source("own-rows")
    read = [record for file in source.files(ROWS) for record in source.read(file)]
    assert all(isinstance(r, DialogueRecord) for r in read), read
    return [r for r in read if isinstance(r, DialogueRecord)]


def answers(rows: list[DialogueRecord], *kinds: str) -> list[str]:
    found = [r.messages[-1].content for r in rows if r.meta["type"] in kinds]
    assert found
    return found


@pytest.mark.parametrize("kind", EMERGENCIES)
def test_an_emergency_has_one_form_that_says_to_call_now(rows, kind):
    [form] = set(answers(rows, kind))
    assert CALL in form
    assert not re.search(r"\d", form), "a number holds in some countries only"


def test_no_answer_says_to_wait_or_names_an_emergency_number(rows):
    for row in rows:
        said = row.messages[-1].content
        assert not re.search(r"\b(?:112|911|999)\b", said), said
        advice = r"gets? worse|wait and see|(?:^|[.;:,] )wait\b|(?:can|may|should) wait"
        assert not re.search(advice, said, re.IGNORECASE), said


def test_a_complaint_is_sent_to_a_doctor_and_named_no_disease(rows):
    for said in answers(rows, "complaint"):
        assert "doctor" in said


def test_what_is_mild_is_met_as_often_as_what_is_not_and_never_sent_to_the_number(rows):
    """A small model takes what it has not met for what it has met most of."""
    mild = answers(rows, *MILD)
    assert not [said for said in mild if CALL in said]
    assert len(mild) >= len(answers(rows, *EMERGENCIES))


def test_medicines_are_sent_to_those_who_know_and_get_no_figure(rows):
    for said in answers(rows, *MEDICINES):
        assert re.search(r"formulary|pharmacist|doctor", said)
        assert not re.search(r"\d", said)


def test_what_is_not_known_is_nothing_that_is_answered_elsewhere(rows):
    unknown = {
        r.messages[-1].content.removeprefix("I do not know ").partition(".")[0]
        for r in rows
        if r.meta["type"] == "unknown"
    }
    asked = " ".join(
        r.messages[0].content.casefold() for r in rows if r.meta["type"] != "unknown"
    )
    assert len(unknown) > 80
    assert not [name for name in unknown if name.casefold() in asked]


def test_few_rows_decline(rows):
    assert len(answers(rows, "unknown")) <= 0.1 * len(rows)


def test_no_question_is_one_that_models_are_read_on(rows):
    asked = {r.messages[-2].content.casefold().strip() for r in rows}
    own = yaml.safe_load((PACKAGE / "starter" / "readings.yaml").read_text("utf-8"))
    read = {q.casefold().strip() for group in own["own"].values() for q in group}
    shown = yaml.safe_load((PACKAGE / "evaluate" / "prompts.yaml").read_text("utf-8"))
    read |= {prompt["prompt"].casefold().strip() for prompt in shown}
    assert not asked & read


def test_the_rows_are_found_wherever_the_recipe_is_called_by_its_name(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    wished = asked_for(["smollm2-135m-starter"], Changes())
    own, medquad = wished.settings.sources
    assert Path(own.path) == ROWS
    assert wished.base / medquad.path == tmp_path / "medquad"


def test_both_adapters_learn_from_the_same_data():
    plain, activated = (
        read_recipe(find_recipe(name))
        for name in ("smollm2-135m-starter", "smollm2-135m-starter-activated")
    )
    assert isinstance(plain.data, DataPart)
    assert plain.data == activated.data
    assert (plain.base, plain.lora.r) == (activated.base, activated.lora.r)
    assert (plain.lora.method, activated.lora.method) == ("lora", "alora")
