"""MedQuAD in short: whole sentences that say something, asked in several ways."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from finetune.data.prepared_records import DialogueRecord
from finetune.data.sources.medquad_short import focus_of, short_answer
from finetune.data.sources.registry import open_source

GOUT = (
    "Gout is a disease in which crystals of uric acid form in a joint and make it hot, "
    "red and very painful, mostly at night."
)
PAGE = """<Document source="{publisher}"><Focus>{focus}</Focus><QAPairs>
<QAPair pid="1"><Question qtype="information">What is (are) {focus} ?</Question>
<Answer>{first}</Answer></QAPair>
<QAPair pid="2"><Question qtype="causes">What causes {focus} ?</Question>
<Answer>{second}</Answer></QAPair></QAPairs></Document>"""


def read(
    folder: Path, publisher: str = "NIDDK", focus: str = "Gout", **options: float
) -> list[DialogueRecord]:
    second = GOUT.replace("is a disease", "can be a sign")
    page = PAGE.format(publisher=publisher, focus=focus, first=GOUT, second=second)
    (folder / "1.xml").write_text(page, "utf-8")
    whole = {"common": 1.0, "patients": 0.0, "clinicians": 0.0, "follow_ups": 0.0}
    source = open_source("medquad-short", **(whole | options))
    return [
        record
        for file in source.files(folder)
        for record in source.read(file)
        if isinstance(record, DialogueRecord)
    ]


def test_an_answer_is_its_first_whole_sentences_up_to_thirty_words():
    more = "It comes back. Some people have it for years, and their joints are harmed."
    assert short_answer(f"{GOUT} {more} Never mind.") == f"{GOUT} {more}"


@pytest.mark.parametrize(
    "answer",
    [
        "Gout hurts.",  # too short to say anything
        f"It hurts in a way that few other diseases do. {GOUT}",  # leans on a question
        "The signs of gout, which mostly come by night, are of several kinds:\n- Pain",
        GOUT.replace("is a", "doesnt look like a"),
        "Patients with gout take 500 mg of a drug that lowers the acid in their blood "
        "each day for years.",
    ],
)
def test_what_does_not_stand_alone_or_names_a_dose_is_left_out(answer):
    assert short_answer(answer) == ""


def test_sentences_that_say_nothing_are_passed_over():
    nothing = "There are different types of treatment for patients with gout."
    assert short_answer(f"{nothing} {GOUT}") == GOUT


def test_an_answer_ends_before_a_list():
    assert short_answer(f"{GOUT} Signs are: - pain - heat") == GOUT


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Gout", "Gout"),
        ("Parasites - Trypanosomes (also known as Chagas Disease)", "Chagas Disease"),
        ("What I need to know about Gas", "Gas"),
        ("COPD (lung disease)", "COPD"),
    ],
)
def test_a_disease_is_called_as_people_call_it(tmp_path, title, name):
    [first, _] = read(tmp_path)
    assert focus_of(first.model_copy(update={"title": title})) == name


@pytest.mark.parametrize(
    ("options", "sign"),
    [
        ({"patients": 1.0}, r"\b(?:I|My|They|my)\b"),
        ({"clinicians": 1.0}, r"^(?!What|How|Why|Who|Tell|Can|Explain)"),
    ],
)
def test_questions_are_asked_as_patients_and_clinicians_ask(tmp_path, options, sign):
    for record in read(tmp_path, **options):
        assert "gout" in record.messages[0].content.casefold()
        assert re.search(sign, record.messages[0].content)


def test_a_second_question_follows_the_first_of_its_page(tmp_path):
    first, second = read(tmp_path, follow_ups=1.0)
    assert len(first.messages) == 2
    assert second.messages[:2] == first.messages
    assert "gout" not in second.messages[2].content.casefold()
    assert second.messages[3].content.startswith("Gout can be a sign")


def test_rare_diseases_come_only_where_they_are_wanted(tmp_path):
    assert read(tmp_path, publisher="GARD") == []
    assert len(read(tmp_path, publisher="GARD", rare=1.0)) == 2
    assert read(tmp_path, common=0.0) == []


def test_an_answer_that_does_not_name_the_disease_is_left_out(tmp_path):
    assert read(tmp_path, focus="Hay fever") == []
