"""Doses: what is read of them, and what is to be asked again."""

from __future__ import annotations

import re

import pytest

from medassist.safety.dose_mentions import Dose, drugs, find_doses
from medassist.safety.doses import check_doses, compare_doses
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


@pytest.mark.parametrize(
    ("one", "other", "drug"),
    [
        ("Give morphine .5 mg IV.", "Give morphine 5 mg IV.", "morphine"),
        ("Adrenaline 0,5 mg IM", "Adrenaline 5 mg IM", "adrenaline"),
        ("Digoxin 0·25 mg", "Digoxin 25 mg", "digoxin"),
        ("Heparin 50 000 units", "Heparin 5 000 units", "heparin"),
        ("Bisoprolol ½ tablet daily", "Bisoprolol 5 tablets daily", "bisoprolol"),
        ("Digoxin **0.25** mg", "Digoxin **2.5** mg", "digoxin"),
    ],
)
def test_ten_times_the_dose_is_named_however_it_is_written(
    one: str, other: str, drug: str
) -> None:
    for a, b in ((one, other), (other, one)):
        (warning,) = compare_doses(a, b)
        assert (warning.kind, warning.drug) == ("tenfold", drug)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Paracetamol 1.000 mg", "Paracetamol 1 g"),
        ("Paracetamol 1 000 mg", "Paracetamol 1,0 g"),
        ("Paracetamol 1,5 g qds.", "Paracetamol 1500 mg qds."),
        ("Geben Sie 0,5 g. Paracetamol 1.000 mg", "Paracetamol 1 g"),
        ("Vitamin D 5'000 IU", "Vitamin D 5.000 IE"),
    ],
)
def test_the_same_dose_in_the_manner_of_another_country_is_not_tenfold(
    one: str, other: str
) -> None:
    assert compare_doses(one, other) == compare_doses(other, one) == ()


def test_a_number_that_can_be_read_in_two_ways_is_said_to_be_so() -> None:
    (warning,) = check_doses("eGFR 80", "Give 1.000 mg of paracetamol.")
    assert warning.kind == "in doubt"
    assert warning.text == "this can be read as 1 mg or as 1000 mg."
    # Where the text says which sign it uses, there is no doubt.
    assert check_doses("", "Erst 0,5 g, dann 1.000 mg Paracetamol.") == ()
    assert check_doses("", "First 0.5 g, then 1,000 mg of paracetamol.") == ()


def test_a_dose_in_doubt_is_held_against_its_range_in_the_likelier_way() -> None:
    # 62.5 mg would be a wrong unit; 62 500 micrograms too: both readings are far off.
    assert ("unit", "digoxin") in kinds("eGFR 80", "Digoxin 62.500 mg daily.")
    assert ("unit", "digoxin") not in kinds("eGFR 80", "Digoxin 0,125 mg daily.")
    assert kinds("eGFR 80", "Enoxaparin 1.000 mg") >= {("in doubt", "enoxaparin")}
    assert ("range", "enoxaparin") not in kinds("eGFR 80", "Enoxaparin 100.000 mg")


def test_a_weight_is_known_however_it_is_written() -> None:
    answer = "Ketamine 1 mg/kg iv."
    assert kinds("Mädchen, 16,5 kg", answer) == set()
    assert ("weight", "ketamine") in kinds("A girl with a broken arm", answer)


def test_time_grows_with_the_number_of_doses_that_are_compared() -> None:
    def compared(text: str) -> object:
        return compare_doses(text, text.replace(" 7", " 9"))

    text = "".join(f"aspirin {70 + i / 7:.3f} mg. " for i in range(4_000))
    assert growth(compared, text) < IN_PROPORTION


def test_doses_that_overlap_or_stand_on_another_basis_are_not_compared() -> None:
    assert (
        compare_doses("Furosemide 20-40 mg", "Furosemide 40 mg, at most 400 mg") == ()
    )
    assert compare_doses("Gentamicin 5 mg/kg", "Gentamicin 350 mg") == ()
    assert compare_doses("Methotrexate 15 mg weekly", "Folic acid 5 mg daily") == ()


@pytest.mark.parametrize(
    "text", ["1" * 100_000, "1 mg " * 20_000, "1,000" * 20_000, "mg " * 30_000]
)
def test_hostile_text_takes_time_in_proportion(text: str) -> None:
    assert growth(find_doses, text) < IN_PROPORTION
