"""One danger in many sentences: in which of them it is the patient's, and now."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medassist.safety.red_flags import find_red_flags

FRAMES: dict[str, Any] = tomllib.loads(
    (Path(__file__).parent / "cases" / "frames.toml").read_text(encoding="utf-8")
)
ARTICLES = {"a", "an", "ein", "eine", "einen", "un", "une", "des", "una"}
MOST_DISTURBED = 0.03


def put_in(frame: str, danger: str) -> str:
    first, _, rest = danger.partition(" ")
    return frame.format(
        it=danger,
        It=danger[0].upper() + danger[1:],
        bare=rest if first in ARTICLES else danger,
    )


def texts(language: str, kind: str) -> Iterator[str]:
    for frame in FRAMES[language][kind]:
        for danger in FRAMES[language]["dangers"]:
            yield put_in(frame, danger)


@pytest.mark.parametrize("language", FRAMES)
def test_a_danger_that_somebody_has_now_is_raised(language: str) -> None:
    for danger in FRAMES[language]["dangers"]:
        assert find_red_flags(put_in(FRAMES[language]["said"], danger)), danger


@pytest.mark.parametrize("kind", ["denied", "over", "anothers", "in-general"])
@pytest.mark.parametrize("language", FRAMES)
def test_a_danger_that_nobody_has_now_is_not_raised(language: str, kind: str) -> None:
    said = list(texts(language, kind))
    disturbed = [text for text in said if find_red_flags(text)]
    assert len(disturbed) <= MOST_DISTURBED * len(said), disturbed


@pytest.mark.parametrize(
    "text",
    [
        "Chest pain: yes. Fever: no. Sweating: yes, BP 80/50, 60M",
        "I don't think it is the flu, he has crushing chest pain and is sweating",
        "This is a stroke, no? Her face drooped ten minutes ago",
        "C'est un AVC, non ? Sa bouche est tombée il y a dix minutes",
        "Es un ictus, ¿no? Se le ha torcido la boca hace diez minutos",
        "Can warfarin cause melaena? My mother has had black tarry stools since Monday",
        "crushing chest pain in my sister, she is sweating",
        "No trauma crushing chest pain and sweaty, 60M",
        "Kein Trauma, plötzlich Brustschmerzen mit Schweißausbruch",
    ],
)
def test_a_danger_beside_such_words_is_still_raised(text: str) -> None:
    assert find_red_flags(text)


@pytest.mark.parametrize(
    "text",
    [
        "Cardiac: No chest pain, orthopnea or syncope. Neuro: No weakness. 60M",
        "GI: No hematemesis or melena. CNS: No TIA. No seizure. 70F seen today",
        "Herz: Keine Brustschmerzen, keine Synkope. Pat. heute zur Kontrolle",
        "Cardio : pas de douleur thoracique ni syncope. Patient vu ce jour",
        "Cardio: no dolor torácico ni síncope. Paciente visto hoy",
    ],
)
def test_a_review_of_systems_denies_what_stands_behind_its_headings(text: str) -> None:
    assert not find_red_flags(text)


@pytest.mark.parametrize(
    "text",
    [
        "No signs or symptoms of crushing chest pain, dyspnoea or syncope",
        "Aucun signe ni symptôme d'AVC, de méningite ou d'embolie pulmonaire",
        "Keine Zeichen oder Symptome einer Sepsis, Meningitis oder Lungenembolie",
        "Sin signos ni síntomas de ictus, meningitis o embolia pulmonar",
        "ROS negative for haematemesis, melaena, syncope, suicidal ideation",
        "He isn't suicidal and doesn't want to hurt himself",
        "No quiere matarse ni morir",
        "golpe de calor no, solo la piel roja del sol",
        "Hitzschlag nein, nur ein Sonnenbrand",
        "chest pain no, breathless no, he sweats in the sauna",
        "heart attack on a plate, they call it",
        "The GP has written a letter about her tablets",
        "escribí una carta al médico por mis pastillas",
    ],
)
def test_what_is_denied_in_lists_or_behind_the_finding_is_not_raised(
    text: str,
) -> None:
    assert find_red_flags(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "No signs or symptoms of a cold but he has crushing chest pain and is sweating",
        "He was offered morphine for his crushing chest pain, sweating, and said no",
        "I do not want to live any more",
        "douleur dans le dos comme si ça se déchirait",
        "chest pain even if he rests, sweating",
        "it feels as if my chest is being ripped apart",
        "ROS negative for cough. Crushing chest pain since nine, sweating",
    ],
)
def test_a_danger_beside_a_list_a_comparison_or_a_refusal_is_raised(text: str) -> None:
    assert find_red_flags(text)
