"""Values that speak for themselves, and where the same number says nothing."""

from __future__ import annotations

import re

import pytest

from medassist.safety.red_flags import find_red_flags
from medassist.safety.red_flags.find import RedFlag
from medassist.safety.red_flags.rules import rules
from tests.growth import IN_PROPORTION, growth
from tests.safety.value_cases import ValueCase, Which, read, satisfied

SETS: tuple[Which, ...] = ("seen", "unseen", "later", "open")
VALUE_FLAGS = {"vital-signs", "laboratory-values"}


def found(text: str) -> set[str]:
    return {flag.id for flag in find_red_flags(text)}


def of_values(text: str) -> list[RedFlag]:
    return [flag for flag in find_red_flags(text) if flag.id in VALUE_FLAGS]


def wrong(cases: tuple[ValueCase, ...]) -> list[str]:
    return [case.text for case in cases if not satisfied(case, found(case.text))]


@pytest.mark.parametrize("which", SETS)
def test_of_the_values_and_emergencies_at_least_95_in_100_are_raised(
    which: Which,
) -> None:
    positive = tuple(case for case in read(which) if case.wanted)
    missed = wrong(positive)
    assert len(positive) >= 25
    assert len(missed) <= 0.05 * len(positive), missed


@pytest.mark.parametrize("which", SETS)
def test_of_the_texts_in_which_a_number_says_nothing_one_in_twenty_is_disturbed(
    which: Which,
) -> None:
    silent = tuple(case for case in read(which) if not case.wanted)
    disturbed = wrong(silent)
    assert len(silent) >= 25
    assert len(disturbed) <= 0.05 * len(silent), disturbed


@pytest.mark.parametrize("which", ["half_open", "final_open"])
def test_every_case_of_an_open_half_is_judged_right(which: Which) -> None:
    cases = read(which)
    assert len(cases) >= 20
    assert wrong(cases) == []


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("core 29.4 C after the lake", True),
        ("core 29 exercises a week", False),
        ("eyes 2, verbal 2, motor 5", True),
        ("eyes 4, verbal 5, motor 6", False),
        ("41,3 de fiebre", True),
        ("pulse 72 temp 36.8", False),
    ],
)
def test_values_are_read_as_they_are_said_in_words(text: str, raised: bool) -> None:
    assert ("vital-signs" in found(text)) is raised


def test_no_value_stands_in_two_sets_of_cases() -> None:
    texts = [
        case.text
        for which in (*SETS, "half_open", "final_open")
        for case in read(which)
    ]
    assert len(texts) >= 450
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("sodium 105 mmol/L", "sodium of 120 mmol/L or less"),
        ("sodium 105 mEq/L", "sodium of 120 mmol/L or less"),
        ("calcium 15.8 mg/dL", "calcium of 3.24 mmol/L or more"),
        ("calcium 4.0 mmol/L", "calcium of 3.24 mmol/L or more"),
        ("Hb 4.5 g/dL", "haemoglobin of 70 g/L or less"),
        ("Hb 45 g/L", "haemoglobin of 70 g/L or less"),
        ("pCO2 92 mmHg", "pCO2 of 8 kPa or more"),
        ("pCO2 12.3 kPa", "pCO2 of 8 kPa or more"),
        ("creatinine 13 mg/dL", "creatinine of 530 µmol/L or more"),
        ("creatinine 1150 µmol/L", "creatinine of 530 µmol/L or more"),
        ("glucose 34 mg/dL", "glucose of 2.8 mmol/L or less"),
        ("lactate 72 mg/dL", "lactate of 3.5 mmol/L or more"),
        ("platelets 8,000/µL", "platelets of 20 10^9/L or less"),
        ("temp 88 °F", "temperature of 35 degrees Celsius or less"),
        ("pH 6,95", "pH of 7.2 or less"),
    ],
)
def test_a_value_is_held_against_its_limit_in_the_unit_it_is_written_in(
    text: str, limit: str
) -> None:
    (flag,) = of_values(text)
    assert flag.text.startswith(f"Reminder: {limit}.")


@pytest.mark.parametrize(
    "text",
    [
        "give calcium 10 ml",
        "potassium 8 mmol by mouth",
        "glucose 10% 150 ml",
        "HR 30 minutes later",
        "she sat 80 minutes in the waiting room",
        "PO 2 tablets 3 times daily",
        "Hb A1c 9.1 %",
        "Hemoglobin A1c 6.4",
        "5 mg 0.3 ml",
        "FiO2 40 %",
        "intraocular pressure 52",
    ],
)
def test_a_number_in_another_unit_or_of_another_thing_is_no_such_value(
    text: str,
) -> None:
    assert of_values(text) == []


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("3 month old, HR 150, RR 45", False),
        ("40M, HR 150, RR 45", True),
        ("5 week old, HR 245", True),
        ("2 yo, BP 80/45", False),
        ("2 yo, BP 55/30", True),
        ("70F, BP 80/45", True),
        ("newborn, creatinine 70, ammonia 180", False),
        ("70F, ammonia 180", True),
    ],
)
def test_limits_are_those_of_the_age(text: str, raised: bool) -> None:
    assert bool(of_values(text)) is raised


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("Na 105 was last year's, now 138", False),
        ("K 5.0 yesterday, 1.9 today", True),
        ("K 7.8 last night, now 4.9", False),
        ("BP 80/40 now, was 120/80", True),
        ("sats 78 now, baseline 96", True),
        ("sats 82% for years, Eisenmenger", False),
        ("INR target 2 to 3", False),
        ("potassium is not 7.1", False),
        ("denies chest pain, SpO2 82%", True),
        ("a potassium of 6.8 is dangerous because", False),
        ("he has a potassium of 6.8", True),
        ("tension 22/13, maux de tête", True),
        ("tension 12/7 y 64 pulsaciones, 40 años", False),
        ("le pouls : 150 battements", True),
        ("sugar, bed 9: 26 mg/dl", True),
        ("finger clip thing says 76", True),
        ("alarm defaults: SpO2 low 85, RR high 35", False),
        ("Pump 3 set to 100 mL/hr, alarm 20 psi", False),
        ("Bruder gesund, RR 125/80", False),
        ("sodium 112 on admission, 136 at discharge", False),
        ("sodium 136 on admission, 112 now", True),
        ("bei Aufnahme Natrium 112, bei Entlassung 136", False),
        ("natrémie 112 à l'entrée, 136 à la sortie", False),
        ("sodio 112 al ingreso, 136 al alta", False),
        ("Dirección: calle Sodio 107, Leganés", False),
        ("sodio 107, vive en la calle Mayor", True),
        ("Bei welchem Kalium, 6,5 oder 7, muss man dialysieren?", False),
        ("sodium 139 (ref 133-146, critical <120)", False),
        ("Na 107 (133-146)", True),
        ("call parameters: SpO2 < 90, HR > 130", False),
        ("SpO2 <80% on air", True),
        ("K >2.5", False),
        ("GCS of 8 or less means intubate", False),
        ("systolic will not come above 74", True),
        ("sats do not fall below 95, were 82", False),
        ("What ECG changes do you expect at a potassium of 8?", False),
        ("BP 74/40 during the spinal last month, 126/70 in clinic now", False),
        ("l'an dernier hémoglobine à 5, maintenant 12,4", False),
        ("sodio 110 mEq/L, potasio 1,9 mEq/L", True),
        ("responds to pain only", True),
        ("AVPU: P", True),
        ("A on AVPU, chatting", False),
        ("she does not respond to pain only, she talks", False),
        ("Patientin reagiert nur noch auf Schmerzreize", True),
        ("il ne réagit qu'à la douleur", True),
        ("el paciente solo responde a estímulos dolorosos", True),
    ],
)
def test_a_value_counts_where_it_is_told_of_a_patient_as_of_now(
    text: str, raised: bool
) -> None:
    assert bool(of_values(text) or "hyperkalaemia" in found(text)) is raised


def test_the_words_of_a_value_can_be_shown() -> None:
    text = "78F, BP 74/40, Na 105 mmol/L"
    shown = {flag.id: [text[a:b] for a, b in flag.spans] for flag in of_values(text)}
    assert shown == {"vital-signs": ["BP 74/40"], "laboratory-values": ["Na 105"]}


def test_every_limit_names_the_list_or_the_score_that_it_stands_on() -> None:
    limits = [limit for held in rules().limits.values() for limit in held]
    assert len(limits) >= 90
    for limit in limits:
        assert re.search(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+/\S{3,}", limit.source), limit
        assert limit.flag in rules().value_flags


def test_one_limit_of_a_value_is_named_and_no_other() -> None:
    (flag,) = of_values("SpO2 70%")
    assert flag.text.count("oxygen saturation of") == 1


@pytest.mark.parametrize(
    "text",
    ["Na " * 30_000, "SpO2 82% " * 10_000, "K 7 now " * 12_000, "E1V2M4 " * 9_000],
)
def test_hostile_texts_of_values_take_time_in_proportion(text: str) -> None:
    assert growth(find_red_flags, text) < IN_PROPORTION
