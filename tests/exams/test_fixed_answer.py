from __future__ import annotations

import random

import pytest

from medassist.exams.fixed_answer import beside_fixed, known


def guessed(golds: list[int], luck: random.Random, weights: list[float]) -> list[int]:
    return luck.choices(range(len(weights)), weights, k=len(golds))


def test_always_the_same_letter_is_no_knowledge_however_many_it_gets_right():
    golds = [0] * 70 + [1] * 30
    found = beside_fixed(golds, [0] * 100)
    assert (found.own, found.fixed, found.p) == (0.7, 0.7, 1.0)
    assert not any(known([found]))


def test_more_than_chance_is_not_enough_where_one_answer_is_right_most_often():
    golds = ([0] * 11 + [1] * 7 + [2] * 2) * 25
    luck = random.Random(3)
    choices = [gold if luck.random() < 0.6 else luck.randrange(3) for gold in golds]
    third = [0.333, 0.333, 0.333]
    found = beside_fixed(golds, choices)
    assert found.own > beside_fixed(golds, guessed(golds, luck, third)).own + 0.1
    assert known([found]) == [True]
    below = [gold if n % 4 == 0 else 1 for n, gold in enumerate(golds)]
    assert not any(known([beside_fixed(golds, below)]))


def test_what_is_known_is_shown_by_enough_questions_alone():
    golds = [n % 4 for n in range(400)]
    choices = [gold if n % 5 < 2 else (gold + 1) % 4 for n, gold in enumerate(golds)]
    assert known([beside_fixed(golds, choices)]) == [True]
    assert known([beside_fixed(golds[:20], choices[:20])]) == [False]


def test_every_fixed_answer_has_to_be_left_behind_and_not_the_commonest_alone():
    # The model says 0, which is right in 40 of 100, and is right in two others besides:
    # against always 1 (30 of 100) its advantage is clear, against always 0 it is not.
    golds = [0] * 40 + [1] * 30 + [2] * 30
    choices = [0] * 98 + [2] * 2
    found = beside_fixed(golds, choices)
    assert found.own > found.fixed and found.p == pytest.approx(0.5)


def test_one_in_forty_who_guess_is_said_to_know_in_however_many_exams():
    luck = random.Random(11)
    trials, alarms = 400, 0
    for _ in range(trials):
        exams = []
        for share in ([0.25] * 4, [0.55, 0.34, 0.11], [0.3, 0.3, 0.2, 0.2]):
            golds = luck.choices(range(len(share)), share, k=120)
            leaning = [luck.random() for _ in share]
            exams.append(beside_fixed(golds, guessed(golds, luck, leaning)))
        alarms += any(known(exams))
    assert alarms / trials <= 0.05


def test_answers_that_do_not_belong_to_the_questions_are_refused():
    with pytest.raises(ValueError, match="2 answers to 3 questions"):
        beside_fixed([0, 1, 2], [0, 1])
    with pytest.raises(ValueError, match="0 answers to 0 questions"):
        beside_fixed([], [])
