"""What stands below an answer: doses worth a second look, and its sources."""

from __future__ import annotations

import pytest

from medassist.safety.review import dose_marks, review


def test_an_answer_that_cites_nothing_is_called_so() -> None:
    said = review("What is asthma?", "A disease of the airways.")
    assert said.warnings == ()
    assert said.sources == "No source: this answer cites nothing."


def test_citations_are_named_and_called_unverified() -> None:
    text = "See NICE NG28, PMID 12345678, 10.1056/NEJMoa012345 and Smith et al., 2019."
    said = review("", text).sources
    assert said.startswith("Unverified on this computer: ")
    assert "PMID 12345678" in said and "10.1056/NEJMoa012345" in said
    assert said.endswith("and 1 more.")


def test_a_warning_names_the_amount_and_the_page_it_stands_on() -> None:
    (said,) = review("70F, eGFR 80", "Digoxin 125 mg once daily.").warnings
    assert said == (
        "“125 mg”: the usual dose of digoxin is 62.5 to 500 mcg. Were mg and micrograms"
        " confused? (medicalguidelines.msf.org)"
    )


def test_what_can_do_most_harm_comes_first() -> None:
    answer = "Gabapentin 300 mg daily, digoxin 125 mg daily, ketamine 1 mg/kg."
    said = review("70F", answer, other="Gabapentin 3000 mg daily.").warnings
    assert "digoxin" in said[0]
    assert "10 times apart" in said[1]
    assert "weight" in said[2]
    assert said[3].startswith("The doses of gabapentin and digoxin depend on renal")
    assert len(said) == 4


def test_weight_and_renal_function_may_stand_in_an_earlier_question() -> None:
    answer = "Gabapentin 300 mg at night, ketamine 1 mg/kg."
    assert len(review("My patient has pain.", answer).warnings) == 2
    story = "My patient weighs 70 kg, eGFR 45.\nWhat for the pain?"
    assert review(story, answer).warnings == ()


def test_value_unit_route_and_frequency_are_marked() -> None:
    text = "Give amoxicillin 500 mg orally three times daily."
    marks = {text[slice(*mark.span)]: mark.amount for mark in dose_marks(text)}
    assert marks == {
        "500 mg": True,
        "amoxicillin": False,
        "orally": False,
        "three times daily": False,
    }


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            "Give lorlatinib 100 mg.",
            "the dose of lorlatinib: no source was read for it",
        ),
        (
            "Give lorlatinib 100 mg and noradrenaline 4 mg.",
            "the doses of lorlatinib and noradrenaline: no source was read for them",
        ),
    ],
)
def test_a_dose_that_nothing_was_read_of_is_one_to_look_up(
    answer: str, sentence: str
) -> None:
    assert f"Look up {sentence} here." in review("", answer).warnings


def test_a_warning_says_whose_text_was_read_and_where() -> None:
    answer = "Give morphine 100 mg IV. Aspirin 3000 mg once."
    said = " ".join(review("", answer).warnings)
    assert "(the maker's US label, pfizermedicalinformation.com)" in said
    assert "(medicines.org.uk)" in said
