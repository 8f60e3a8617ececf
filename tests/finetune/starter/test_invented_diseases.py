"""Copies of answers under names that nobody has."""

from __future__ import annotations

import random
from dataclasses import replace

from finetune.data.documents import QuestionAnswer
from finetune.starter.invented_diseases import invented_name, names_focus, renamed

GOUT = QuestionAnswer(
    "medquad",
    "Gout",
    "causes",
    "What causes Gout?",
    "Gout comes from crystals in a joint. In gout they form out of uric acid.",
)


def test_a_copy_says_one_invented_name_wherever_the_disease_stood():
    [copy] = renamed([GOUT], {"causes": 1}, seed=1)
    assert copy.focus not in {"", "Gout"}
    assert copy.question == f"What causes {copy.focus}?"
    assert copy.answer == (
        f"{copy.focus} comes from crystals in a joint. In {copy.focus} they form out "
        "of uric acid."
    )


def test_there_are_as_many_copies_as_asked_for_on_average():
    found = renamed([GOUT] * 1000, {"causes": 1.3}, seed=1)
    assert 1200 < len(found) < 1400
    assert len({copy.focus for copy in found}) > 0.95 * len(found)
    assert renamed([GOUT], {"symptoms": 2}, seed=1) == []


def test_copies_are_the_same_for_the_same_seed_only():
    assert renamed([GOUT], {"causes": 2}, 1) == renamed([GOUT], {"causes": 2}, 1)
    assert renamed([GOUT], {"causes": 2}, 1) != renamed([GOUT], {"causes": 2}, 2)


def test_an_answer_that_does_not_say_the_name_is_not_copied():
    mute = replace(GOUT, answer="It comes from crystals.")
    part = replace(GOUT, focus="Gou")
    assert renamed([mute, part], {"causes": 5}, seed=1) == []


def test_signs_in_a_focus_are_read_as_they_stand():
    asked = replace(GOUT, focus="C. diff", question="What causes C. diff?")
    assert renamed([replace(asked, answer="Cxdiff is rare.")], {"causes": 1}, 1) == []
    [copy] = renamed([replace(asked, answer="C. diff is rare.")], {"causes": 1}, 1)
    assert copy.answer == f"{copy.focus} is rare."


def test_invented_names_are_words_that_can_be_read():
    names = [invented_name(random.Random(seed)) for seed in range(200)]
    assert all(name[0].isupper() and len(name) > 10 for name in names)
    assert len(set(names)) == len(names)


def test_an_opening_names_the_focus_by_half_of_its_longer_words():
    long = replace(GOUT, focus="Acquired Cystic Disease of the Kidney")
    assert names_focus(replace(long, answer="Cysts in the kidney: acquired late."))
    assert not names_focus(
        replace(long, answer="Cysts form. They grow. Kidney disease.")
    )
    assert not names_focus(replace(long, answer="Treatment depends on many things."))
