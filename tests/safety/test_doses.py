"""Doses: what is read of them, and what is to be asked again."""

from __future__ import annotations

import re

import pytest

from medassist.safety.dose_mentions import Dose, find_doses
from medassist.safety.doses import check_doses, compare_doses
from medassist.safety.drug_names import drugs, names
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


def test_a_row_without_a_source_has_no_figures_and_says_so() -> None:
    unread = [drug for drug in drugs() if not drug.sourced]
    assert unread
    for drug in unread:
        row = drug.row
        assert (row.low, row.high, row.day, row.iv) == (None, None, None, None)
        raised = check_doses("60M, eGFR 80", f"{drug.name} 500 mg daily")
        assert {warning.kind for warning in raised} == {"unchecked"}, drug.name
        assert drug.name in raised[0].text


def test_a_drug_that_is_in_no_table_is_said_to_be_unchecked() -> None:
    (warning,) = check_doses("", "Doxycycline 100 mg bd and haloperidol 5 mg IM.")
    assert warning.kind == "unchecked"
    assert "doxycycline and haloperidol" in warning.text
    assert check_doses("eGFR 80", "Morphine 5 mg IV.") == ()


def test_a_source_is_a_page_and_what_was_read_there_and_its_row_warns() -> None:
    sourced = [drug for drug in drugs() if drug.sourced]
    assert len(sourced) >= 30
    for drug in sourced:
        assert re.match(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+/?", drug.source), drug.name
        assert "droracle" not in drug.source, drug.name
        # Both ends of the range stand in what was read, or are worked out there.
        assert re.search(r"\d", drug.source.split(": ", 1)[1]), drug.name
        high = drug.row.high or 0
        answer = f"{drug.name} {high * 100:.1f} {drug.row.unit}"
        assert ("unit", drug.name) in kinds("60M, eGFR 80", answer)


HIGH_ALERT = (
    ("Give morphine 100 mg IV.", "range", "morphine"),
    ("Insulin 100 units subcut.", "range", "insulin"),
    ("Insulin 100 IE s.c.", "range", "insulin"),
    ("Warfarin 50 mg once daily.", "range", "warfarin"),
    ("Give KCl 20 mmol IV push.", "never", "potassium"),
    ("Potassium chloride 40 mmol as an undiluted bolus.", "never", "potassium"),
    ("Vincristine 2 mg intrathecally.", "never", "vincristine"),
    ("Heparin 100,000 units IV bolus.", "range", "heparin"),
    ("Digoxin 2.5 mg daily.", "range", "digoxin"),
    ("Fentanyl 1000 mcg IV.", "range", "fentanyl"),
    ("Fentanyl 5 mg IV.", "unit", "fentanyl"),
    ("Ketamine 1000 mg IV.", "range", "ketamine"),
    ("Hydromorphone 10 mg IV.", "range", "hydromorphone"),
    ("Oxycodone 80 mg by mouth now.", "range", "oxycodone"),
    ("Midazolam 50 mg IV.", "range", "midazolam"),
    ("Adrenaline 5 mg IM.", "range", "adrenaline"),
    ("Apixaban 50 mg twice daily.", "range", "apixaban"),
    ("Magnesium sulfate 20 g IV.", "range", "magnesium"),
    ("Methotrexate 10 mg each morning.", "weekly", "methotrexate"),
    ("MTX 10 mg every morning.", "weekly", "methotrexate"),
    ("Methotrexate 7.5 mg q.d.", "weekly", "methotrexate"),
    ("Methotrexate 15 mg twice weekly.", "weekly", "methotrexate"),
    ("Paracetamol 1 g every 4 hours.", "day", "paracetamol"),
    ("Paracetamol 1.5 g qds.", "day", "paracetamol"),
    ("Paracetamol 1 g six times a day.", "day", "paracetamol"),
    ("Ibuprofen 800 mg every 4 hours.", "day", "ibuprofen"),
    ("The maximum daily dose of paracetamol is 8 g.", "day", "paracetamol"),
)


@pytest.mark.parametrize(("answer", "kind", "drug"), HIGH_ALERT)
def test_a_dangerous_dose_of_a_high_alert_drug_is_asked_about(
    answer: str, kind: str, drug: str
) -> None:
    assert (kind, drug) in kinds("eGFR 80, 70 kg", answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Morphine 10 mg IV every 4 hours.",
        "Morphine 30 mg by mouth.",
        "Insulin 20 units at night.",
        "Warfarin 5 mg once daily.",
        "Potassium chloride 20 mmol in 500 mL over 2 hours; never give it as a push.",
        "Do not give potassium 20 mmol as a bolus.",
        "Vincristine 2 mg IV; intrathecal vincristine is fatal.",
        "Heparin 5,000 units IV.",
        "Fentanyl 50 mcg IV.",
        "Methotrexate 15 mg once weekly.",
        "Methotrexate 15 mg every week.",
        "Paracetamol 1 g every 4 to 6 hours, at most 4 g in 24 hours.",
        "Paracetamol 1 g every 4-6 hours.",
        "Paracetamol 1 g qds.",
        "The maximum daily dose of paracetamol is 4 g.",
        "Ibuprofen 400 mg three times a day.",
        "Magnesium sulfate 4 g IV over 20 minutes.",
        "Digoxin 125 micrograms daily.",
        "Adrenaline 0.5 mg IM.",
    ],
)
def test_a_usual_dose_of_a_high_alert_drug_is_left_in_peace(answer: str) -> None:
    assert kinds("eGFR 80, 70 kg", answer) == set()


BEYOND = (
    # Every hour, and six times, in the words of each language.
    (
        "Morphin 10 mg i.v. jede Stunde, Insulin 20 Einheiten stündlich",
        "day",
        "insulin",
    ),
    ("Colchicine 1 mg hourly until the pain stops.", "day", "colchicine"),
    ("Paracetamol 1 g 4-stündlich", "day", "paracetamol"),
    ("Paracétamol 1 g six fois par jour", "day", "paracetamol"),
    ("Paracetamol 1 g seis veces al día", "day", "paracetamol"),
    # A limit of something else than the day's amount.
    ("Paracetamol 1 g every 3 hours for up to a week.", "day", "paracetamol"),
    ("Colchicine 0.5 mg every hour, up to 8 doses.", "day", "colchicine"),
    ("Methotrexat 10 mg, nie wöchentlich, sondern täglich.", "weekly", "methotrexate"),
    # By the hour, by weight, by the weight of a child.
    ("Magnesium sulfate 6 g/h.", "range", "magnesium"),
    ("Potassium chloride 80 mmol/h", "range", "potassium"),
    ("Rocuronium 10 mg/kg IV", "range", "rocuronium"),
    ("Énoxaparine 10 mg/kg", "range", "enoxaparin"),
    ("Fentanyl 5 mg/kg IV", "unit", "fentanyl"),
    ("Mädchen, 14 kg: Morphin 10 mg i.v.", "range", "morphine"),
    ("A girl of 20 kg: adrenaline 0.5 mg IM", "range", "adrenaline"),
    # Tablets times strength.
    ("Take 10 tablets of 5 mg warfarin.", "range", "warfarin"),
    ("Warfarina: 10 comprimidos de 5 mg", "range", "warfarin"),
    ("Paracetamol: 4 Tabletten à 500 mg alle 4 Stunden", "day", "paracetamol"),
    # Into a vein, and every day, where less is meant than else.
    ("Insulin 40 units IV now", "range", "insulin"),
    ("Oxytocin 40 units IV bolus", "range", "oxytocin"),
    ("Amiodarone 1 g IV bolus", "range", "amiodarone"),
    ("Digoxin 1 mg daily", "range", "digoxin"),
    ("Alendronic acid 70 mg daily", "day", "alendronic acid"),
    ("Lorazepam 20 mg iv", "range", "lorazepam"),
    ("Vinorelbine 30 mg intrathecally", "never", "vinorelbine"),
    ("If the pain is not controlled give morphine 100 mg IV.", "range", "morphine"),
    # A point between thousands, where the language has a decimal comma.
    (
        "Heparin 100.000 Einheiten als Bolus in die Vene und danach nichts mehr",
        "range",
        "heparin",
    ),
)


@pytest.mark.parametrize(("answer", "kind", "drug"), BEYOND)
def test_more_than_the_table_gives_is_asked_about_however_it_is_told(
    answer: str, kind: str, drug: str
) -> None:
    assert (kind, drug) in kinds("eGFR 80", answer)


@pytest.mark.parametrize(
    "answer",
    [
        # What is done every hour is not the giving.
        "Insulin 10 units IV, check the glucose every hour for 6 hours.",
        "Insulin 10 Einheiten i.v., Kontrolle des Blutzuckers stündlich.",
        "Insuline 10 UI IV, contrôle de la glycémie toutes les heures.",
        "Paracetamol 1 g 6-stündlich",
        "Methotrexate 10 mg once weekly, never daily.",
        # What is put into a bag is not given at once.
        "Heparin 25,000 units in 250 mL at 18 units/kg/h, 70 kg",
        "Regular insulin 100 units in 100 mL of saline IV.",
        "Oxytocin 40 units in 1000 mL",
        "Amiodarone 300 mg IV bolus, then 900 mg IV over 24 hours",
        "Amiodarone 150 mg IV, then 1 mg/min for 6 hours.",
        "Magnesiumsulfat 2 g/h",
        "Potassium chloride 10 mmol/h",
        # For a child, and at most for anybody.
        "Mädchen, 14 kg: Morphin 1 mg i.v.",
        "Enfant de 15 kg : adrénaline 0,15 mg IM, maximum 0,5 mg",
        "A man of 70 kg lost 5 kg: morphine 10 mg iv",
        "Rocuronium 1.2 mg/kg IV, 70 kg",
        "Enoxaparin 1 mg/kg twice daily, 70 kg",
        "Paracetamol: 2 Tabletten zu 500 mg alle 6 Stunden",
        # What not to give.
        "Digoxin 125 micrograms daily, not 125 mg.",
        "Warfarina 5 mg al día. No empiece nunca con 50 mg.",
        "Digoxin 1 mg as a single loading dose",
        "Digoxin: 1.25 mg in total, half at once and a quarter every 6 hours.",
        "Alendronic acid 70 mg once weekly",
        "Lorazepam 4 mg iv",
    ],
)
def test_what_is_told_beside_a_right_dose_makes_it_no_wrong_one(answer: str) -> None:
    raised = {kind for kind, _ in kinds("eGFR 80", answer)}
    assert raised.isdisjoint({"unit", "range", "day", "weekly", "never"})


def test_a_weight_of_the_question_is_that_of_the_child_in_the_answer() -> None:
    asked = "a boy of 3 years, 14 kg, with a broken arm"
    assert ("range", "morphine") in kinds(asked, "Morphine 10 mg IV.")
    assert kinds(asked, "Morphine 1.4 mg IV.") == set()
    assert ("range", "morphine") not in kinds("a man of 80 kg", "Morphine 10 mg IV.")


@pytest.mark.parametrize(
    "answer",
    [
        "Humulin R U-500 150 units before breakfast",
        "Methotrexate 12 mg intrathecally",
        "Heparin 100 units as a flush",
        "Morphine 100 mg slow-release twice daily",
    ],
)
def test_another_use_of_a_drug_than_that_of_its_row_is_said_to_be_unchecked(
    answer: str,
) -> None:
    assert {kind for kind, _ in kinds("eGFR 80", answer)} == {"unchecked"}


OF_ISMP = (
    "adrenaline noradrenaline phenylephrine dopamine dobutamine ephedrine isoproterenol"
    " propranolol metoprolol labetalol esmolol propofol ketamine etomidate thiopental"
    " lidocaine amiodarone procainamide flecainide adenosine warfarin acenocoumarol"
    " phenprocoumon enoxaparin dalteparin tinzaparin heparin dabigatran rivaroxaban"
    " apixaban edoxaban fondaparinux argatroban bivalirudin eptifibatide tirofiban"
    " alteplase tenecteplase digoxin milrinone insulin glargine glyburide glipizide"
    " gliclazide glimepiride midazolam dexmedetomidine lorazepam morphine fentanyl"
    " hydromorphone oxycodone methadone tramadol codeine pethidine meperidine"
    " buprenorphine remifentanil sufentanil tapentadol rocuronium vecuronium"
    " succinylcholine suxamethonium atracurium cisatracurium pancuronium epoprostenol"
    " magnesium methotrexate nitroprusside oxytocin potassium promethazine vasopressin"
    " vincristine vinblastine vinorelbine cisplatin doxorubicin cyclophosphamide"
    " capecitabine fluorouracil temozolomide lomustine cytarabine mercaptopurine"
)


@pytest.mark.parametrize("name", OF_ISMP.split())
def test_a_high_alert_medication_is_asked_about_or_said_to_be_unchecked(
    name: str,
) -> None:
    drug = names().get(name)
    unit = drug.row.unit if drug else "mg"
    raised = {kind for kind, _ in kinds("eGFR 80", f"Give {name} 99999999 {unit} now.")}
    expected = {"unit"} if drug and drug.sourced else {"unchecked"}
    assert expected <= raised


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Insulin 10U now.", "“10U”: 10 units"),
        ("Vitamin D 800 IU.", "“800 IU”: 800 units"),
        ("Digoxin .125 mg.", "“.125 mg”: 0.125 mg"),
        ("Prednisolone 5.0 mg.", "“5.0 mg”: 5 mg"),
        ("Warfarin 5 mg QD.", "“QD”: daily"),
        ("Levothyroxine 50 µg.", "“50 µg”: 50 mcg"),
        ("Give 10 cc.", "“10 cc”: 10 mL"),
        ("MTX 15 mg weekly.", "“MTX”: methotrexate"),
        ("KCl 20 mmol.", "“KCl”: potassium chloride"),
        ("MgSO4 4 g.", "“MgSO4”: magnesium sulfate"),
        ("Prednisolon 5,0 mg am Morgen.", "“5,0 mg”: 5 mg"),
        (
            "Geben Sie Levothyroxin 50 µg jeden Morgen und kontrollieren Sie das TSH.",
            "“50 µg”: 50 Mikrogramm",
        ),
        (
            "Donner la digoxine 125 µg par jour et surveiller le patient.",
            "“125 µg”: 125 microgrammes",
        ),
        (
            "Administre insulina 10U ahora y luego vigile la glucemia del paciente.",
            "“10U”: 10 unidades",
        ),
    ],
)
def test_a_form_that_is_misread_is_named_with_what_to_write(
    answer: str, said: str
) -> None:
    forms = [w for w in check_doses("eGFR 80", answer) if w.kind == "error-prone"]
    assert len(forms) == 1 and said in forms[0].text
    assert forms[0].source.startswith("ISMP")


@pytest.mark.parametrize(
    "answer",
    [
        "Insulin 10 units.",
        "Digoxin 0.125 mg daily.",
        "Give 10.5 mg, not 1.05 g.",
        "INR 5.0",
    ],
)
def test_a_dose_that_is_written_well_is_left_in_peace(answer: str) -> None:
    raised = check_doses("eGFR 80", answer)
    assert "error-prone" not in {warning.kind for warning in raised}


def test_every_warning_of_the_table_names_what_it_stands_on() -> None:
    for warning in check_doses("60M", "Digoxin 125 mg daily. Lithium 300 mg bd."):
        assert warning.source, warning


def test_the_table_holds_a_few_dozen_drugs_in_sound_ranges() -> None:
    assert len(drugs()) >= 36
    for drug in drugs():
        low, high = drug.usual("")
        if drug.sourced:
            assert high and (low or 0) < high, drug.name


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
