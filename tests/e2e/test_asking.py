from __future__ import annotations

import hashlib

from medassist.starter import small_pair
from tests.e2e.conftest import StartTerminal
from tests.tiny_models import TinyPair


def test_a_question_is_typed_and_answered_twice_and_so_is_the_next(
    consult: StartTerminal,
) -> None:
    shown = consult()
    shown.until_ready()
    shown.ask("What is anaemia?")
    screen = shown.until_answered()
    assert screen.count("What is anaemia?") == 2
    assert "OFFLINE" in screen and "not saved" in screen
    shown.ask("And asthma?")
    shown.until(lambda screen: screen.count("And asthma?") == 2)
    shown.until_answered()


def test_the_starter_pair_answers_a_question_in_both_panes(
    starts: StartTerminal,
) -> None:
    shown = starts()
    shown.until_ready()
    shown.ask("What is asthma?")
    screen = " ".join(shown.until_answered().split())
    assert screen.count("What is asthma?") == 2
    assert "not for clinical use" in screen
    shown.press("C-q")
    shown.until(lambda screen: "Quit?" in screen)
    shown.press("C-q")
    assert "left with 0" in shown.until_left()


def test_the_details_name_the_starters_files_and_that_they_are_those_shipped(
    starts: StartTerminal,
) -> None:
    shown = starts()
    shown.until_ready()
    shown.ask("What is asthma?")
    shown.until_answered()
    shown.press("F10")
    screen = shown.until(lambda screen: screen.count("as shipped with the program") > 2)
    assert "computing" not in screen
    pair = small_pair()
    for file in (pair.base, pair.adapter):
        digits = hashlib.sha256(file.read_bytes()).hexdigest()
        assert digits[:32] in screen  # the rest may be on the next line


def test_a_question_longer_than_the_context_is_refused_in_numbers(
    starts: StartTerminal, pair: TinyPair
) -> None:
    shown = starts("--base", pair.base, "--context", "128")
    shown.until_ready(panes=1)
    shown.ask("fever and cough " * 40)
    shown.until(lambda screen: "would be asked with" in screen)
    shown.press("Enter")
    shown.until(lambda screen: "would be asked with" not in screen)
    assert "fever and cough" in shown.screen
