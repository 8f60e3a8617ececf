from __future__ import annotations

import pytest

from medassist.consult.answer import Source
from medassist.consult.consultation import Consultation
from medassist.consult.turn import Turn
from medassist.core.values import Figures, Message, PaneName, StopReason, TooLong

BOTH: dict[PaneName, Source] = {"base": Source("Base"), "tuned": Source("Tuned")}


def figures(ending: StopReason = "end", written: int = 3) -> Figures:
    return Figures(ending, 10, 0, written, 0.2, 20.0, 13)


def answered(turn: Turn, pane: PaneName, text: str, ending: StopReason = "end") -> None:
    answer = turn.shown(pane)
    assert answer is not None
    answer.write(text, 3)
    answer.finish(text, figures(ending))


def a_turn(consultation: Consultation, question: str, base: str, tuned: str) -> Turn:
    turn = consultation.ask(question, BOTH, seed=42)
    answered(turn, "base", base)
    answered(turn, "tuned", tuned)
    return turn


def test_each_pane_is_asked_with_its_own_history() -> None:
    consultation = Consultation()
    a_turn(consultation, "What is measles?", "A virus.", "An infection.")
    consultation.ask("How long?", BOTH, seed=42)
    assert consultation.messages("base") == (
        Message("user", "What is measles?"),
        Message("assistant", "A virus."),
        Message("user", "How long?"),
    )
    assert consultation.messages("tuned")[1] == Message("assistant", "An infection.")


def test_a_stopped_answer_stays_in_the_history_as_far_as_it_was_written() -> None:
    consultation = Consultation()
    turn = consultation.ask("One?", BOTH, seed=42)
    answered(turn, "base", "Half an ans", "stopped")
    answered(turn, "tuned", "Whole.")
    shown = turn.shown("base")
    assert shown is not None and shown.state == "stopped"
    consultation.ask("Two?", BOTH, seed=42)
    assert Message("assistant", "Half an ans") in consultation.messages("base")


def test_a_failed_answer_keeps_its_text_and_is_not_sent_with_its_question() -> None:
    consultation = Consultation()
    turn = consultation.ask("One?", BOTH, seed=42)
    base = turn.shown("base")
    assert base is not None
    base.write("Half", 1)
    base.fail("The model ended.")
    answered(turn, "tuned", "Whole.")
    consultation.ask("Two?", BOTH, seed=42)
    assert base.text == "Half" and base.failure == "The model ended."
    assert consultation.messages("base") == (Message("user", "Two?"),)
    assert len(consultation.messages("tuned")) == 3


def test_an_answer_stopped_before_its_first_word_is_not_sent() -> None:
    consultation = Consultation()
    turn = consultation.ask("One?", BOTH, seed=42)
    for pane in ("base", "tuned"):
        answer = turn.shown(pane)
        assert answer is not None
        answer.stop()
    consultation.ask("Two?", BOTH, seed=42)
    assert consultation.messages("base") == (Message("user", "Two?"),)


def test_what_comes_after_the_end_of_an_answer_changes_nothing() -> None:
    consultation = Consultation()
    turn = a_turn(consultation, "One?", "Done.", "Done too.")
    answer = turn.shown("base")
    assert answer is not None
    answer.write(" more", 9)
    answer.fail("no")
    answer.read(1, 2)
    answer.stop()
    assert (answer.text, answer.state, answer.failure) == ("Done.", "finished", "")


def test_regenerating_takes_a_new_seed_and_keeps_the_earlier_answer() -> None:
    consultation = Consultation()
    turn = a_turn(consultation, "One?", "First.", "First too.")
    assert consultation.regenerate(BOTH) is turn
    answered(turn, "base", "Second.")
    answered(turn, "tuned", "Second too.")
    assert [a.text for a in turn.answers("base")] == ["First.", "Second."]
    assert [a.seed for a in turn.answers("base")] == [42, 43]
    assert consultation.history("base")[-1] == Message("assistant", "Second.")


def test_regenerating_asks_with_the_history_before_the_turn() -> None:
    consultation = Consultation()
    a_turn(consultation, "One?", "A.", "B.")
    a_turn(consultation, "Two?", "C.", "D.")
    consultation.regenerate(BOTH)
    assert consultation.messages("base") == (
        Message("user", "One?"),
        Message("assistant", "A."),
        Message("user", "Two?"),
    )


def test_the_answer_that_is_shown_is_the_one_that_is_sent() -> None:
    consultation = Consultation()
    turn = a_turn(consultation, "One?", "First.", "First too.")
    assert not turn.show_earlier("base")
    consultation.regenerate(BOTH)
    answered(turn, "base", "Second.")
    answered(turn, "tuned", "Second too.")
    assert turn.show_earlier("base")
    consultation.ask("Two?", BOTH, seed=42)
    assert Message("assistant", "First.") in consultation.messages("base")
    assert Message("assistant", "Second too.") in consultation.messages("tuned")


def test_the_seed_after_the_largest_is_zero() -> None:
    consultation = Consultation()
    turn = consultation.ask("One?", {"base": Source("Base")}, seed=2**32 - 2)
    answered(turn, "base", "x")
    consultation.regenerate({"base": Source("Base")})
    assert turn.answers("base")[1].seed == 0


def test_a_question_is_refused_when_empty_or_while_answers_are_written() -> None:
    consultation = Consultation()
    with pytest.raises(ValueError, match="empty"):
        consultation.ask(" \n\t", BOTH, seed=42)
    with pytest.raises(ValueError, match="no question"):
        consultation.regenerate(BOTH)
    consultation.ask("One?", BOTH, seed=42)
    with pytest.raises(ValueError, match="still being written"):
        consultation.ask("Two?", BOTH, seed=42)
    with pytest.raises(ValueError, match="still being written"):
        consultation.regenerate(BOTH)


def test_a_question_that_never_ran_can_be_taken_back() -> None:
    consultation = Consultation()
    a_turn(consultation, "One?", "A.", "B.")
    consultation.ask("Too long?", BOTH, seed=42)
    assert consultation.withdraw(("base", "tuned")) == "Too long?"
    assert [turn.question for turn in consultation.turns] == ["One?"]
    assert consultation.over


def test_taking_back_a_regeneration_leaves_the_earlier_answers() -> None:
    consultation = Consultation()
    turn = a_turn(consultation, "One?", "A.", "B.")
    consultation.regenerate(BOTH)
    assert consultation.withdraw(("base", "tuned")) == "One?"
    shown = turn.shown("base")
    assert shown is not None and shown.text == "A."


def test_the_oldest_turns_are_offered_for_leaving_out_until_all_panes_fit() -> None:
    consultation = Consultation()
    turns = [a_turn(consultation, f"{n}?", "A.", "B.") for n in range(3)]
    consultation.ask("Long?", BOTH, seed=42)
    excesses = [
        TooLong("base", tokens=150, fits=100, droppable=(30, 30, 30)),
        TooLong("tuned", tokens=120, fits=100, droppable=(30, 30, 30)),
    ]
    assert consultation.turns_in_excess(excesses) == turns[:2]


def test_a_turn_left_out_is_not_sent_and_not_offered_again() -> None:
    consultation = Consultation()
    turns = [a_turn(consultation, f"{n}?", "A.", "B.") for n in range(3)]
    turns[0].left_out = True
    consultation.ask("Long?", BOTH, seed=42)
    assert len(consultation.messages("base")) == 5
    excess = TooLong("base", tokens=110, fits=100, droppable=(30, 30))
    assert consultation.turns_in_excess([excess]) == [turns[1]]


def test_nothing_is_offered_when_the_question_alone_is_too_long() -> None:
    consultation = Consultation()
    a_turn(consultation, "One?", "A.", "B.")
    consultation.ask("Long?", BOTH, seed=42)
    excess = TooLong("base", tokens=500, fits=100, droppable=(30,))
    assert consultation.turns_in_excess([excess]) == []


def test_a_turn_that_a_pane_never_answered_counts_nothing_there() -> None:
    consultation = Consultation()
    first = consultation.ask("One?", BOTH, seed=42)
    answered(first, "tuned", "Only here.")
    base = first.shown("base")
    assert base is not None
    base.fail("no")
    second = a_turn(consultation, "Two?", "A.", "B.")
    consultation.ask("Long?", BOTH, seed=42)
    assert consultation.sent("base") == [second]
    excess = TooLong("base", tokens=110, fits=100, droppable=(30,))
    assert consultation.turns_in_excess([excess]) == [first, second]
