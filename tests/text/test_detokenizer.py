from __future__ import annotations

import itertools

import pytest

from medassist.text.detokenizer import Detokenizer


def test_a_character_split_over_tokens_is_shown_whole() -> None:
    text = Detokenizer()
    data = "37 °C 🩺".encode()
    shown = [text.push(bytes([b])) for b in data]
    assert "\ufffd" not in "".join(shown)
    assert "".join(shown) == text.text == "37 °C 🩺"


def test_half_a_character_at_the_end_is_left_out() -> None:
    text = Detokenizer()
    assert text.push("a🩺".encode()[:-1]) == "a"
    assert text.finish() == ""
    assert text.text == "a"


@pytest.mark.parametrize("cut", itertools.product((0, 1), repeat=7))
def test_a_stop_string_is_never_shown_however_it_is_split(cut: tuple[int, ...]) -> None:
    pieces = [""]
    for letter, new in zip("yes<end", (*cut,), strict=True):
        if new:
            pieces.append("")
        pieces[-1] += letter
    text = Detokenizer(("<end>",))
    shown = "".join(text.push(p.encode()) for p in pieces)
    assert shown == "yes"
    assert text.push(b">no") == ""
    assert text.stopped
    assert text.finish() == ""


def test_what_only_looked_like_a_stop_string_is_shown() -> None:
    text = Detokenizer(("<end>", "\nQuestion:"))
    assert text.push(b"a<en") == "a"
    assert text.push(b"emy") == "<enemy"
    assert text.push(b"\nQ") == ""
    assert text.finish() == "\nQ"
    assert text.text == "a<enemy\nQ"


def test_white_space_before_a_stop_string_goes_with_it_and_stays_elsewhere() -> None:
    text = Detokenizer(("\nUser:",))
    shown = [text.push(p) for p in (b"One.", b"\n", b"\nTwo. ", b"\n", b"\nUser", b":")]
    assert "".join(shown) == text.text == "One.\n\nTwo."
    rest = Detokenizer(("\nUser:",))
    assert rest.push(b"One. \n") + rest.finish() == "One. \n"


@pytest.mark.parametrize(
    ("said", "shown"),
    [("Yes.\n### End", "Yes."), ("Yes.\n### Endocrine", "Yes.\n### Endocrine")],
)
def test_a_stop_string_of_a_whole_line_ends_with_the_answer_too(
    said: str, shown: str
) -> None:
    text = Detokenizer(("\n### End\n",))
    assert text.push(said.encode()) + text.finish() == shown
