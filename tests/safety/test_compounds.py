"""Words that German puts together, read in their parts."""

from __future__ import annotations

import pytest

from medassist.safety.red_flags import find_red_flags
from medassist.safety.red_flags.compounds import Compounds
from medassist.safety.red_flags.rules import rules
from medassist.safety.red_flags.tokens import CLAUSE, tokens

HEADS, FIRSTS = ("schwellung", "schwache"), frozenset({"wade", "arm", "gesicht"})


def of(known: frozenset[str] = frozenset()) -> Compounds:
    return Compounds(HEADS, FIRSTS, lambda word, _: word in known, ("schwarz",))


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("wadenschwellung", ("wade", "schwellung")),
        ("gesichtsschwellung", ("gesicht", "schwellung")),
        ("armschwache", ("arm", "schwache")),
        ("anschwellung", ("anschwellung",)),
        ("schwellung", ("schwellung",)),
        ("kohlrabenschwarzen", ("schwarzen",)),
        ("schwarzen", ("schwarzen",)),
        ("konzentrationsschwache", ("konzentrationsschwache",)),
        ("arm", ("arm",)),
    ],
)
def test_a_word_is_parted_where_both_parts_are_of_the_rules(
    word: str, parts: tuple[str, ...]
) -> None:
    assert of().parts(word) == parts


def test_a_word_that_the_rules_know_whole_stays_whole() -> None:
    known = frozenset({"wadenschwellung"})
    assert of(known).parts("wadenschwellung") == ("wadenschwellung",)


def test_both_parts_have_the_place_of_the_whole_and_the_break_before_it() -> None:
    found = tokens("heute, Wadenschwellung links", "german", compounds=of())
    assert found.words == ["heute", "wade", "schwellung", "links"]
    assert found.starts[1] == found.starts[2] == 7
    assert found.ends[1] == found.ends[2] == 22
    assert found.breaks == [0, CLAUSE, 0, 0]


def test_german_alone_puts_words_together() -> None:
    assert rules("german").compounds is not None
    assert rules().compounds is rules("french").compounds is None


def test_the_whole_word_is_shown_where_one_of_its_parts_raised_a_flag() -> None:
    text = "Luftnot, Hustenblut, Unterschenkelschwellung links seit gestern"
    shown = {text[a:b] for flag in find_red_flags(text) for a, b in flag.spans}
    assert any("Unterschenkelschwellung" in words for words in shown)
