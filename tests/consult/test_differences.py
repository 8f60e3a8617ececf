from __future__ import annotations

import pytest

from medassist.consult.differences import compare, disagreement
from medassist.consult.stated_values import stated
from medassist.text.numbers import Signs
from medassist.text.sentences import sentences
from tests.growth import IN_PROPORTION, growth

NO_SIGNS: Signs = frozenset()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.5 g", "500 mg"),
        ("1,000 mcg", "1 mg"),
        ("250 µg", "250 micrograms"),
        ("twice daily", "bd"),
        ("b.d.", "every 12 hours"),
        ("tds", "three times a day"),
        ("q8h", "8 hourly"),
        ("48 hours", "2 days"),
        ("4 g/day", "4 g daily"),
        ("two tablets", "2 tablets"),
        ("0,5 mg", "0.5 mg"),
        ("5 to 10 mg", "5-10 mg"),
    ],
)
def test_the_same_quantity_is_known_however_it_is_written(one: str, other: str) -> None:
    found = [
        {(told.of, told.keys) for told in stated(text, NO_SIGNS)}
        for text in (one, other)
    ]
    assert found[0] == found[1] != set()


@pytest.mark.parametrize("text", ["vitamin B12", "COVID-19", "type-2 diabetes", "CO2"])
def test_a_digit_of_a_name_is_no_number(text: str) -> None:
    assert stated(text, NO_SIGNS) == []


def test_a_blood_level_is_a_number_and_no_dose() -> None:
    assert [told.kind for told in stated("Potassium is 5.5 mmol/L.", NO_SIGNS)] == [
        "number"
    ]


def test_sentences_end_where_a_reader_ends_them() -> None:
    text = (
        "# Plan\n1. Give 2.5 mg i.v. daily. Stop then.\n- Ask Dr. Quill\n\n"
        "| a | b |\n|---|---|\n"
    )
    assert [s.text for s in sentences(text)] == [
        "Plan",
        "Give 2.5 mg i.v. daily.",
        "Stop then.",
        "Ask Dr. Quill",
        "a | b |",
    ]
    assert all(text[s.start : s.end] == s.text for s in sentences(text))


@pytest.mark.parametrize(
    ("a", "b", "apart"),
    [
        ("Give amoxicillin 500 mg tds.", "Give amoxicillin 250 mg tds.", ("dose",)),
        ("Give digoxin 250 mcg.", "Give digoxin 250 mg.", ("dose",)),
        ("Methotrexate 15 mg weekly.", "Methotrexate 15 mg daily.", ("dose",)),
        ("Treat it for 5 days.", "Treat it for 7 days.", ("number",)),
        ("Give aspirin to her.", "Do not give aspirin to her.", ("negation",)),
        (
            "NSAIDs are contraindicated.",
            "NSAIDs are not contraindicated.",
            ("negation",),
        ),
        ("Give 0.5 g paracetamol bd.", "Give 500 mg paracetamol twice daily.", ()),
        ("Rest in bed.", "Drink much water.", ()),
        ("Give aspirin 300 mg.", "Give aspirin.", ()),
        ("Not only rest helps.", "Rest helps.", ()),
        ("", "Give aspirin 300 mg.", ()),
    ],
)
def test_what_contradicts_is_told_from_what_is_left_out(
    a: str, b: str, apart: tuple[str, ...]
) -> None:
    assert disagreement(a, b) == apart
    assert disagreement(b, a) == apart


def test_doses_of_one_drug_are_compared_across_differing_sentences() -> None:
    a = "For this infection a course of oral amoxicillin at 1 g tds can be prescribed."
    b = "Amoxicillin 500 mg tds."
    assert disagreement(a, b) == ("dose",)


def test_swapped_doses_of_two_drugs_are_seen() -> None:
    a = "Give aspirin 300 mg. Give clopidogrel 75 mg."
    b = "Give aspirin 75 mg. Give clopidogrel 300 mg."
    assert disagreement(a, b) == ("dose",)


def test_marks_stand_on_the_words_that_differ() -> None:
    a, b = "Rest. Give amoxicillin 500 mg tds.", "Give amoxicillin 250 mg tds. Drink."
    found = compare(a, b)
    (row,) = found.first("dose")
    (mark,) = [m for m in row.marks_a if m.kind == "dose"]
    assert a[mark.start : mark.end] == "500 mg"
    (mark,) = [m for m in row.marks_b if m.kind == "dose"]
    assert b[mark.start : mark.end] == "250 mg"
    assert found.summary == ("0 sentences the same, 1 alike, 1 only in A, 1 only in B")


def test_a_contradiction_comes_before_what_one_answer_leaves_out() -> None:
    a = "Give aspirin 300 mg. Give amoxicillin 500 mg tds."
    b = "Give aspirin. Give amoxicillin 250 mg tds."
    first = compare(a, b).first("dose")[0]
    assert first.a is not None and "amoxicillin" in first.a.text


@pytest.mark.parametrize(
    "piece", ["1", ".", "not ", "1 mg ", "Give aspirin. ", "a b.c 1/", "x y ", "- "]
)
def test_an_answer_that_repeats_itself_takes_time_in_proportion(piece: str) -> None:
    def compared(text: str) -> None:
        compare.cache_clear()
        compare(text, f"{text} and more")

    assert growth(compared, piece * (32_000 // len(piece))) < IN_PROPORTION


def test_one_dose_that_differs_is_found_among_four_thousand_words() -> None:
    words = [f"word{i % 26}{chr(97 + i * 7 % 26)}" for i in range(4_000)]
    text = ". ".join(
        " ".join([*words[i : i + 16], f"takes {i} mg"]) for i in range(0, 4_000, 16)
    )
    found = compare(text, text.replace("takes 160 mg", "takes 170 mg"))
    assert found.against == ("dose",)
