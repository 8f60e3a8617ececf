"""Red flags: what is raised, what stays silent, and what no text can do to them."""

from __future__ import annotations

import random
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict

from medassist.safety.red_flags import find_red_flags
from medassist.safety.red_flags.conversation import raised_by
from medassist.safety.red_flags.rules import FOLDER, rules
from tests.growth import IN_PROPORTION, growth
from tests.safety.test_cases import SEEN, UNSEEN, Case, cases, flags, joined_cases

BARE_WORDS = SEEN.with_name("bare_words.jsonl")


class BareWord(BaseModel):
    """A line of bare_words.jsonl."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    set: Literal["seen", "unseen", "later"]
    text: str
    flags: list[str]


@cache
def bare_words(which: str) -> list[BareWord]:
    lines = BARE_WORDS.read_text(encoding="utf-8").splitlines()
    rows = [BareWord.model_validate_json(line) for line in lines]
    return [row for row in rows if row.set == which]


PANELS = {
    "suicidal-intent",
    "self-harm",
    "homicidal-intent",
    "acute-psychosis",
    "abuse-at-home",
    "non-accidental-injury",
}


def found(text: str) -> set[str]:
    return {flag.id for flag in find_red_flags(text)}


@pytest.mark.parametrize("file", [SEEN, UNSEEN], ids=["seen", "unseen"])
def test_no_danger_of_the_cases_is_missed(file: Path) -> None:
    missed = {
        case.id: lost
        for case in cases(file)
        if (lost := set(case.flags) - found(case.text))
    }
    assert missed == {}


@pytest.mark.parametrize("file", [SEEN, UNSEEN], ids=["seen", "unseen"])
def test_at_most_one_silent_text_in_twenty_is_disturbed(file: Path) -> None:
    silent = [case for case in cases(file) if not case.flags]
    disturbed = [case.id for case in silent if found(case.text)]
    assert len(disturbed) <= 0.05 * len(silent), disturbed


def test_every_flag_that_the_cases_speak_of_has_a_rule_in_its_field() -> None:
    known = {rule.id: rule.field for rule in rules().flags}
    assert known == {name: flag.field for name, flag in flags().items()}


def test_every_rule_says_what_it_stands_on_and_claims_no_page_that_was_not_read() -> (
    None
):
    # Where a page was read its address is named; else that none was.
    read = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+/\S{3,}")
    for rule in rules().flags:
        honest = rule.source.startswith("no source was opened")
        assert honest or read.search(rule.source), rule.id


def test_no_fixed_text_gives_a_number_to_call() -> None:
    for rule in rules().flags:
        assert not re.search(r"\d{3}[ -]?\d{3,}|\b(?:999|911|112|988|116)\b", rule.text)


def test_the_texts_remind_and_do_not_triage() -> None:
    for rule in rules().flags:
        assert "you have" not in rule.text.lower(), rule.id
        assert rule.id in PANELS or rule.text.startswith("Reminder:"), rule.id


def test_panels_stand_for_self_harm_harm_to_others_and_abuse() -> None:
    assert {rule.id for rule in rules().flags if rule.panel} == PANELS


def test_a_panel_says_that_the_question_is_answered_all_the_same() -> None:
    for rule in rules().flags:
        if rule.panel and rule.field == "psychiatry":
            assert "question is answered" in rule.text, rule.id


def test_a_question_about_risk_can_never_be_blocked() -> None:
    # There is nothing in what is found that could stop a question.
    for case in (*cases(SEEN), *cases(UNSEEN)):
        if case.block is False:
            assert all(not hasattr(flag, "block") for flag in find_red_flags(case.text))


def test_the_words_that_raised_a_flag_can_be_shown() -> None:
    text = "Any tips? 60M, crushing chest pain since 10am, sweaty."
    (flag,) = find_red_flags(text)
    words = [text[a:b] for a, b in flag.spans]
    assert "crushing chest pain" in " ".join(words)
    assert all(a < b for a, b in flag.spans)
    assert list(flag.spans) == sorted(flag.spans)


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("52M crushing chest pain, sweaty", True),
        ("52M, no chest pain, no sweating", False),
        ("52M denies chest pain, sweating, nausea or jaw ache", False),
        ("52M without chest pain or sweating", False),
        ("52M w/o chest pain", False),
        ("no fever, but crushing chest pain and sweaty, 52M", True),
        ("no cough however he has crushing chest pain, sweaty", True),
        ("No fever. Crushing chest pain, he is sweaty.", True),
        ("not relieved by rest, he has crushing chest pain, sweaty", True),
        ("52M MI in 2009, well", False),
        ("52M MI in 2009; now crushing chest pain, sweaty", True),
        ("his father had a heart attack, he is well", False),
        ("my father has crushing chest pain and is grey and sweaty", True),
        ("STEMI was ruled out, 52M", False),
        ("STEMI is not ruled out, 52M, sweaty, crushing chest pain", True),
        ("Write an exam question on a man with crushing chest pain, sweaty", False),
        ("revising tonight but right now i have crushing chest pain, sweaty", True),
        ("crushing chest presure, swaety and gray, 52M", True),
    ],
)
def test_what_is_denied_past_another_persons_or_supposed_is_told_apart(
    text: str, raised: bool
) -> None:
    assert ("acute-coronary-syndrome" in found(text)) is raised


@pytest.mark.parametrize(
    "text",
    [
        "32 weeks pregnant, blood pressure 120/80, blood tests normal",
        "8 weeks pregnant, blood pressure 110/70, which vitamins?",
        "70M with type 2 diabetes, bp 130/80",
    ],
)
def test_a_blood_pressure_is_neither_blood_nor_a_low_pressure(text: str) -> None:
    assert find_red_flags(text) == ()


def test_the_most_urgent_flag_comes_first() -> None:
    text = "Testis torsion? Sudden testicular pain. And 60M crushing chest pain, sweaty"
    flags = find_red_flags(text)
    assert [flag.urgency for flag in flags] == ["minutes", "hours"]
    assert flags[0].id == "acute-coronary-syndrome"
    for many in (flags, find_red_flags(joined_cases(20_000))):
        ranks = [flag.rank for flag in many]
        assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "?", "...", "²³", "٣٤", "\ud800", "'", "w/o"]
)
def test_odd_texts_raise_nothing(text: str) -> None:
    assert find_red_flags(text) == ()


def test_no_text_makes_it_fail() -> None:
    chance = random.Random(6)
    pieces = [
        *"abc 0123456789.,;:?!/-+'\n\t²½٣é\u202e\U0001f600",
        "chest",
        " pain ",
        "no ",
    ]
    for _ in range(300):
        find_red_flags("".join(chance.choices(pieces, k=chance.randint(1, 200))))


def test_a_danger_told_over_two_questions_is_put_together() -> None:
    first = "My patient is 32 weeks pregnant; is it safe for her to fly?"
    assert raised_by(first) == ()
    (raised,) = raised_by("Now she has a headache and bp 150/95.", [first])
    assert raised.flag.id == "pre-eclampsia"
    assert not raised.alone
    assert {"pregnant", "headache"} <= set(raised.words)


def test_what_an_earlier_question_raised_by_itself_is_not_raised_by_the_next() -> None:
    first = "52M crushing chest pain, sweaty"
    assert raised_by(first)
    assert raised_by("Thanks. What is the usual dose of atorvastatin?", [first]) == ()


def test_earlier_questions_never_take_a_flag_away() -> None:
    first = "Write an exam question for my students on migraine."
    (raised,) = raised_by("52M crushing chest pain, sweaty", [first])
    assert raised.flag.id == "acute-coronary-syndrome" and raised.alone


@pytest.mark.parametrize(
    "text",
    [
        "chest " * 17_000,
        "no " * 33_000,
        "pain,chest " * 9_000,
        "9 " * 50_000,
        "a" * 100_000,
        "k 6 " * 25_000,
        "cant feel my " * 7_500,
        "?" * 100_000,
        "if mother had " * 7_000,
        "in 2010 " * 12_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_hundred_thousand_hostile_characters_take_time_in_proportion(
    text: str,
) -> None:
    assert growth(find_red_flags, text) < IN_PROPORTION


def test_a_long_case_takes_time_in_proportion() -> None:
    assert growth(find_red_flags, joined_cases(160_000)) < IN_PROPORTION


def test_the_rules_are_files_that_anybody_can_read() -> None:
    for file in FOLDER.glob("*.toml"):
        assert tomllib.loads(file.read_text(encoding="utf-8"))


@cache
def _patients() -> list[Case]:
    return [case for case in cases(SEEN) if case.flags]


def test_a_flag_survives_whatever_an_answer_would_add() -> None:
    # What models write is never in the text that is looked at; and even if a reader
    # pastes it below the story, the story's flags stay.
    after = " There is nothing to worry about here. Reassure and discharge."
    for case in _patients()[:60]:
        assert set(case.flags) <= found(case.text + after), case.id


@pytest.mark.parametrize("which", ["seen", "unseen"])
def test_a_word_that_means_something_else_raises_nothing(which: str) -> None:
    silent = [row.text for row in bare_words(which) if not row.flags]
    disturbed = {text: found(text) for text in silent if found(text)}
    assert len(silent) > 40
    assert len(disturbed) <= 0.05 * len(silent), disturbed


@pytest.mark.parametrize("which", ["seen", "unseen", "later"])
def test_the_dangers_beside_those_words_are_still_raised(which: str) -> None:
    rows = [row for row in bare_words(which) if row.flags]
    missed = {r.text: lost for r in rows if (lost := set(r.flags) - found(r.text))}
    assert len(rows) > 20
    assert missed == {}


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("forearm pain out of proportion, purple bullae", "necrotising-fasciitis"),
        ("fore-\narm pain out of proportion, purple bullae", "necrotising-fasciitis"),
        (
            "fore\u00adarm pain out of proportion, purple bullae",
            "necrotising-fasciitis",
        ),
        ("\u0153dema of the tongue, stridor after penicillin", "anaphylaxis"),
        ("swollen tongue, wheeze, h\u00e6moptysis after prawns", "anaphylaxis"),
        ("60M atrial \ufb01brillation, cold leg, pulseless", "acute-limb-ischaemia"),
        ("Guillain-Barre\u0301, FVC falling, 40M", "guillain-barre"),
        ("day 3 post-\noperative, calf swollen, breathless", "pulmonary-embolism"),
        ("60M crushing chest\u00a0pain, sweaty", "acute-coronary-syndrome"),
    ],
)
def test_a_word_is_known_however_it_is_stored(text: str, flag: str) -> None:
    assert flag in found(text)


def test_the_words_that_raised_a_flag_are_those_of_the_original() -> None:
    text = "60M: crush-\ning chest\u00a0pain, sweaty"
    (flag,) = find_red_flags(text)
    words = [text[a:b] for a, b in flag.spans]
    assert "crush-\ning" in words[0] and "pain" in " ".join(words)


@pytest.mark.parametrize(
    "text",
    [
        "Which blood pressure monitor should my patient buy?",
        "vomited once, blood tests normal, 40M",
        "My patient has gone to the laboratories for tests, nothing else.",
        "She elected to go home, ejection fraction 55 %, 70F.",
        "Magnetic resonance for abdominal pain, 30F, was normal.",
        "Scan of the chest demonstrated no change; my patient hit his elbow.",
        "His fistula is working, he is on dialysis.",
    ],
)
def test_an_english_word_is_never_taken_for_another_one(text: str) -> None:
    assert found(text) == set()


def test_a_no_ends_at_a_but_behind_an_or() -> None:
    text = "10 days old, no fever or diarrhoea but vomits green"
    assert "infant-bowel-emergency" in found(text)
