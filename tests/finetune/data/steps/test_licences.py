"""A licence's name is used only where all of it is understood and allowed."""

from __future__ import annotations

import pytest

from finetune.data.recipe import ALLOWED_LICENCES
from finetune.data.steps.licences import LicenceStep, families
from finetune.data.steps.step_result import Dropped, Kept
from tests.finetune.data.pipeline.own_source import text

NARROWED = [
    "CC BY 4.0 (non-commercial)",
    "CC-BY (research use only)",
    "CC BY, academic use only",
    "MIT (with Commons Clause, no sale)",
    "not public domain",
    "was public domain",
    "public domain?",
    "non MIT",
    "no license",
    "All rights reserved",
    "CC BY 4.0. All rights reserved.",
    "CC BY for personal use",
    "CC BY, no derivatives",
    "CC BY (abstracts only)",
    "CC BY after embargo",
    "CC BY for members",
    "CC BY-like",
    "The MIT Press",
    "Apache-2.0 + Commons Clause",
    "Apache 2.0 with restrictions",
    "CC0 for scholars",
    # NC stuck to what stands beside it
    "CCBYNC",
    "CC BYNC 4.0",
    "ccbyncnd4.0",
    "CC BY 4.0 NC",
    "CC BY + NC",
    "CC.BY.NC",
    "creativeCommonsByNc",
    "https://creativecommons.org/licenses/bync/4.0/",
    "https://creativecommons.org/licenses/by%2Dnc/4.0/",
    # other letters than they look
    "CC BY \u200bnon\u00adcommercial",
    "\uff23\uff23 \uff22\uff39\uff0d\uff2e\uff23",
    "CC BY non\u2011commercial",
    # other languages
    "CC BY 4.0 (nicht-kommerzielle Nutzung)",
    "CC BY, nur für die Forschung",
    "CC BY - pas d\u2019utilisation commerciale",
    "CC BY (uso no comercial)",
    "CC BY (non commerciale)",
    "CC BY (não comercial)",
    "CC BY niet-commercieel",
    "CC BY nekomerční",
    "CC BY 4.0 仅限非商业用途",
    # sentences in a cell
    "The texts were released under CC BY 4.0 by the hospital for use in its own "
    "courses, and others should ask before they use them.",
    "This work is licensed under the MIT license, but you may not use it to train "
    "models of any kind without permission.",
]


@pytest.mark.parametrize("name", NARROWED)
def test_a_name_with_a_restriction_anywhere_is_out_until_it_is_asked_for(name):
    record = text("a", "words", licence=name)
    assert isinstance(LicenceStep(ALLOWED_LICENCES)(record), Dropped)
    assert isinstance(LicenceStep((*ALLOWED_LICENCES, "unknown"))(record), Dropped)
    assert isinstance(LicenceStep((*ALLOWED_LICENCES, name))(record), Kept)


@pytest.mark.parametrize("name", NARROWED)
def test_the_family_that_a_message_shows_can_be_asked_for(name):
    shown = [each for each in families(name) if each not in ALLOWED_LICENCES]
    record = text("a", "words", licence=name)
    assert isinstance(LicenceStep((*ALLOWED_LICENCES, *shown))(record), Kept)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cc-by-4.0", ("CC BY",)),
        ("CCBY4.0", ("CC BY",)),
        ("CC BY 3.0 IGO", ("CC BY",)),
        ("Creative Commons Attribution 4.0 International (CC BY 4.0)", ("CC BY",)),
        ("Creative Commons Attribution-ShareAlike 4.0", ("CC BY-SA",)),
        ("https://creativecommons.org/licenses/by/4.0/legalcode", ("CC BY",)),
        ("https://creativecommons.org/publicdomain/zero/1.0/", ("CC0",)),
        ("cc0-1.0", ("CC0",)),
        ("CC0 / CC BY", ("CC BY", "CC0")),
        ("CC BY or CC0, per article", ("CC BY", "CC0")),
        ("CC-BY (text)", ("CC BY",)),
        ("The MIT License (MIT)", ("MIT",)),
        ("Apache License, Version 2.0", ("Apache",)),
        ("public domain mark 1.0", ("public domain",)),
        ("Public domain (US government work)", ("US government work",)),
        ("OGL 3.0", ("OGL",)),
        (
            "They are under the Creative Commons Attribution 4.0 License, which "
            "permits use and distribution in any medium, provided the source is cited.",
            ("CC BY",),
        ),
    ],
)
def test_a_name_that_narrows_nothing_is_its_family(name, expected):
    assert sorted(families(name)) == sorted(expected)


def test_a_set_under_several_licences_needs_all_of_them():
    assert families("CC BY 4.0 and a licence of our own") == (
        "CC BY",
        "a licence of our own",
    )
