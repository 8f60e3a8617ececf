from __future__ import annotations

import pytest

from medassist.consult.consultation import Consultation
from medassist.core.values import PANES, Message
from tests.consult.test_consultation import BOTH, a_turn


def test_an_edited_question_begins_a_branch_and_the_old_one_is_kept() -> None:
    consultation = Consultation()
    first = a_turn(consultation, "One?", "a", "b")
    second = a_turn(consultation, "Two?", "c", "d")
    consultation.branch_off(second)
    other = a_turn(consultation, "Other?", "e", "f")
    assert consultation.turns == [first, other]
    assert consultation.messages("base")[0] == Message("user", "One?")
    assert consultation.branches == ((first, second), (first, other))
    assert consultation.next_branch()
    assert consultation.turns == [first, second]


def test_what_is_asked_while_a_question_is_edited_begins_a_branch() -> None:
    consultation = Consultation()
    first = a_turn(consultation, "One?", "a", "b")
    consultation.edited = first
    other = a_turn(consultation, "Other?", "c", "d")
    assert consultation.edited is None
    assert consultation.branches == ((first,), (other,))
    last = a_turn(consultation, "And then?", "e", "f")
    assert consultation.branches == ((first,), (other, last))


def test_another_branch_ends_the_editing() -> None:
    consultation = Consultation()
    first = a_turn(consultation, "One?", "a", "b")
    consultation.branch_off(first)
    a_turn(consultation, "Other?", "c", "d")
    consultation.edited = consultation.turns[0]
    assert consultation.next_branch()
    last = a_turn(consultation, "And then?", "e", "f")
    assert consultation.turns == [first, last]


def test_a_branch_that_was_taken_back_leaves_the_old_one() -> None:
    consultation = Consultation()
    first = a_turn(consultation, "One?", "a", "b")
    consultation.branch_off(first)
    consultation.ask("Far too long?", BOTH, seed=42)
    assert consultation.withdraw(PANES) == "Far too long?"
    assert consultation.branches == ((first,),)
    assert not consultation.next_branch()


def test_nothing_branches_off_while_answers_are_written() -> None:
    consultation = Consultation()
    turn = consultation.ask("One?", BOTH, seed=42)
    with pytest.raises(ValueError, match="still being written"):
        consultation.branch_off(turn)


def test_an_answer_that_is_taken_over_goes_on_in_both_panes() -> None:
    consultation = Consultation()
    turn = a_turn(consultation, "One?", "by base", "by tuned")
    turn.take_over("base")
    assert consultation.history("tuned")[1] == Message("assistant", "by base")
    assert consultation.history("base")[1] == Message("assistant", "by base")
    assert (turn.taken_over("tuned"), turn.taken_over("base")) == ("base", None)
    assert turn.show_earlier("tuned")
    assert consultation.history("tuned")[1] == Message("assistant", "by tuned")


def test_what_is_asked_again_after_taking_over_has_a_seed_of_its_own() -> None:
    consultation = Consultation()
    turn = a_turn(consultation, "One?", "a", "b")
    turn.take_over("base")
    consultation.regenerate(BOTH)
    for pane in PANES:
        seeds = [answer.seed for answer in turn.answers(pane)]
        assert seeds[-1] not in seeds[:-1]
