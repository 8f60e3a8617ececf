"""A text as its reader sees it, and where each letter stands in the original."""

from __future__ import annotations

import pytest

from medassist.safety.letters import folded, has_ended_line, plain, shape


@pytest.mark.parametrize(
    ("stored", "seen"),
    [
        ("plain text, 5 mg", "plain text, 5 mg"),
        ("Mu\u0308ller", "Müller"),
        ("Mül\u00adler", "Müller"),
        ("\ufb01brillation", "fibrillation"),
        ("o\ufb00ensive dia\ufb03cult", "offensive diafficult"),
        ("\uff23\uff48\uff45\uff53\uff54", "Chest"),
        ("chest\u00a0pain", "chest pain"),
        ("fore-\narm", "forearm"),
        ("fore-  \r\n  arm", "forearm"),
        ("Anna-\nMaria", "Anna-\nMaria"),
        ("5-\n10 mg", "5-\n10 mg"),
        ("non\u2011blanching", "non-blanching"),
        ("½ µg ² 37 ºC", "½ µg ² 37 ºC"),
        ("", ""),
        ("\ud800", "\ud800"),
    ],
)
def test_a_text_is_what_its_reader_sees(stored: str, seen: str) -> None:
    assert plain(stored).text == seen


def test_every_word_is_found_in_the_original() -> None:
    stored = "Mu\u0308ller has \ufb01brilla-\ntion now"
    found = plain(stored)
    for word, there in (
        ("Müller", "Mu\u0308ller"),
        ("fibrillation", "\ufb01brilla-\ntion"),
        ("now", "now"),
    ):
        at = found.text.index(word)
        start, end = found.span(at, at + len(word))
        assert stored[start:end] == there


def test_the_hyphen_stays_where_that_is_asked_for() -> None:
    assert has_ended_line("well-\nknown")
    assert not has_ended_line("a list:\n- one\n- two")
    assert plain("well-\nknown", join_lines=False).text == "well-known"


def test_the_shape_has_the_length_of_the_text_and_latin_letters() -> None:
    text = "Łódź, Đức, Иван, Ελένη 5 mg"
    assert len(shape(text)) == len(text)
    assert shape(text)[0].isupper() and shape("ł").islower()
    assert max(shape(text)) <= "\u00ff"


@pytest.mark.parametrize(
    ("written", "typed"),
    [("ŁÓDŹ", "lodz"), ("Đức", "duc"), ("œdème", "oedeme"), ("İpek", "ipek")],
)
def test_a_word_is_the_same_without_its_marks(written: str, typed: str) -> None:
    assert folded(written) == folded(typed) == typed
