"""What a training reads: split, mixed and encoded as the recipe says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from finetune.data.documents import QuestionAnswer, whole_sentences
from finetune.errors import FinetuneError
from finetune.starter.chat import ASSISTANT, BEGIN, END, USER
from finetune.starter.corpus import (
    Passage,
    conversations,
    read_questions,
    read_text,
    short_answers,
    write_questions,
)
from finetune.starter.talk import Rephraser
from finetune.starter.token_rows import PassageTokens, TokenRows, encode_passages
from tests.finetune.conftest import SUBJECTS


def test_no_text_about_a_held_out_focus_is_trained_on(reading):
    held_out = {q.focus for q in reading.questions_validation}
    assert 0 < len(held_out) < len(SUBJECTS) / 2
    assert not held_out & {q.focus for q in reading.questions_train}
    trained = " ".join(f"{p.question} {p.text}" for p in reading.train)
    assert not any(focus in trained for focus in held_out)


def test_the_split_does_not_depend_on_the_seed(data, recipe, reading):
    other = read_text(data, recipe.model_copy(update={"seed": 6}))
    assert other.questions_validation == reading.questions_validation


def test_a_source_of_unknown_licence_is_refused_before_anything_is_read(recipe):
    source = recipe.text.sources[0].model_copy(update={"name": "found-somewhere"})
    text = recipe.text.model_copy(update={"sources": (source,)})
    with pytest.raises(
        FinetuneError, match=r"licence of found-somewhere.*source_notices"
    ):
        read_text(Path("nowhere"), recipe.model_copy(update={"text": text}))


def test_the_asked_share_of_questions_wears_the_chat_format(reading):
    questions = [p for p in reading.train if p.source == "medquad"]
    share = sum(p.question is not None for p in questions) / len(questions)
    assert 0.3 < share < 0.7
    assert any(p.system for p in questions)


def test_answers_are_cut_after_a_whole_sentence():
    text = "One is short. Two is a little longer. Three would be too much."
    assert whole_sentences(text, 40) == "One is short. Two is a little longer."
    assert whole_sentences(text, 13) == "One is short."
    assert whole_sentences(text, 12) == ""
    assert whole_sentences("No end of it", 40) == ""


def test_answers_end_before_a_list(recipe):
    answers = {
        "It hurts. Signs are: - cough - fever. Rest helps.": "It hurts.",
        "Signs include - cough - fever. Rest helps.": None,
        "A low-salt diet - and sleep. Rest.": None,
        "A low-salt diet helps.": "A low-salt diet helps.",
    }
    for answer, kept in answers.items():
        asked = (QuestionAnswer("own", "f", "treatment", "Q?", answer),)
        found = short_answers(asked, recipe.tune)
        assert [q.answer for q in found] == ([kept] if kept else []), answer


def test_of_a_kind_the_asked_share_is_kept(recipe):
    part = recipe.tune.model_copy(update={"share_of_kind": {"frequency": 0.25}})
    questions = tuple(
        QuestionAnswer("own", f"f{i}", kind, f"Q{i}?", f"Number {i}.")
        for i in range(200)
        for kind in ("frequency", "symptoms")
    )
    kinds = Counter(q.kind for q in short_answers(questions, part))
    assert kinds["symptoms"] == 200
    assert 30 < kinds["frequency"] < 70


def test_of_answers_that_open_without_the_subject_the_asked_share_is_kept(recipe):
    part = recipe.tune.model_copy(update={"nameless": 0.0})
    mute = QuestionAnswer("medquad", "Gout", "causes", "Q?", "Nobody knows.")
    plain = QuestionAnswer("medquad", "Gout", "causes", "Q?", "Gout has causes.")
    note = QuestionAnswer("mts-dialog", "Gout", "note", "Q?", "He is well.")
    assert short_answers((mute, plain, note), part) == [plain, note]


def test_copies_under_invented_names_are_among_the_conversations(recipe):
    part = recipe.tune.model_copy(update={"renamed": {"causes": 2.0}})
    gout = QuestionAnswer(
        "medquad", "Gout", "causes", "What causes Gout?", "Gout has causes."
    )
    found = conversations((gout,), part, recipe.seed)
    assert [q.focus == "Gout" for q in found] == [True, False, False]
    assert all(q.focus.casefold() in q.question.casefold() for q in found)


def asked_about(focus, kind, source="medquad"):
    return QuestionAnswer(source, focus, kind, f"Fixed {kind}?", f"Answer on {kind}.")


def test_questions_are_asked_in_other_words_with_the_same_answer():
    talk = Rephraser(1)
    asked = asked_about("Asthma", "treatment")
    found = [talk.rephrased(asked, 1.0) for _ in range(40)]
    questions = {q.question for q in found}
    assert len(questions) > 5
    assert all("asthma" in q.lower() for q in questions)
    assert {q.answer for q in found} == {asked.answer}
    assert talk.rephrased(asked, 0.0) == asked
    other = asked_about("A note", "treatment", source="mts-dialog")
    assert talk.rephrased(other, 1.0) == other, "a note is asked about as it is"


def test_a_second_question_is_about_the_focus_of_the_first():
    questions = [
        asked_about(focus, kind)
        for focus in ("Asthma", "Gout")
        for kind in ("information", "treatment")
    ]
    found = Rephraser(2).conversations(questions, 1.0)
    assert all(len(q.earlier) == 1 for q in found)
    for asked, before in zip(questions, found, strict=True):
        assert before.answer == asked.answer
        assert before.earlier[0][1] != asked.answer
    assert all(q.earlier == () for q in Rephraser(2).conversations(questions, 0.0))


def test_a_held_out_answer_is_not_what_a_conversation_begins_with(reading, recipe):
    held_out = {q.answer for q in reading.questions_validation}
    found = conversations(reading.questions_train, recipe.tune, recipe.seed)
    assert not held_out & {answer for q in found for _, answer in q.earlier}


def test_small_talk_says_what_the_model_is_for(recipe):
    part = recipe.tune.model_copy(update={"small_talk": 2})
    found = conversations((), part, recipe.seed)
    assert {q.kind for q in found} == {"out of domain", "greeting"}
    assert all("medicine" in q.answer or "disease" in q.answer for q in found)
    assert len(found) == 2 * len(set(found))


def test_an_answer_that_many_questions_share_is_kept_a_few_times(recipe):
    questions = tuple(
        QuestionAnswer("own", f"f{i}", "inheritance", f"Q{i}?", "It is inherited.")
        for i in range(9)
    )
    assert len(short_answers(questions, recipe.tune)) == recipe.tune.same_answer


def test_questions_survive_being_written_and_read(tmp_path, reading):
    file = tmp_path / "questions.jsonl"
    write_questions(file, reading.questions_train)
    assert read_questions(file) == reading.questions_train
    talked = tuple(Rephraser(1).conversations(reading.questions_train, 1.0))
    write_questions(file, talked)
    assert read_questions(file) == talked
    odd = (QuestionAnswer("own", "f", "k", "One\u2028two?", "Three\x85 four."),)
    write_questions(file, odd)
    assert read_questions(file) == odd


def test_a_document_ends_with_the_end_of_turn_token(tokenizer):
    passages = [
        Passage("own", "A document."),
        Passage("own", "An answer.", question="A question?"),
    ]
    tokens = encode_passages(tokenizer, passages)
    first, second = (
        tokenizer.decode(tokens.ids[tokens.starts[i] : tokens.starts[i + 1]].tolist())
        for i in range(2)
    )
    assert first == f"{BEGIN}A document.{END}"
    assert second == BEGIN + f"{USER}A question?{END}{ASSISTANT}An answer.{END}"


def test_a_passage_is_encoded_as_the_chat_template_renders_it(tokenizer):
    passage = Passage("own", "An answer.", question="Why?", system="Be kind.")
    rendered = tokenizer.apply_chat_template(
        [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "An answer."},
        ],
        tokenize=False,
    )
    tokens = encode_passages(tokenizer, [passage])
    assert tokens.ids.tolist() == tokenizer.encode(rendered, add_special_tokens=False)


def test_markers_in_the_text_are_letters_and_not_control(tokenizer):
    passage = Passage("own", f"Say {USER} or {END}.", question=f"{ASSISTANT}?")
    ids = encode_passages(tokenizer, [passage]).ids.tolist()
    marks = tokenizer.convert_tokens_to_ids([BEGIN, END, USER, ASSISTANT])
    assert [ids.count(mark) for mark in marks] == [1, 2, 1, 1]
    text = f"Say {USER}."
    told = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
    assert tokenizer.decode(told) == text


def tokens_of(lengths, weights):
    starts = np.cumsum([0, *lengths])
    ids = np.concatenate([np.full(n, i) for i, n in enumerate(lengths)])
    return PassageTokens(
        ids.astype(np.uint16), starts, np.array(weights, np.float32), int(starts[-1])
    )


def test_a_row_is_the_same_whenever_it_is_asked_for():
    tokens = tokens_of([7, 5, 9, 30, 2], [1, 1, 2, 1.5, 1])
    forward = TokenRows(tokens, 8, seed=3)
    seen = [forward.take(i, 1)[0] for i in range(40)]  # several passes
    assert np.array_equal(
        TokenRows(tokens, 8, seed=3).take(33, 4), np.stack(seen[33:37])
    )
    assert np.array_equal(forward.take(2, 2), np.stack(seen[2:4]))
    assert not np.array_equal(
        TokenRows(tokens, 8, seed=4).take(0, 5), np.stack(seen[:5])
    )


def test_a_text_shorter_than_a_row_is_refused():
    with pytest.raises(FinetuneError, match="12 tokens"):
        TokenRows(tokens_of([7, 5], [1, 1]), 64, seed=1).take(0, 1)


def test_weights_say_how_often_a_passage_comes_up():
    tokens = tokens_of([10] * 4, [0, 1, 3, 0.5])
    rows = TokenRows(tokens, 10, seed=1).take(0, 900)[:, :-1]
    counts = np.bincount(rows.ravel(), minlength=4) / rows.size
    assert counts[0] == 0
    assert counts[2] / counts[1] == pytest.approx(3, rel=0.1)
    assert counts[3] / counts[1] == pytest.approx(0.5, rel=0.2)


def test_tokens_survive_being_written_and_read(tmp_path):
    tokens = tokens_of([7, 5], [1, 0.5])
    tokens.save(tmp_path / "t.safetensors")
    again = PassageTokens.load(tmp_path / "t.safetensors")
    assert np.array_equal(again.ids, tokens.ids)
    assert np.array_equal(again.starts, tokens.starts)
    assert again.text_bytes == tokens.text_bytes
