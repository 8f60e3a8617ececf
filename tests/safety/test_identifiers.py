"""Identifiers: how many are found, how they are replaced, what is left in peace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medassist.safety.drug_names import names as drugs
from medassist.safety.identifiers import KINDS, find_identifiers, replace
from medassist.safety.identifiers.name_words import family_names, given_names
from medassist.safety.letters import folded
from tests.growth import IN_PROPORTION, growth
from tests.safety.identifier_notes import material, own_notes, real_notes, score

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("MEDASSIST_DATA", ROOT.parent / "shared" / "data"))


def test_planted_names_are_not_in_the_recognisers_lists() -> None:
    planted = {*material()["given"].split(), *material()["family"].split()}
    assert not {folded(name) for name in planted} & (given_names() | family_names())


def test_identifiers_of_five_hundred_notes_are_found() -> None:
    total = score(own_notes(500))
    assert total.notes == 500
    assert total.recall(total.structured) >= 0.95
    assert total.recall({"NAME"}) >= 0.85
    assert total.marked_right / total.marked >= 0.9


def test_identifiers_in_other_wording_are_found() -> None:
    total = score(own_notes(300, carriers="held-back"))
    assert total.recall(total.structured) >= 0.95
    assert total.recall({"NAME"}) >= 0.85


@pytest.mark.skipif(not (REAL / "mts-dialog").is_dir(), reason="needs MEDASSIST_DATA")
def test_identifiers_planted_in_real_notes_are_found() -> None:
    total = score(real_notes(REAL, 500))
    assert total.notes == 500
    assert total.recall(total.structured) >= 0.95
    assert total.recall({"NAME"}) >= 0.85
    assert total.marked_right / total.marked >= 0.7


def test_every_kind_of_the_eighteen_is_planted_somewhere() -> None:
    planted = {one.kind for note in own_notes(300) for one in note.planted}
    assert planted == KINDS.keys()


def test_the_same_person_gets_the_same_mark_and_another_another() -> None:
    text = "Mr Okonjo saw Dr Velazco. Mr Okonjo was born on 03/04/1950."
    assert replace(text, find_identifiers(text)) == (
        "Mr [NAME] saw Dr [NAME 2]. Mr [NAME] was born on [DATE]."
    )


def test_a_name_that_was_introduced_is_known_in_the_rest_of_the_note() -> None:
    text = "Patient: Isaura Quispe. Later Isaura was well. Quispe is her married name."
    assert "Isaura" not in replace(text, find_identifiers(text))
    assert "Quispe" not in replace(text, find_identifiers(text))


@pytest.mark.parametrize(
    "text",
    [
        "Blood pressure 128/76, pulse 72, saturation 98 % on air.",
        "Parkinson disease and Crohn disease, on Augmentin 875 mg.",
        "Aged 67, walks two miles. Potassium 4.5, creatinine 92.",
        "HISTORY OF PRESENT ILLNESS: cough for 3 weeks.",
        "Follow up in 6 weeks. Start lisinopril 10 mg.",
    ],
)
def test_clinical_words_and_numbers_are_left_in_peace(text: str) -> None:
    assert find_identifiers(text) == ()


def test_ages_are_identifiers_from_ninety_on() -> None:
    assert [one.kind for one in find_identifiers("a 93-year-old man")] == ["AGE"]
    assert find_identifiers("an 89-year-old man") == ()


def test_marks_do_not_overlap_and_say_what_stands_there() -> None:
    for note in own_notes(40, seed=3):
        last = 0
        for one in find_identifiers(note.text):
            start, end = one.span
            assert last <= start < end
            assert note.text[start:end] == one.text
            last = end


@pytest.mark.parametrize(
    "text", ["", "\ud800", "²", "Mr ", "Dr. ", "Patient:", "@", "::::"]
)
def test_odd_texts_raise_nothing(text: str) -> None:
    assert find_identifiers(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "A" * 100_000,
        "Aa " * 30_000,
        "Mr " * 30_000,
        "1-" * 50_000,
        "1.1." * 25_000,
        "a@" * 50_000,
        "a:" * 50_000,
        "patient, " * 11_000,
        "AB12 " * 20_000,
        "Aa, " * 25_000,
        "\u0141\u0142 " * 30_000,
        "Mr A\u0308a\u0308 " * 12_000,
        "\u00ad" * 100_000,
        "Aa-\nb " * 15_000,
    ],
    ids=lambda text: text[:8],
)
def test_a_hundred_thousand_hostile_characters_take_time_in_proportion(
    text: str,
) -> None:
    assert growth(find_identifiers, text) < IN_PROPORTION


@pytest.mark.parametrize(
    "question",
    [
        "What are the treatments for Atrial Fibrillation?",
        "What is Huntington disease?",
        "Treatment of Crohn's disease",
        "Is Lisinopril safe with Metformin?",
        "Can Acquired Cystic Kidney Disease be cured?",
    ],
)
def test_an_illness_or_a_drug_written_large_is_no_name(question: str) -> None:
    assert find_identifiers(question) == ()


def test_a_name_beside_an_illness_written_large_is_still_found() -> None:
    found = find_identifiers("Mrs Anna Keller has Atrial Fibrillation.")
    assert [one.text for one in found] == ["Anna Keller"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "Patient: Małgorzata Wójcik was seen by Dr Łukasz Kędzierski.",
            "Patient: [NAME] was seen by Dr [NAME 2].",
        ),
        ("Mr Nguyễn Văn Đức reports pain.", "Mr [NAME] reports pain."),
        ("Dr Ngô Văn Ý reports pain.", "Dr [NAME] reports pain."),
        ("Mrs İpek Çağlayan-Öztürk-Şahin is well.", "Mrs [NAME] is well."),
        ("Mr Дмитрий Иванов met Dr Ελένη Βασιλείου.", "Mr [NAME] met Dr [NAME 2]."),
        ("PATIENT: GISELA BÄRWALD", "PATIENT: [NAME]"),
        ("Patient: ANNA ŻÓŁKIEWSKA-ŁĄCKA", "Patient: [NAME]"),
        ("Mr Mu\u0308ller reports pain.", "Mr [NAME] reports pain."),
        ("Mr Mu\u0308ller saw MÜLLER again.", "Mr [NAME] saw [NAME] again."),
        ("Mr Mül\u00adler reports pain.", "Mr [NAME] reports pain."),
        ("Dr Kędzier-\nski reports pain.", "Dr [NAME] reports pain."),
        ("Mr\u00a0Müller reports pain.", "Mr\u00a0[NAME] reports pain."),
        ("Ms O\u2019Connor reports pain.", "Ms [NAME] reports pain."),
        ("Ms DeShawntra reports pain.", "Ms [NAME] reports pain."),
        ("Mr Wolfeschlegelsteinhausenbergerdorff is in.", "Mr [NAME] is in."),
        ("Mrs Çelik, then CELIK, then Celik.", "Mrs [NAME], then [NAME], then [NAME]."),
        ("Ms Okwuosa is in. okwuosa is well.", "Ms [NAME] is in. [NAME] is well."),
        ("Ms Rose Okwu saw a rose.", "Ms [NAME] saw a rose."),
        ("She lives in Łódź.", "She lives in [PLACE]."),
    ],
)
def test_no_letter_of_a_replaced_name_is_left(text: str, left: str) -> None:
    assert replace(text, find_identifiers(text)) == left


PLACES_OF_A_DRUG = (
    "| {} | 10 mg weekly |",
    "| Anna | {} |",
    "- {} 10 mg",
    "1) {} 10 mg",
    "Started by {} 10 mg.",
    "Patient: {} 10 mg, weekly",
    "Seen in the {} Clinic today.",
    "She takes {} in the morning.",
    "{}, Folate, daily",
    "Dr {}",
)


@pytest.mark.parametrize("where", PLACES_OF_A_DRUG)
def test_no_drug_of_the_table_is_ever_taken_for_a_name(where: str) -> None:
    for drug in drugs():
        for written in (drug.title(), drug.upper(), drug):
            text = where.format(written)
            assert written in replace(text, find_identifiers(text)), text


def test_the_name_beside_a_drug_is_replaced_and_the_drug_is_not() -> None:
    text = "Patient: Anna Keller Methotrexate 10 mg. Warfarin Jane Smith 3 mg."
    left = replace(text, find_identifiers(text))
    assert left == "Patient: [NAME] Methotrexate 10 mg. Warfarin [NAME 2] 3 mg."


def test_a_heading_in_a_cell_of_a_table_is_no_name() -> None:
    table = "| Ingredient | Amount |\n|---|---|\n| Folate | 5 mg |"
    assert find_identifiers(table) == ()
