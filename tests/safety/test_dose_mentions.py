"""Whose dose an amount is: by the line it stands in, and by names in four languages."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from medassist.safety.dose_mentions import find_doses
from medassist.safety.doses import check_doses
from medassist.safety.drug_names import drugs, known_drug
from medassist.text.quantities import quantities

ABROAD = Path(__file__).parent / "cases" / "drugs_abroad.toml"


def read(text: str) -> list[tuple[str, float, str]]:
    return [(dose.drug, dose.low, dose.route) for dose in find_doses(text)]


@pytest.mark.parametrize("mark", ["", "- ", "* ", "\u2022 ", "1. ", "1) ", "> ", "  "])
def test_a_line_is_read_by_itself(mark: str) -> None:
    text = f"{mark}Unknownium 300 mg by mouth\n{mark}Morphine 2.5 mg IV every 4 hours"
    assert read(text) == [("", 300, "oral"), ("morphine", 2.5, "iv")]
    first, _ = find_doses(text)
    assert first.times_a_day is None
    # Neither is the drug of the line above that of a line whose own is not known.
    text = f"{mark}Morphine 2.5 mg IV\n{mark}Unknownium 300 mg by mouth"
    assert read(text) == [("morphine", 2.5, "iv"), ("", 300, "oral")]


def test_a_row_of_a_table_is_read_by_itself() -> None:
    text = (
        "| Drug | Dose | Route |\n|---|---|---|\n| Unknownium | 300 mg | by mouth |\n"
        "| Morphine | 10 mg | IV |\n| | 1 g | |\n"
    )
    assert read(text) == [
        ("", 300, "oral"),
        ("morphine", 10, "iv"),
        ("", 1000 / 1e3, ""),
    ]


def test_a_row_that_begins_with_the_amount_is_read_too() -> None:
    text = "| 300 mg | Aspirin | by mouth |\n| 10 mg | Morphine | IV |"
    assert read(text) == [("aspirin", 300, "oral"), ("morphine", 10, "iv")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Give paracetamol\n1 g orally", [("paracetamol", 1, "oral")]),
        ("Give 1 g of\nparacetamol", [("", 1, "")]),
        ("Paracetamol 1 g\nby mouth", [("paracetamol", 1, "oral")]),
        (
            "Paracetamol\n1 g, ibuprofen 400 mg",
            [("paracetamol", 1, ""), ("ibuprofen", 400, "")],
        ),
        ("Aspirin 300 mg\nthen 5 mg IV", [("aspirin", 300, ""), ("", 5, "iv")]),
    ],
)
def test_a_sentence_that_goes_on_in_the_next_line_is_read_on(
    text: str, found: list[tuple[str, float, str]]
) -> None:
    assert read(text) == found


@pytest.mark.parametrize(
    "text", ["Step 5\n- 10 mg now", "Grade 3\n- 5 mg", "1\n\u2013 4 mg"]
)
def test_the_mark_of_a_list_makes_no_range(text: str) -> None:
    (dose,) = find_doses(text)
    assert dose.low == dose.high


def test_a_range_may_be_broken_after_its_hyphen() -> None:
    (dose,) = find_doses("morphine 5-\n10 mg")
    assert (dose.low, dose.high) == (5, 10)


@pytest.mark.parametrize(
    "text",
    ["2.4 million units", "2,4 Mio. IE", "2,4 millions d'UI", "2,4 millones de UI"],
)
def test_millions_of_units_are_read(text: str) -> None:
    (one,) = quantities(text)
    assert one.keys == ((2_400_000,),)


@pytest.mark.parametrize(
    ("answer", "kind", "drug"),
    [
        ("Aspirin 3000 mg by mouth now.", "range", "aspirin"),
        ("Aspirin 1 g every 3 hours.", "day", "aspirin"),
        ("Paracetamol 3 g by mouth.", "range", "paracetamol"),
        ("Paracetamol 5 g once daily.", "day", "paracetamol"),
        ("Ibuprofen 2400 mg at once.", "range", "ibuprofen"),
        ("Gabapentin 1200 mg qds.", "day", "gabapentin"),
        ("Colchicine 6 mg now.", "range", "colchicine"),
        ("Lorazepam 10 mg IV.", "range", "lorazepam"),
        ("Tramadol 100 mg every 3 hours.", "day", "tramadol"),
        ("Alendronic acid 70 mg once daily.", "day", "alendronic acid"),
        ("Insulin glargine 100 units at night.", "range", "insulin glargine"),
        ("Benzathine penicillin 1.2 million units IV.", "never", ""),
        ("Furosemide 4 g IV.", "unit", "furosemide"),
        ("Bisoprolol 10 mg four times daily.", "day", "bisoprolol"),
    ],
)
def test_more_than_the_most_at_once_or_in_a_day_is_asked_about(
    answer: str, kind: str, drug: str
) -> None:
    warned = {(w.kind, w.drug) for w in check_doses("eGFR 80, 70 kg", answer)}
    assert (kind, drug or "benzathine benzylpenicillin") in warned


@pytest.mark.parametrize(
    "answer",
    [
        "Aspirin 300 mg by mouth, then 75 mg once daily.",
        "Aspirin 3 g daily in divided doses.",
        "Paracetamol 4 g a day in four divided doses.",
        "Alendronic acid 70 mg once a week.",
        "Alendronate 10 mg once daily.",
        "Folic acid 5 mg once a week.",
        "Insulin glargine 22 units at night.",
        "Benzathine benzylpenicillin 2.4 million units IM.",
        "Tranexamic acid 1 g IV.",
        "Furosemide 80 mg IV.",
        "Allopurinol 300 mg once daily.",
        "Prednisolone 40 mg once daily for 5 days.",
        "Tramadol 50 mg every 6 hours.",
    ],
)
def test_a_usual_dose_of_these_drugs_is_left_in_peace(answer: str) -> None:
    assert check_doses("eGFR 80, 70 kg", answer) == ()


def test_every_drug_of_the_table_is_known_in_german_french_and_spanish() -> None:
    told = tomllib.loads(ABROAD.read_text(encoding="utf-8"))
    assert told.keys() == {drug.name for drug in drugs()}
    wrong = [
        (said, [dose.drug for dose in find_doses(f"{said} 5 mg")])
        for name, names in told.items()
        for said in names
        if [dose.drug for dose in find_doses(f"{said} 5 mg")] != [name]
    ]
    assert wrong == []


def test_no_two_drugs_of_the_table_are_taken_for_one() -> None:
    for drug in drugs():
        for name in (drug.name, *drug.other_names):
            if " " not in name:
                assert known_drug(name.lower()) is drug, name


@pytest.mark.parametrize(
    ("said", "drug"),
    [
        ("losartán", "losartan"),
        ("metoclopramida", "metoclopramide"),
        ("ondansetrón", "ondansetron"),
        ("amlodipino", "amlodipine"),
        ("amoxicilline", "amoxicillin"),
        ("oméprazole", "omeprazole"),
        ("sertralina", "sertraline"),
        ("Doxycyclin", "doxycycline"),
    ],
)
def test_a_drug_in_no_table_is_known_by_how_its_name_ends(said: str, drug: str) -> None:
    assert [dose.drug for dose in find_doses(f"{said} 5 mg")] == [drug]
