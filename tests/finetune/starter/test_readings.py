"""What a person finds in reading a pair's answers, and how it gets into the card."""

from __future__ import annotations

import pytest

from finetune.data.documents import QuestionAnswer, focus_key
from finetune.errors import FinetuneError
from finetune.starter.corpus import write_questions
from finetune.starter.readings import (
    ReadAnswer,
    count_into_card,
    read_answers,
    reading_questions,
    repeats,
    write_answers,
)
from finetune.starter.starter_folder import StarterFolder
from medassist.core.card import Pane, read_card
from medassist.core.run_folder import CARD
from medassist.starter import FOLDER


@pytest.fixture
def run(tmp_path, recipe_file):
    folder = StarterFolder(tmp_path)
    folder.data.mkdir()
    folder.recipe.write_text(recipe_file.read_text("utf-8"), "utf-8")
    folder.card.write_text((FOLDER / CARD).read_text("utf-8"), "utf-8")
    questions = tuple(
        QuestionAnswer("medquad", f"Morbus {i}", kind, f"{kind} {i}?", "An answer.")
        for i in range(40)
        for kind in ("information", "symptoms", "causes", "treatment", "outlook")
    )
    write_questions(folder.data / "questions-validation.jsonl", questions)
    return tmp_path


def answer(pane: Pane = "tuned", temperature=0.0, **found):
    values = {"fluent": True, "on_topic": True, "ended": True, "repeated": False}
    return ReadAnswer(
        pane=pane,
        temperature=temperature,
        kind="causes",
        question="Why?",
        answer="So.",
        **{**values, **found},
    )


def test_the_questions_are_of_several_kinds_and_always_the_same(run):
    questions = reading_questions(run)
    kinds = [q.kind for q in questions]
    assert kinds.count("information") == 10
    assert kinds.count("out of domain") == 8
    assert any("ankle" in q.question for q in questions)
    assert reading_questions(run) == questions


def test_no_disease_is_asked_about_twice(run):
    asked = [q.question for q in reading_questions(run) if "orbus" in q.question]
    foci = [focus_key(q)[focus_key(q).index("morbus") :][:9].split()[1] for q in asked]
    assert len(set(foci)) == len(foci) > 10


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It hurts in the leg and it hurts in the arm.", False),
        ("It hurts in the leg, and Then it hurts in the leg, of course.", True),
        ("No. No. No. No. No. No. No.", True),
        ("", False),
    ],
)
def test_an_answer_that_says_the_same_words_twice_is_seen(text, found):
    assert repeats(text) is found


def test_the_counts_stand_in_the_card(run):
    write_answers(
        run,
        [
            answer(),
            answer(fluent=False, repeated=True),
            answer(temperature=0.7, ended=False),
            answer(pane="base", on_topic=False),
        ],
    )
    base, greedy, warm = count_into_card(run)
    assert (base.pane, base.on_topic) == ("base", 0)
    assert (greedy.answers, greedy.fluent, greedy.repeated) == (2, 1, 1)
    assert (warm.temperature, warm.ended) == (0.7, 0)
    assert read_card(run / "card.json").readings == (base, greedy, warm)


def test_answers_that_nobody_read_are_not_counted(run):
    write_answers(run, [answer(), answer(on_topic=None)])
    with pytest.raises(FinetuneError, match="not read yet"):
        count_into_card(run)


def test_a_broken_line_is_named(run):
    assert read_answers(run) == []
    (run / "readings.jsonl").write_text("{half", "utf-8")
    with pytest.raises(FinetuneError, match=r"readings\.jsonl is not a list"):
        read_answers(run)
