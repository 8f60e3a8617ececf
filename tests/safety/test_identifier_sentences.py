"""Identifiers in four languages and of many cultures: how many, and which are none."""

from __future__ import annotations

from collections import Counter

import pytest

from medassist.safety.identifiers import KINDS, find_identifiers, replace
from tests.safety.identifier_notes import score
from tests.safety.identifier_sentences import FOLDER, LANGUAGES, sentences

STRUCTURED, NAMES, PLACES, PRECISION = 0.95, 0.9, 0.8, 0.9


@pytest.mark.parametrize("language", LANGUAGES)
def test_identifiers_of_four_languages_are_found(language: str) -> None:
    total = score(sentences(language))
    assert total.recall(total.structured) >= STRUCTURED, total.missed
    assert total.recall({"NAME"}) >= NAMES, total.missed
    assert total.recall({"PLACE"}) >= PLACES, total.missed
    assert total.marked_right / total.marked >= PRECISION, total.wrong


@pytest.mark.parametrize("written", ["later", "open"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_identifiers_that_were_written_to_break_the_rules_are_found(
    language: str, written: str
) -> None:
    total = score(sentences(language, folder=FOLDER / written))
    assert total.recall(total.structured) >= STRUCTURED, total.missed
    assert total.recall({"NAME"}) >= NAMES, total.missed
    assert total.recall({"PLACE"}) >= PLACES, total.missed
    assert total.marked_right / total.marked >= PRECISION, total.wrong


def test_every_kind_stands_in_the_sentences() -> None:
    planted = Counter(
        one.kind
        for language in LANGUAGES
        for note in sentences(language)
        for one in note.planted
    )
    assert planted.keys() == KINDS.keys()
    assert sum(planted.values()) > 300


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Born 18APR49.", "Born [DATE]."),
        ("Review 11/28 please", "Review [DATE] please"),
        ("geb. 27. Dezember 1994", "geb. [DATE]"),
        ("née le 11 juin 1978", "née le [DATE]"),
        ("elle arrive le 9 mai", "elle arrive le [DATE]"),
        ("Visite du 06/11.", "Visite du [DATE]."),
        ("nacida el 25 de julio de 1934", "nacida el [DATE]"),
        ("Tues 24/2: wound check", "[DATE]: wound check"),
        ("Stent Jan-22.", "Stent [DATE]."),
        ("Call 1-241-555-3812.", "Call [PHONE]."),
        ("Home +44 (0)20 7946 0148", "Home [PHONE]"),
        ("Tel. 030 / 23125 886", "Tel. [PHONE]"),
        ("Portable : +33 6 39 98 12 47", "Portable : [PHONE]"),
        ("Her line: 512 345 678", "Her line: [PHONE]"),
        ("Bleep 4471 if worse", "Bleep [PHONE] if worse"),
        ("97F lives alone", "[AGE] lives alone"),
        ("Age: 95", "Age: [AGE]"),
        ("She turned 101.", "She turned [AGE]."),
        ("a ninety-four years old man", "a [AGE] man"),
        ("eine 93-jährige Frau", "eine [AGE] Frau"),
        ("elle a quatre-vingt-douze ans", "elle a [AGE]"),
        ("film DSC_1527.JPG", "film [PHOTO]"),
        ("from 2001:db8::8a2e:370:7334", "from [IP]"),
        ("mail sean.o'neill+gp@example.ie", "mail [EMAIL]"),
        ("mail k.lind (at) example.se", "mail [EMAIL]"),
        ("see example.org/patients/jd", "see [URL]"),
        ("card 4902 0028 9540 6591", "card [ACCOUNT]"),
        ("IBAN DE59 8586 7159 0972 3536 88", "IBAN [ACCOUNT]"),
        ("DL W388-0499-7385", "DL [LICENCE]"),
        ("Licence no. SM 827301", "Licence no. [LICENCE]"),
        ("MBI 1EG4-TE5-MK73", "MBI [PLAN]"),
        ("NI number QQ 12 34 56 C", "NI number [SSN]"),
        ("DNI 12345678Z", "DNI [SSN]"),
        ("AHV 756.9217.0769.85", "AHV [SSN]"),
        ("lot# 0395D48", "lot# [DEVICE]"),
        ("plate XWV 9266", "plate [VEHICLE]"),
        ("NIN 70123456789, seen", "NIN [SSN], seen"),
        ("trae historia 448120", "trae historia [RECORD]"),
        ("Histology H24/39296", "Histology [CODE]"),
        ("Versichertennummer A123456780", "Versichertennummer [PLAN]"),
        ("N° de dossier 20190044", "N° de dossier [RECORD]"),
        ("at 42nd St Apt 5B, New York, NY 10036", "at [PLACE]"),
        ("Lindenstraße 14, 72074 Tübingen", "[PLACE]"),
        ("12 bis rue des Lilas, 59100 Roubaix", "[PLACE]"),
        ("Calle de los Olmos 14, 28013 Madrid", "[PLACE]"),
        ("Unit 6, 22 Wattle Crescent, Brunswick VIC 3056", "[PLACE]"),
    ],
)
def test_forms_of_many_countries_are_replaced_whole(text: str, left: str) -> None:
    assert replace(text, find_identifiers(text)) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Patient name - Madhubala", "Patient name - [NAME]"),
        ("Name: R. K. Pillai", "Name: [NAME]"),
        ("NOK: Tshepo Mokoena (son).", "NOK: [NAME] (son)."),
        ("Sra. Remedios Ibarra", "Sra. [NAME]"),
        ("Herr Kollege Nottebohm", "Herr Kollege [NAME]"),
        ("par le docteur Le Goff", "par le docteur [NAME]"),
        ("Spoke with Mrs. de Vries.", "Spoke with Mrs. [NAME]."),
        ("son Yousef el-Masri", "son [NAME]"),
        ("Abdulrahman bin Khalid al-Otaibi denies it", "[NAME] denies it"),
        ("María de la Luz Ibáñez y Torralba fell", "[NAME] fell"),
        ("cc Dr Siân ap Gruffydd", "cc Dr [NAME]"),
        ("spoke to mrs fotheringay today", "spoke to mrs [NAME] today"),
        ("my name is imelda castroverde", "my name is [NAME]"),
        ("HÖLLERER, WALTRAUD - bed 12", "[NAME] - bed 12"),
        ("DE LA CRUZ, JUANITA ADMITTED", "[NAME] ADMITTED"),
        ("Daughter 王秀英 signed", "Daughter [NAME] signed"),
        ("The patient محمد الحربي left", "The patient [NAME] left"),
        ("Jean-Baptiste slept well", "[NAME] slept well"),
        ("Mehmet hat wieder Schmerzen", "[NAME] hat wieder Schmerzen"),
        (
            "Der Befund liegt bei Sevgi am Empfang",
            "Der Befund liegt bei [NAME] am Empfang",
        ),
        ("Arjun dort mieux la nuit", "[NAME] dort mieux la nuit"),
        ("Sunita toma la pastilla", "[NAME] toma la pastilla"),
        ("pt kowalczyk dna clinic", "pt [NAME] dna clinic"),
        ("pt wojciechowska dna clinic", "pt [NAME] dna clinic"),
        ("Hablé con Ibrahim El Khatib", "Hablé con [NAME]"),
    ],
)
def test_names_are_found_however_they_are_written(text: str, left: str) -> None:
    assert replace(text, find_identifiers(text)) == left


@pytest.mark.parametrize(
    "text",
    [
        "Parkinson's disease; Babinski negative; Foley catheter in place.",
        "Positive Murphy sign, negative McBurney and Rovsing signs.",
        "Morbus Crohn, Hashimoto-Thyreoiditis, Lasègue negativ.",
        "Maladie de Crohn, syndrome de Guillain-Barré.",
        "Enfermedad de Parkinson, escala de Glasgow 15.",
        "Started on Keppra, Lamictal and Epilim.",
        "| Drug | Dose | | Humira | 40 mg | | Sintrom | 4 mg |",
        "Drug name: Entresto 24/26 mg BID.",
        "Na 138, K 4.1, Cl 102, Glucose 95, HDL 52, TG 97",
        "BP 128/76, pain 7/10 on 2/3 readings, Apgar 9/10/10, GCS 15/15.",
        "ICD-10 E11.9, SNOMED 44054006, NCT01234567, rs4244285.",
        "HR 95, temp 97 F, 92 % on air, insulin 4-6-4 units.",
        "Bei der Patientin besteht keine Auffälligkeit im Abdomen.",
        "Vorstellung in der Ambulanz, Kontrolle der Medikation.",
        "Handover: bed 4, Redivac empty.",
        "Übergabe Zimmer 12: Z. n. Appendektomie, Fäden ziehen.",
        "Kirschner-Drähte liegen gut, Schanz-Krawatte, Braunüle links.",
        "Signe de Lasègue positif à 40°, Léri négatif.",
        "Relais Xarelto par Lovenox, arrêt Kardegic, reprise Bisoce et Tahor.",
        "Sonda de Foley, agujas de Kirschner.",
        "Chagas descartado; pauta con Claritromicina.",
    ],
)
def test_eponyms_medicines_and_results_are_left_in_peace(text: str) -> None:
    assert find_identifiers(text) == ()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("756.9217.0769.85", "SSN"),
        ("GB29 NWBK 6016 1331 9268 19", "ACCOUNT"),
        ("4111 1111 1111 1111", "ACCOUNT"),
        ("943 476 5919", "RECORD"),
        ("2341 2341 2346", "SSN"),
    ],
)
def test_check_digits_tell_a_number_that_nothing_announces(
    number: str, kind: str
) -> None:
    (found,) = find_identifiers(f"It says {number} there")
    assert (found.kind, found.text, found.sure) == (kind, number, True)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        # Of Germany, Austria, Switzerland.
        ("Die Patientin A123456780 hat Husten", "Die Patientin [PLAN] hat Husten"),
        ("KVNR A123456780, Kontrolle", "KVNR [PLAN], Kontrolle"),
        ("RVNR 65 170839 J 008 liegt vor", "RVNR [SSN] liegt vor"),
        ("Pat. 1237 010180 klagt", "Pat. [SSN] klagt"),
        ("AHV-Nr. 756.9217.0769.85 fehlt", "AHV-Nr. [SSN] fehlt"),
        # Of France, Belgium, Quebec.
        ("le patient 1 85 05 78 006 084 91 vu", "le patient [SSN] vu"),
        ("Patient 85073003328 vu", "Patient [SSN] vu"),
        ("85.07.30-033.28 vu ce jour", "[SSN] vu ce jour"),
        ("Patiente TREM 6255 1812 vue", "Patiente [PLAN] vue"),
        # Of Spain, Chile, Argentina.
        ("paciente 54362315K con tos", "paciente [SSN] con tos"),
        ("NUSS 28/12345678/40, acude", "NUSS [SSN], acude"),
        ("paciente 281234567840 acude", "paciente [SSN] acude"),
        ("paciente MASA 1 850730 001 acude", "paciente [PLAN] acude"),
        ("paciente BBBBBBBBQW548765 acude", "paciente [PLAN] acude"),
        ("paciente 12.531.909-2 con tos", "paciente [SSN] con tos"),
        ("paciente 12531909-2 con tos", "paciente [SSN] con tos"),
        ("paciente 7.000.013-k con tos", "paciente [SSN] con tos"),
        ("paciente 20-05536168-2 con tos", "paciente [SSN] con tos"),
    ],
)
def test_a_national_number_is_known_without_a_word_before_it(
    text: str, left: str
) -> None:
    assert replace(text, find_identifiers(text)) == left


@pytest.mark.parametrize(
    "text",
    [
        "A123456781",
        "12.531.909-3",
        "20-05536168-3",
        "85.07.30-033.29",
        "28/12345678/41",
    ],
)
def test_a_number_whose_check_digit_is_wrong_is_none_of_a_state(text: str) -> None:
    found = find_identifiers(f"paciente {text} con tos")
    assert {mark.kind for mark in found} <= {"CODE", "PHONE"}


@pytest.mark.parametrize(
    "address",
    [
        "Bergstrasse 12a, CH-8001 Zürich",
        "Mozartgasse 7/2/14, 1040 Wien",
        "Straße des 17. Juni 135, 10623 Berlin",
        "Unter den Linden 5, 10117 Berlin",
        "Am Alten Markt 3, 50667 Köln",
        "14 bis, avenue Jean-Jaurès, 75019 Paris",
        "rue de la Loi 16, 1000 Bruxelles",
        "Chemin du Lac 8, 1003 Lausanne",
        "4567, rue Saint-Denis, Montréal (Québec) H2J 2L2",
        "C/ Mayor, 4, 3º B, 28013 Madrid",
        "Av. Corrientes 1234",
        "Carrera 7 No. 72-41, Bogotá",
        "Jr. de la Unión 300, Lima",
    ],
)
def test_an_address_of_three_languages_is_replaced_whole(address: str) -> None:
    for text in (f"{address}.", f"- {address}\n"):
        assert replace(text, find_identifiers(text)).strip("-. \n") == "[PLACE]"
