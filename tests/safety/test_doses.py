"""Doses: what is read of them, and what is to be asked again."""

from __future__ import annotations

import re

import pytest

from medassist.safety.dose_reading import Dose, drugs, find_doses
from medassist.safety.doses import check_doses, compare_doses
from medassist.safety.facts import numbers_and_negations
from tests.growth import IN_PROPORTION, growth


def one(text: str) -> Dose:
    (dose,) = find_doses(text)
    return dose


def kinds(question: str, answer: str) -> set[tuple[str, str]]:
    return {(warning.kind, warning.drug) for warning in check_doses(question, answer)}


def test_value_unit_route_and_frequency_are_read_with_their_places() -> None:
    text = "Give amoxicillin 500 mg orally three times daily for five days."
    dose = one(text)
    assert (dose.drug, dose.low, dose.unit) == ("amoxicillin", 500, "mg")
    assert (dose.route, dose.times_a_day) == ("oral", 3)
    assert text[slice(*dose.span)] == "500 mg"
    assert [text[a:b] for a, b in dose.parts] == [
        "amoxicillin",
        "orally",
        "three times daily",
    ]


@pytest.mark.parametrize(
    ("text", "low", "high", "unit"),
    [
        ("20-40 mg furosemide", 20, 40, "mg"),
        ("1,000 mg of paracetamol", 1000, 1000, "mg"),
        ("digoxin 62.5 micrograms", 62.5, 62.5, "micrograms"),
        ("heparin 5,000 units sc", 5000, 5000, "units"),
        ("2 to 4 mg of lorazepam", 2, 4, "mg"),
    ],
)
def test_ranges_and_thousands_are_read(
    text: str, low: float, high: float, unit: str
) -> None:
    dose = one(text)
    assert (dose.low, dose.high, dose.unit) == (low, high, unit)


def test_laboratory_values_are_no_doses() -> None:
    assert find_doses("Glucose 5.4 mmol/L, creatinine 1.1 mg/dL, BP 120/80 mmHg") == ()


def test_micrograms_written_as_milligrams_are_asked_about() -> None:
    assert ("unit", "digoxin") in kinds("eGFR 80", "Digoxin 125 mg once daily.")
    assert ("unit", "digoxin") not in kinds("eGFR 80", "Digoxin 125 mcg once daily.")


def test_a_daily_dose_of_a_weekly_drug_is_asked_about() -> None:
    assert ("weekly", "methotrexate") in kinds("eGFR 80", "Methotrexate 10 mg daily.")
    weekly = "Methotrexate 10 mg once weekly."
    assert ("weekly", "methotrexate") not in kinds("eGFR 80", weekly)


def test_a_dose_by_weight_wants_a_weight() -> None:
    answer = "Paracetamol 15 mg/kg every 6 hours."
    assert ("weight", "paracetamol") in kinds("4-year-old with fever", answer)
    assert kinds("4-year-old, 16 kg, fever", answer) == set()


def test_a_drug_of_the_kidneys_wants_their_function() -> None:
    answer = "Start gabapentin 300 mg at night."
    assert ("renal", "gabapentin") in kinds("70F, neuropathic pain", answer)
    assert kinds("70F, neuropathic pain, eGFR 45", answer) == set()


def test_a_row_without_a_source_warns_of_nothing() -> None:
    assert any(drug.source == "none" for drug in drugs())
    for drug in drugs():
        if drug.source == "none":
            assert not drug.sourced
    # Morphine's row has none: a thousand times the usual is marked and not judged.
    assert kinds("60M pain", "Morphine 10000 mg orally.") == set()


def test_of_the_table_no_row_without_a_source_is_ever_warned_of() -> None:
    of_table = {"unit", "range", "weekly", "renal"}
    for drug in drugs():
        if drug.source == "none":
            for amount in (drug.low / 10_000, drug.high * 10_000):
                answer = f"{drug.name} {amount:.6f} {drug.unit} daily"
                raised = {warning.kind for warning in check_doses("60M", answer)}
                assert not raised & of_table, drug.name


def test_a_source_is_a_page_and_what_was_read_there_and_its_row_warns() -> None:
    sourced = [drug for drug in drugs() if drug.sourced]
    assert len(sourced) >= 8
    for drug in sourced:
        assert re.match(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+/", drug.source), drug.name
        # Both ends of the range stand in what was read, or are worked out there.
        assert re.search(r"\d", drug.source.split(": ", 1)[1]), drug.name
        answer = f"{drug.name} {drug.high * 100:.1f} {drug.unit}"
        assert ("unit", drug.name) in kinds("60M, eGFR 80", answer)


def test_every_warning_of_the_table_names_what_it_stands_on() -> None:
    for warning in check_doses("60M", "Digoxin 125 mg daily. Lithium 300 mg bd."):
        assert warning.source, warning


def test_the_table_holds_a_few_dozen_drugs_in_sound_ranges() -> None:
    assert len(drugs()) >= 36
    for drug in drugs():
        assert 0 < drug.low < drug.high, drug.name


def test_ten_times_the_dose_in_the_other_pane_is_named() -> None:
    (warning,) = compare_doses("Bisoprolol 2.5 mg daily.", "Bisoprolol 25 mg daily.")
    assert (warning.kind, warning.drug) == ("tenfold", "bisoprolol")


def test_milligrams_against_micrograms_in_the_other_pane_are_named() -> None:
    (warning,) = compare_doses("Digoxin 125 mcg daily.", "Digoxin 125 mg daily.")
    assert warning.kind == "thousandfold"
    assert compare_doses("Digoxin 125 mcg daily.", "Digoxin 0.125 mg daily.") == ()


def test_panes_are_compared_for_drugs_that_are_in_no_table() -> None:
    (warning,) = compare_doses("Doxycycline 100 mg bd", "Doxycycline 1000 mg bd")
    assert (warning.kind, warning.drug) == ("tenfold", "doxycycline")


def test_doses_that_overlap_or_stand_on_another_basis_are_not_compared() -> None:
    assert (
        compare_doses("Furosemide 20-40 mg", "Furosemide 40 mg, at most 400 mg") == ()
    )
    assert compare_doses("Gentamicin 5 mg/kg", "Gentamicin 350 mg") == ()
    assert compare_doses("Methotrexate 15 mg weekly", "Folic acid 5 mg daily") == ()


def test_numbers_doses_and_denials_can_be_set_side_by_side() -> None:
    one, other = (
        {(fact.kind, fact.value) for fact in numbers_and_negations(text)}
        for text in (
            "Give aspirin 300 mg within 24 hours.",
            "Do not give aspirin 0.3 g within 48 hours.",
        )
    )
    same = {value for kind, value in one & other if kind == "dose"}
    assert len(same) == 1  # 300 mg and 0.3 g are one dose
    assert ("number", "24 hours") in one - other
    assert any(kind == "negation" for kind, _ in other - one)


@pytest.mark.parametrize(
    "text", ["1" * 100_000, "1 mg " * 20_000, "1,000" * 20_000, "mg " * 30_000]
)
def test_hostile_text_takes_time_in_proportion(text: str) -> None:
    assert growth(find_doses, text) < IN_PROPORTION
