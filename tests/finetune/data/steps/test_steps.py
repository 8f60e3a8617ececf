from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetune.data.prepared_records import TextRecord
from finetune.data.recipe import ALLOWED_LICENCES, Lengths, Split
from finetune.data.steps.bounds import LengthStep, MissingStep
from finetune.data.steps.duplicates import ComparedText, exact_key, parts, signature
from finetune.data.steps.exam_text import exam_files, exam_texts
from finetune.data.steps.identifiers import IdentifierStep, find_identifiers
from finetune.data.steps.licences import LicenceStep, families
from finetune.data.steps.overlap import OverlapStep, write_index
from finetune.data.steps.split import SPLITS, split_of
from finetune.data.steps.step_result import Dropped, Kept
from finetune.data.steps.text_clean import CleanStep, clean_text
from finetune.errors import FinetuneError
from tests.finetune.data.pipeline.own_source import dialogue, prose, text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CC BY 4.0", ("CC BY",)),
        ("CC-BY", ("CC BY",)),
        ("cc_by_sa-3.0", ("CC BY-SA",)),
        ("CC BY NC ND 3.0", ("CC BY-NC-ND",)),
        ("Creative Commons Attribution-NonCommercial 4.0", ("CC BY-NC",)),
        ("CC0 1.0", ("CC0",)),
        ("CC0/PD", ("CC0",)),
        ("Public Domain", ("public domain",)),
        ("Apache 2.0 (questions); CC BY (articles)", ("Apache", "CC BY")),
        ("MIT License", ("MIT",)),
        ("TDM", ("TDM",)),
        ("conflict: CC BY and CC BY-NC", ("unknown",)),
        ("", ("unknown",)),
    ],
)
def test_a_licence_is_known_in_all_its_spellings(name, expected):
    assert families(name) == expected


@pytest.mark.parametrize(
    "name",
    ["CC BY-NC 4.0", "CC BY-ND", "TDM", "unknown", "OGL 3.0", "MIT; CC BY-NC"],
)
def test_what_is_not_free_is_out_until_it_is_asked_for(name):
    record = text("a", "words", licence=name)
    assert isinstance(LicenceStep(ALLOWED_LICENCES)(record), Dropped)
    assert isinstance(LicenceStep((*ALLOWED_LICENCES, name))(record), Kept)


def test_a_retracted_article_is_out_whatever_its_licence():
    record = text("a", "words", retracted="yes")
    verdict = LicenceStep(ALLOWED_LICENCES)(record)
    assert isinstance(verdict, Dropped)
    assert verdict.reason == "retracted"
    assert isinstance(LicenceStep((*ALLOWED_LICENCES, "retracted"))(record), Kept)


@pytest.mark.parametrize(
    ("damaged", "whole", "what"),
    [
        ("FaÃ§ade of the â€œheartâ€\x9d", "Façade of the “heart”", "encoding damage"),
        ("a dose\x00 of\x07 5\u00a0mg", "a dose of 5 mg", "control characters"),
        ("Cafe\u0301", "Café", "letters in pieces"),
        ("It rose [3, 5\u20137] by half.", "It rose by half.", "citation numbers"),
        ("It rose (, ; ) by half.", "It rose by half.", "empty brackets"),
        ("Found.\nFigure 2. The heart of a pig.\nLost.", "Found.\n\nLost.", "captions"),
        ("Found.\na\tb\tc\n1\t2\t3\nLost.", "Found.\nLost.", "tables"),
        (
            "Found.\n\nReferences\n1. Abel A. Hearts. 2010.\n2. Brink B. Livers. 2011.",
            "Found.",
            "references",
        ),
    ],
)
def test_running_text_is_cleaned_of_what_is_none(damaged, whole, what):
    changed: set[str] = set()
    assert clean_text(damaged, running=True, changed=changed) == whole
    assert what in changed


@pytest.mark.parametrize(
    "proper",
    [
        "Grün â la carte, naïve Ångström, 5 µg of β-blocker, Ø 3 mm.",
        "References\nwere asked of all who applied, and few of them were of any use.",
        "An array [x, y] and a link [1](page) stay.",
    ],
)
def test_proper_text_stays_as_it_is(proper):
    changed: set[str] = set()
    assert clean_text(proper, running=True, changed=changed) == proper
    assert changed == set()


def test_numbers_in_brackets_of_a_question_stay():
    asked = dialogue("a", "Is [5] high?", "Yes.")
    verdict = CleanStep()(asked)
    assert isinstance(verdict, Kept)
    assert verdict.record == asked


def test_the_frequency_table_of_gard_goes_with_its_explanation():
    answer = (
        "It begins early. The Human Phenotype Ontology provides the following list "
        "of signs and symptoms. Cough 90%"
    )
    verdict = CleanStep()(dialogue("a", "What are the signs?", answer))
    assert isinstance(verdict, Kept)
    assert verdict.record.messages[-1].content == "It begins early."  # type: ignore[union-attr]
    assert verdict.changed == ("boilerplate",)


def test_a_text_whose_letters_are_lost_is_taken_out():
    assert isinstance(CleanStep()(text("a", "h\ufffdr\ufffd is n\ufffdt")), Dropped)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (text("a", "  \n"), "no text"),
        (dialogue("a", " ", "Yes."), "no question"),
        (dialogue("a", "Is it?", ""), "no answer"),
    ],
)
def test_a_record_that_lacks_something_is_taken_out(record, reason):
    assert MissingStep()(record) == Dropped(reason)


def test_a_record_is_held_to_its_lengths():
    step = LengthStep(Lengths(text_shortest=5, text_longest=9, answer_longest=3))
    reasons = [
        verdict.reason if isinstance(verdict := step(record), Dropped) else ""
        for record in (
            text("a", "four"),
            text("b", "fives"),
            text("c", "ten of them"),
            dialogue("d", "Is it?", "long"),
            dialogue("e", "Is it?", "yes"),
        )
    ]
    assert reasons == ["text too short", "", "text too long", "answer too long", ""]


def test_a_data_set_of_short_texts_has_a_bound_of_its_own():
    own = {"chexpert": 1}
    short = text("a", "The heart is enlarged.", source="chexpert")
    scrap = text("b", "The heart is enlarged.")
    assert isinstance(LengthStep(Lengths(), own)(short), Kept)
    assert isinstance(LengthStep(Lengths(), own)(scrap), Dropped)
    asked = LengthStep(Lengths(text_shortest=50), own)
    assert isinstance(asked(short), Dropped), "what the recipe asks for goes before"


def test_exams_of_old_macs_are_read(tmp_path):
    file = tmp_path / "exam.csv"
    file.write_bytes(b"question,answer\rWhat helps against the cough?,Rest\r")
    assert [each.text for each in exam_texts(file)] == [
        "What helps against the cough?",
        "Rest",
    ]
    lines = tmp_path / "exam.jsonl"
    lines.write_bytes(b'{"question": "Why?"}\r{"question": "How?"}\r')
    assert [each.text for each in exam_texts(lines)] == ["Why?", "How?"]


def test_signatures_agree_about_as_often_as_texts_are_alike():
    words = prose(1, 60).split()
    for share in (0.05, 0.2, 0.5):
        other = list(words)
        cut = int(len(words) * share)
        other[:cut] = prose(2, 60).split()[:cut]
        one, two = text("a", " ".join(words)), text("b", " ".join(other))
        agree = (signature(parts(one)) == signature(parts(two))).mean()
        alike = ComparedText.of(one).similarity(ComparedText.of(two))
        assert agree == pytest.approx(alike, abs=0.15)


def alike(one, two) -> float:
    return ComparedText.of(one).similarity(ComparedText.of(two))


def test_two_questions_with_one_answer_are_no_duplicates():
    answer = prose(3)
    one = dialogue("a", "What are the symptoms of Abel's disease?", answer)
    two = dialogue("b", "What are the symptoms of Brink's disease?", answer)
    assert alike(one, two) < 0.5
    assert (signature(parts(one)) == signature(parts(two))).mean() < 0.6
    assert alike(one, one) == 1


def test_one_question_with_two_answers_is_no_duplicate():
    question = prose(4)
    assert alike(dialogue("a", question, prose(5)), dialogue("b", question, "No.")) == 0


def test_another_question_on_the_same_note_is_no_duplicate():
    note = prose(6, 40)
    one = dialogue("a", f"{note}\nDoes she smoke?", "No.")
    two = dialogue("b", f"{note}\nHas he had surgery?", "No.")
    same = dialogue("c", f"{note}\nDoes she smoke ?", "no")
    assert alike(one, two) < 0.5
    assert alike(one, same) == 1


def test_blanks_and_line_ends_make_no_difference_to_an_exact_duplicate():
    assert exact_key(text("a", "one  two\nthree")) == exact_key(
        text("b", "one two three")
    )
    assert exact_key(text("a", "one two")) != exact_key(text("b", "one two three"))
    joined, apart = dialogue("a", "x y", "z"), dialogue("b", "x", "y z")
    assert exact_key(joined) != exact_key(apart)


QUESTION = (
    "A woman of forty comes with a cough that has lasted for three weeks and a fever "
    "in the evenings. Which of these is likeliest?"
)


def write_exams(folder: Path) -> None:
    folder.mkdir()
    (folder / "medqa.jsonl").write_text(
        json.dumps(
            {"question": QUESTION, "options": {"A": "Rest"}, "explanation": prose(7)}
        )
        + "\n"
    )
    (folder / "mmlu.csv").write_text(
        '"Which organ makes the bile of man?",Liver,Heart,Lung,Skin,A\n'
    )
    (folder / "pubmedqa.json").write_text(
        json.dumps({"1": {"QUESTION": "Short?", "CONTEXTS": [prose(8)]}})
    )


def test_what_shares_a_run_of_words_with_an_exam_is_taken_out(tmp_path):
    write_exams(tmp_path / "exams")
    files = exam_files([tmp_path / "exams"])
    index = tmp_path / "index"
    index.mkdir()
    assert write_index(index, (t for f in files for t in exam_texts(f)), 13)
    step = OverlapStep(index)
    inside = f"{prose(9)} {QUESTION.upper()} {prose(10)}"
    verdict = step(text("a", inside))
    assert isinstance(verdict, Dropped)
    assert "medqa.jsonl" in verdict.reason
    assert verdict.detail.startswith("medqa.jsonl: 1: a woman of forty")
    short = step(dialogue("b", "Which organ makes the bile of man?", "The liver."))
    assert isinstance(short, Dropped)
    assert isinstance(step(text("c", prose(8))), Dropped)
    # Explanations are no part of an exam, and nine words in a row are no overlap.
    assert isinstance(step(text("d", prose(7))), Kept)
    assert isinstance(step(text("e", f"{prose(9)} with a cough that has lasted")), Kept)


def test_an_exam_that_is_none_is_refused(tmp_path):
    with pytest.raises(FinetuneError, match="is not there"):
        exam_files([tmp_path / "no.json"])
    (tmp_path / "half.json").write_text("{")
    with pytest.raises(FinetuneError, match=r"half\.json cannot be read as an exam"):
        list(exam_texts(tmp_path / "half.json"))


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("Write to jane.roe@example.org today", "e-mail address"),
        ("Her phone: (555) 123-4567 rang", "telephone number"),
        ("MRN: 00412345", "record number"),
        ("SSN 123-45-6789", "social security number"),
        ("DOB: 01/02/1960", "date of birth"),
        ("Admission date: 2118-06-02", "date of a stay"),
        ("Patient name: Jane Roe", "name of a patient"),
        ("Then Mrs. Roe said", "title and surname"),
        ("lives at 12 Elm Street", "street address"),
        ("Frau Özlem Şahin klagt", "title and surname"),
        ("Tél. 06 12 34 56 78", "telephone number"),
        ("geboren am 3. Mai 1961", "date of birth"),
        ("DNI 12345678Z", "social security number"),
        ("N° de dossier 20190044", "record number"),
        ("Me llamo Itziar Ochoteco", "name of a patient"),
        (
            "IBAN DE89 3704 0044 0532 0130 00",
            "number of an account, a policy or a licence",
        ),
    ],
)
def test_an_identifier_is_found_and_not_copied(words, rule):
    verdict = IdentifierStep("warn")(text("a", words))
    assert isinstance(verdict, Kept)
    assert [found.rule for found in verdict.found] == [rule]
    assert not set(verdict.found[0].where.split()) & {"Roe", "00412345", "123-45-6789"}
    assert isinstance(IdentifierStep("drop")(text("a", words)), Dropped)


def test_a_hotline_and_a_result_are_no_identifiers():
    plain = "Call 1-800-555-0199. Levels of 120-450 (n = 1234) rose to 99.5 in 2010."
    assert list(find_identifiers(plain)) == []


@pytest.mark.parametrize(
    "words",
    [
        "Name: Aspirin",
        "Mrs Warfarin",
        "Drug name: Keppra.",
        "DOB unknown to us.",
    ],
)
def test_what_the_recogniser_of_the_app_does_not_know_is_no_identifier(words):
    assert list(find_identifiers(words)) == []


def test_the_split_goes_by_the_group_alone_and_keeps_its_shares():
    split = Split(train=0.8, validation=0.1, test=0.1)
    counts: dict[str, int] = dict.fromkeys(SPLITS, 0)
    for number in range(4000):
        counts[split_of(f"PMC{number}", split, 0)] += 1
    assert counts["train"] == pytest.approx(3200, abs=80)
    assert counts["test"] == pytest.approx(400, abs=60)
    assert split_of("Morbus Abel", split, 3) == split_of("morbus  abel.", split, 3)
    moved = sum(
        split_of(str(n), split, 0) != split_of(str(n), split, 1) for n in range(1000)
    )
    assert moved > 100


def test_records_are_not_copied_where_nothing_is_to_clean():
    record = text("a", "Plain words.")
    verdict = CleanStep()(record)
    assert isinstance(verdict, Kept)
    assert isinstance(verdict.record, TextRecord)
    assert verdict.changed == ()
