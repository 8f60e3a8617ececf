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
