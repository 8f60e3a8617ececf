from __future__ import annotations

import numpy as np
import pytest

from medassist.engine.scorer import GgufScorer
from medassist.exams.log_probs import log_softmax
from medassist.exams.multiple_choice import (
    ExamError,
    ExamQuestion,
    PromptTurn,
    ScoredChoices,
    ScorerExaminee,
    answered,
    plan,
    result,
    sit,
)
from medassist.exams.question_files import find_exams
from tests.exams.papers import write_papers
from tests.tiny_models import write_pair


class Letters:
    """A model of 128 tokens, a character each, that likes a token and its successor."""

    def __init__(self, context: int = 1000) -> None:
        self.context = context
        self.read: list[tuple[int, ...]] = []
        self.shared: list[int] = []

    def tokenize(self, text: str) -> list[int]:
        return [1, *text.encode("ascii")]

    def logits(self, tokens, first=0, *, shared=0):
        self.read.append(tuple(tokens))
        self.shared.append(shared)
        rows = np.zeros((len(tokens), 128), np.float32)
        for at, token in enumerate(tokens):
            rows[at, (token + 1) % 128] = 3
            rows[at, token] = 2
        return rows[first:]

    def examinee(self) -> ScorerExaminee:
        return ScorerExaminee(self, self.tokenize, self.context)


def question(prompt: str, *choices: str, gold: int = 0) -> ExamQuestion:
    return ExamQuestion("q", "", prompt, choices, gold)


def test_a_choice_is_scored_by_all_of_its_tokens_and_the_space_before_it() -> None:
    model = Letters()
    (found,) = [a for _, a in sit(model.examinee(), [question("A:", "bc", "xy")])]
    log = log_softmax(model.logits([1, *b"A: bc"]))
    wanted = [log[2, ord(" ")] + log[3, ord("b")] + log[4, ord("c")]]
    log = log_softmax(model.logits([1, *b"A: xy"]))
    wanted.append(log[2, ord(" ")] + log[3, ord("x")] + log[4, ord("y")])
    assert found.scores == pytest.approx(wanted)


def test_spaces_that_end_a_prompt_belong_to_the_choice() -> None:
    model = Letters()
    (reading,) = list(plan(model.examinee(), [question("A:  ", "b")]))
    assert bytes(reading.asked[0].tokens) == b"   b"
    assert bytes(reading.tokens) == b"\x01A:   "


def test_choices_of_one_token_are_scored_by_one_reading() -> None:
    model = Letters()
    chat = lambda turns: turns[-1].content  # noqa: E731
    asked = [question("A: x", "A", "B", "C", "D"), question("B: x", "yes", "no")]
    answers = dict(sit(model.examinee(), asked, chat=chat))
    assert len(answers[0].scores) == 4
    # One for the four letters, and one each for yes and no.
    assert len(model.read) == 3


def test_what_introduces_several_questions_is_told_to_be_shared() -> None:
    model = Letters()
    solved = (("How?", "B"),)
    asked = [
        ExamQuestion("1", "", "Who?", ("A", "B"), 0, "About.\n\n", solved),
        ExamQuestion("2", "", "When?", ("A", "B"), 0, "About.\n\n", solved),
        ExamQuestion("3", "", "When?", ("A", "B"), 0, "Of else.\n\n", solved),
        question("Alone?", "A", "B"),
    ]
    before = [b"\x01About.\n\nHow? B\n\n"] * 2 + [b"\x01Of else.\n\nHow? B\n\n", b""]
    passes = list(plan(model.examinee(), asked))
    assert [bytes(one.tokens[: one.shared]) for one in passes] == before
    # Whoever stands beside it: a question is read in the same parts.
    alone = [one for each in asked for one in plan(model.examinee(), [each])]
    assert [one.shared for one in alone] == [one.shared for one in passes]
    list(sit(model.examinee(), asked))
    assert model.shared == [one.shared for one in passes]


def test_a_chat_templates_head_is_shared() -> None:
    model = Letters()
    chat = lambda turns: f"<system><user>{turns[-1].content}<answer>"  # noqa: E731
    asked = [question("Who?", "A", "B"), question("What?", "A", "B")]
    for one in plan(model.examinee(), asked, chat):
        assert bytes(one.tokens[: one.shared]) == b"\x01<system><user>"


def test_of_what_was_cut_off_at_the_start_nothing_is_shared() -> None:
    asked = ExamQuestion("q", "", "0123?", ("b",), 0, "About.\n\n")
    (reading,) = plan(Letters(context=6).examinee(), [asked])
    assert bytes(reading.tokens) == b"0123? "
    assert reading.shared == 0


def test_what_is_too_long_loses_its_beginning_and_keeps_the_choice() -> None:
    model = Letters(context=6)
    (reading,) = list(plan(model.examinee(), [question("0123456789:", "b")]))
    assert bytes(reading.tokens) == b"6789: "
    assert bytes(reading.asked[0].tokens) == b" b"
    with pytest.raises(ExamError, match=r"choice 1 .*has 7 tokens"):
        list(plan(model.examinee(), [question("0:", "123456")]))


def test_of_equals_the_first_is_chosen_and_length_decides_the_other_accuracy() -> None:
    assert answered("AB", [-1.0, -1.0]).choice == 0
    found = answered(["no", "maybe so"], [-4.0, -6.0])
    assert (found.choice, found.choice_norm) == (0, 1)


def test_accuracies_come_with_the_error_of_a_sample() -> None:
    answers = [
        ScoredChoices((), 0, 1),
        ScoredChoices((), 1, 1),
        ScoredChoices((), 0, 0),
    ]
    found = result([0, 1, 1], answers)
    assert (found.acc, found.acc_norm) == (2 / 3, 1 / 3)
    assert found.acc_stderr == pytest.approx(1 / 3)
    assert result([0], answers[:1]).acc_stderr is None


def test_solved_questions_become_turns_of_a_dialogue_for_a_chat_template() -> None:
    asked = ExamQuestion("q", "", "Why?", ("A",), 0, "About.\n\n", (("How?", "B"),))
    assert asked.text == "About.\n\nHow? B\n\nWhy?"
    assert asked.turns == (
        PromptTurn("system", "About.\n\n"),
        PromptTurn("user", "How?"),
        PromptTurn("assistant", "B"),
        PromptTurn("user", "Why?"),
    )


def test_a_gguf_sits_the_same_exam(tmp_path) -> None:
    tiny = write_pair(tmp_path)
    paper = find_exams(write_papers(tmp_path / "exams", 4)).papers[0]
    with GgufScorer(tiny.base, exact=True, context=512, threads=1) as scorer:
        examinee = ScorerExaminee(scorer, scorer.tokenize, scorer.opened.context)
        told: list[int] = []

        def hear(what: str, done: int, total: int) -> None:
            assert (what, total) == ("Questions", 4)
            told.append(done)

        answers = dict(sit(examinee, paper.questions, told=hear))
        asked = paper.questions[1]
        whole = scorer.tokenize(f"{asked.text} C")
        start = len(scorer.tokenize(asked.text))
        log = log_softmax(scorer.logits(whole[:-1], start - 1))
    wanted = sum(log[i, token] for i, token in enumerate(whole[start:]))
    assert answers[1].scores[2] == pytest.approx(wanted, rel=1e-9)
    assert told == [1, 2, 3, 4]
    assert len({answer.scores for answer in answers.values()}) == 4
