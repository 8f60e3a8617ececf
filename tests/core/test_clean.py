from __future__ import annotations

import itertools
import random

import pytest

from medassist.core.clean import LONGEST_SEQUENCE, Cleaner, clean, clean_line
from tests.core.nasty import CONTROL, MARKUP
from tests.growth import IN_PROPORTION, growth


def streamed(pieces: list[str]) -> str:
    cleaner = Cleaner()
    return "".join(cleaner.push(piece) for piece in pieces) + cleaner.finish()


def obeyed_by_a_terminal(text: str) -> set[str]:
    return {
        character
        for character in text
        if (ord(character) < 0x20 and character not in "\n\t")
        or 0x7F <= ord(character) <= 0x9F
        or 0xD800 <= ord(character) <= 0xDFFF
        or "\u202a" <= character <= "\u202e"
        or "\u2066" <= character <= "\u2069"
    }


@pytest.mark.parametrize("name", CONTROL)
def test_a_reader_sees_the_text_and_nothing_that_a_terminal_obeys(name: str) -> None:
    text, seen = CONTROL[name]
    assert clean(text) == seen
    assert not obeyed_by_a_terminal(clean(text))


@pytest.mark.parametrize("name", CONTROL)
def test_wherever_the_text_is_split_in_three_the_result_is_the_same(name: str) -> None:
    text, seen = CONTROL[name]
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            pieces = [text[:first], text[first:second], text[second:]]
            assert streamed(pieces) == seen


@pytest.mark.parametrize("name", CONTROL)
def test_character_by_character_the_result_is_the_same(name: str) -> None:
    text, seen = CONTROL[name]
    assert streamed(list(text)) == seen


@pytest.mark.parametrize("name", MARKUP)
def test_markup_is_left_as_it_was_written_but_for_control_bytes(name: str) -> None:
    text = MARKUP[name]
    assert clean(text) == text.replace("\x07", "")


def test_random_mixtures_hold_nothing_obeyed_and_do_not_depend_on_the_split() -> None:
    chance = random.Random(7)
    alphabet = [text for text, _ in CONTROL.values() if text] + list(
        "\x1b[]P_^X\\\x07\x9b\x9c\x9d;0mab \r\n\ud83d\ude00\u202e"
    )
    for _ in range(300):
        text = "".join(chance.choices(alphabet, k=chance.randint(1, 12)))
        cuts = sorted(chance.choices(range(len(text) + 1), k=4))
        edges = [0, *cuts, len(text)]
        pieces = [text[a:b] for a, b in itertools.pairwise(edges)]
        whole = clean(text)
        assert streamed(pieces) == whole
        assert not obeyed_by_a_terminal(whole)
        whole.encode()


def test_cleaning_what_is_clean_changes_nothing() -> None:
    for text, seen in CONTROL.values():
        assert clean(clean(text)) == seen


def test_an_opening_that_is_never_closed_does_not_swallow_the_rest() -> None:
    rest = "x" * (3 * LONGEST_SEQUENCE)
    shown = clean("\x1b]" + rest)
    assert len(shown) >= len(rest) - LONGEST_SEQUENCE - 1
    assert set(shown) == {"x"}


def test_a_cleaner_starts_afresh_after_the_end_of_a_text() -> None:
    cleaner = Cleaner()
    assert cleaner.push("a\x1b]0;") == "a"
    assert cleaner.finish() == ""
    assert cleaner.push("b") == "b"


def test_a_name_comes_out_on_one_line() -> None:
    assert clean_line(" My\x1b[31m\r\nmodel\t1 ") == "My model 1"


def test_a_long_text_is_cleaned_in_time_in_proportion() -> None:
    text = "The patient has had a fever for three days. " * 23_000
    assert clean(text) == text
    assert growth(clean, text) < IN_PROPORTION
