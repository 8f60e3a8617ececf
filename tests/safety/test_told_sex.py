"""No flag names what the patient cannot have; where sex is in doubt, it is raised."""

from __future__ import annotations

import pytest

from medassist.safety.red_flags import find_red_flags
from medassist.safety.red_flags.conversation import raised_by

ECTOPIC = "ectopic-pregnancy"
TORSION = "testicular-torsion"
ONE_SEX = {
    ECTOPIC,
    TORSION,
    "pre-eclampsia",
    "placental-abruption",
    "reduced-fetal-movements",
    "postpartum-haemorrhage",
    "cord-prolapse",
}


def ids(text: str) -> set[str]:
    return {flag.id for flag in find_red_flags(text)}


@pytest.mark.parametrize(
    "text",
    [
        "A 58-year-old man has had crushing chest pain radiating to the left arm for an"
        " hour, sweating; SpO2 82%, BP 70/40.",
        "58M, sudden left-sided belly pain, collapsed, hCG 200 from a tumour.",
        "A 71-year-old gentleman, ectopic beats on the monitor since this morning.",
        "58-jähriger Mann, Unterbauchschmerzen, Test positiv, kollabiert, RR 70/40",
        "Homme de 58 ans, test positif, douleur fosse iliaque, malaise, TA 70/40, choc",
        "Varón de 58 años, dolor abdominal, prueba positiva, colapso, TA 70/40",
        "24-year-old woman, sudden pain in one ball since an hour, vomiting.",
    ],
)
def test_a_flag_of_the_other_sex_is_not_raised(text: str) -> None:
    assert not ids(text) & ONE_SEX


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("32F, 8/40, PV spotting, RIF pain, fainted", ECTOPIC),
        ("28 yo trans man, pregnancy test positive, shoulder tip pain", ECTOPIC),
        ("30-year-old man, 9 weeks pregnant, shoulder tip pain, faint", ECTOPIC),
        (
            "58-year-old man: his wife, test positive, has shoulder tip pain",
            ECTOPIC,
        ),
        ("Hit by a 58-year-old man: period 2 weeks late, pain low left", ECTOPIC),
        ("Patientin, 8. SSW, Unterbauchschmerz und Kollaps", ECTOPIC),
        ("mujer de 25 años, test positivo, dolor pélvico, síncope", ECTOPIC),
        ("24-year-old woman asks: her son of 14, sudden testicular pain", TORSION),
        ("A 16-year-old boy, sudden testicular pain, vomiting", TORSION),
    ],
)
def test_a_told_pregnancy_or_another_person_keeps_the_flag(
    text: str, flag: str
) -> None:
    assert flag in ids(text)


def test_what_is_told_over_two_questions_counts_for_both_together() -> None:
    first = "A 58-year-old man has had a positive test and is faint."
    then = "Now he has pain in the shoulder tip."
    assert not {one.flag.id for one in raised_by(then, [first])} & ONE_SEX


def test_a_blood_pressure_is_no_week_of_pregnancy() -> None:
    pressure = "Patient collapsed with pain in the left side, BP 70/40."
    assert ECTOPIC not in ids(pressure)
    assert ECTOPIC in ids("Patient collapsed with pain in the left side, at 7/40.")
