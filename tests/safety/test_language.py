"""A text in another language than English is told; clinical English never is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from medassist.safety.language import is_foreign
from medassist.safety.language.english import tables
from tests.growth import IN_PROPORTION, growth
from tests.safety.test_cases import everything, joined_cases

FILE = Path(__file__).parent / "cases" / "languages.tsv"
LANGUAGES = ("de", "fr", "es", "it", "pt", "nl", "pl", "tr", "sv", "vi")
SETS = ("seen", "unseen")


@cache
def texts(which: str, *, english: bool) -> list[str]:
    rows = [
        line.split("\t")
        for line in FILE.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    return [
        text for kept, lang, text in rows if kept == which and (lang == "en") is english
    ]


def test_there_are_texts_enough_in_ten_languages_and_a_third_was_kept_back() -> None:
    rows = [line.split("\t") for line in FILE.read_text(encoding="utf-8").splitlines()]
    for language in LANGUAGES:
        own = [row[0] for row in rows if row[1:2] == [language]]
        assert len(own) == 20 and own.count("unseen") == 6
    assert sum(len(texts(one, english=True)) for one in SETS) >= 200


@pytest.mark.parametrize("which", SETS)
def test_texts_in_other_languages_are_told(which: str) -> None:
    foreign = texts(which, english=False)
    passed = [text for text in foreign if not is_foreign(text)]
    assert len(passed) <= 0.02 * len(foreign), passed


@pytest.mark.parametrize("which", SETS)
def test_clinical_english_is_left_in_peace(which: str) -> None:
    english = texts(which, english=True)
    disturbed = [text for text in english if is_foreign(text)]
    assert len(disturbed) <= 0.01 * len(english), disturbed


def test_the_cases_of_the_red_flags_are_english() -> None:
    assert [case.id for case in everything() if is_foreign(case.text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "Внезапная сильная боль в груди",
        "я не хочу жить",
        "Έντονος πόνος στο στήθος",
        "ألم شديد في الصدر",
        "כאב חזק בחזה",
        "胸痛 呼吸困难",
        "突然の激しい頭痛",
        "갑자기 가슴이 아파요",
        "सीने में तेज दर्द",
        "เจ็บหน้าอกรุนแรง",
        "Bolest na hrudi a dušnost od rána",
        "hirtelen mellkasi fájdalom és nehézlégzés",
        "äkillinen rintakipu ja hengenahdistus",
        "durere in piept si ameteala",
        "nyeri dada menjalar ke lengan kiri",
    ],
)
def test_other_scripts_and_other_languages_are_told_too(text: str) -> None:
    assert is_foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        "58M, lactate 8. Wife says: er will nicht mehr leben und hat Tabletten dabei",
        "Please translate this note.\nMi marido me pega y me amenaza todas las noches",
        "Mu\u0308ssen wir die Patientin heute noch in die Klinik bringen?",
    ],
)
def test_one_sentence_in_another_language_is_enough(text: str) -> None:
    assert is_foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5 mg",
        "?",
        "\ud800",
        "αβ T cells, β-blocker, 5 μg, ΔΨm",
        "Mr Дмитрий Иванов has chest pain and a cough since this morning",
        "See https://www.krankenhaus-der-stadt.de/die/patienten or mail arzt@klinik.de",
    ],
)
def test_signs_names_and_addresses_make_no_other_language(text: str) -> None:
    assert not is_foreign(text)


def test_the_tables_are_small_and_hold_no_word_twice() -> None:
    known = tables()
    assert 5_000 < len(known.english) < 20_000
    assert len(known.foreign) > 3_000
    assert {"chest", "pain", "metformin"} <= known.english
    assert not {"der", "mit", "von", "los", "che"} & known.english


@pytest.mark.parametrize(
    "text",
    ["a" * 100_000, "der " * 25_000, "a@" * 50_000, "\u4e00" * 100_000, "é." * 50_000],
    ids=lambda text: text[:8],
)
def test_a_hundred_thousand_hostile_characters_take_time_in_proportion(
    text: str,
) -> None:
    assert growth(is_foreign, text) < IN_PROPORTION


def test_a_long_case_takes_time_in_proportion() -> None:
    assert growth(is_foreign, joined_cases(160_000)) < IN_PROPORTION
