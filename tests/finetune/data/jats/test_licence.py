"""A licence is found wherever a publisher put it, and contradictions are seen."""

from __future__ import annotations

import pytest
from lxml import etree

from finetune.data.jats.licence import licence_of
from finetune.data.records import Licence

SPACES = (
    'xmlns:xlink="http://www.w3.org/1999/xlink" '
    'xmlns:ali="http://www.niso.org/schemas/ali/1.0/"'
)
BY = "http://creativecommons.org/licenses/by/4.0/"


def licence(inner: str) -> Licence:
    return licence_of(
        etree.fromstring(f"<article-meta {SPACES}>{inner}</article-meta>")
    )


def permitted(inner: str, attributes: str = "") -> Licence:
    return licence(
        f"<permissions><license {attributes}>{inner}</license></permissions>"
    )


def said(sentence: str) -> str:
    return permitted(f"<license-p>{sentence}</license-p>").name


def test_each_place_is_looked_at_and_named_as_evidence():
    link = permitted("", f'xlink:href="{BY}"')
    assert link == Licence(name="CC BY 4.0", evidence=f"license/@xlink:href: {BY}")
    for inner, where in (
        (
            f'<license-p><ext-link xlink:href="{BY}">x</ext-link></license-p>',
            "ext-link",
        ),
        (f"<license-p>See <uri>{BY}</uri>.</license-p>", "license//uri"),
        (f"<ali:license_ref>{BY}</ali:license_ref>", "ali:license_ref"),
        (f"<license-p>Under {BY}.</license-p>", "license-p"),
    ):
        found = permitted(inner)
        assert (found.name, where in found.evidence) == ("CC BY 4.0", True)
    kind = permitted("", 'license-type="creativeCommonsBy"')
    assert kind.name == "CC BY"
    beside = licence(
        f"<permissions><ali:license_ref>{BY}</ali:license_ref></permissions>"
    )
    assert beside.name == "CC BY 4.0"
    custom = licence(
        "<custom-meta-group><custom-meta><meta-name>pmc-license-ref</meta-name>"
        "<meta-value>CC BY-NC</meta-value></custom-meta></custom-meta-group>"
    )
    assert custom.name == "CC BY-NC"


def test_old_articles_say_it_in_the_copyright_statement():
    old = licence(
        "<copyright-statement>Open access under the Creative Commons Attribution "
        "License.</copyright-statement>"
    )
    assert (old.name, "copyright-statement" in old.evidence) == ("CC BY", True)


@pytest.mark.parametrize(
    ("sentence", "name"),
    [
        ("Open access under the Creative Commons Attribution License.", "CC BY"),
        ("a Creative Commons Attribution 4.0 International License", "CC BY 4.0"),
        ("CC BY NC ND 3.0", "CC BY-NC-ND 3.0"),
        ("a CC-BY-ND-NC license", "CC BY-NC-ND"),
        ("Creative Commons Attribution Non-Commercial License", "CC BY-NC"),
        (
            "Creative Commons Attribution-NonCommercial-NoDerivs License (4.0)",
            "CC BY-NC-ND 4.0",
        ),
        ("Creative Commons Attribution\u2013ShareAlike", "CC BY-SA"),
        ("free of all copyright, under the Creative Commons CC0 dedication", "CC0"),
        ("This article is in the public domain.", "public domain"),
        (
            "a work of the U.S. Government and in the public domain in the USA",
            "US government work",
        ),
        ("under the Open Government Licence", "OGL"),
        (
            "verbatim copying and redistribution of this article are permitted",
            "verbatim copies only",
        ),
        ("All rights reserved.", "unknown"),
    ],
)
def test_sentences_are_understood(sentence, name):
    assert said(sentence) == name


@pytest.mark.parametrize(
    "sentence",
    [
        "Licensed under CC BY-NC-ND 4.0.",
        "Use is free for non-commercial purposes.",
        "No derivatives may be made.",
    ],
)
def test_a_link_that_the_sentence_contradicts_is_no_licence(sentence):
    found = permitted(f"<license-p>{sentence}</license-p>", f'xlink:href="{BY}"')
    assert found.name == "unknown"
    assert found.evidence.startswith("conflict: license/@xlink:href says CC BY 4.0")


def test_a_waiver_for_the_data_alone_is_no_contradiction():
    found = permitted(
        f'<license-p>Under CC BY 4.0 (<ext-link xlink:href="{BY}">x</ext-link>). The '
        "Creative Commons Public Domain Dedication waiver "
        '(<ext-link xlink:href="http://creativecommons.org/publicdomain/zero/1.0/">z'
        "</ext-link>) applies to the data made available in this article.</license-p>"
    )
    assert found.name == "CC BY 4.0"


def test_the_same_licence_in_several_places_is_one():
    found = permitted(
        "<license-p>Creative Commons Attribution License</license-p>",
        f'license-type="open-access" xlink:href="{BY}"',
    )
    assert found.name == "CC BY 4.0"


def test_permissions_of_figures_do_not_speak_for_the_article():
    meta = licence("<fig><permissions><license><license-p>CC0</license-p></license>"
                   "</permissions></fig>")  # fmt: skip
    assert meta == Licence(name="unknown", evidence="no licence in article-meta")


def test_mining_alone_is_named():
    found = licence(
        '<permissions><ali:license_ref specific-use="tdm">https://own.org/tdm'
        "</ali:license_ref></permissions>"
    )
    assert found.name == "TDM"
