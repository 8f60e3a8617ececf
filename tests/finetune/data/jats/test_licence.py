"""A licence is found wherever a publisher put it, and contradictions are seen."""

from __future__ import annotations

import os
import tarfile
from datetime import date
from pathlib import Path

import pytest
from lxml import etree

from finetune.data.jats.article import read_articles
from finetune.data.jats.licence import licence_of
from finetune.data.prepared_records import Licence

CHECKOUT = Path(__file__).parents[4]
REAL = Path(os.environ.get("MEDASSIST_DATA", CHECKOUT.parent / "shared" / "data"))

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
        ("All rights reserved.", "restricted"),
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


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("Lizenz: Namensnennung 4.0, nicht kommerziell", "nicht kommerziell"),
        (
            "Utilisation à des fins commerciales interdite (pas d\u2019utilisation "
            "commerciale).",
            "commerciales interdite",
        ),
        ("Solo para uso personal.", "uso personal"),
        ("Reuse by companies is a matter of agreement.", "companies"),
        ("仅限非商业用途", "仅限非商业用途"),
    ],
)
def test_what_a_sentence_forbids_outweighs_the_link_beside_it(sentence, words):
    found = permitted(f"<license-p>{sentence}</license-p>", f'xlink:href="{BY}"')
    assert found.name == "unknown"
    assert found.evidence.startswith("conflict: license/@xlink:href says CC BY 4.0")
    assert words in found.evidence


def test_a_sentence_against_commerce_agrees_with_a_licence_that_forbids_it():
    link = BY.replace("by", "by-nc")
    found = permitted(
        "<license-p>Non-commercial uses are permitted without any further permission."
        "</license-p>",
        f'xlink:href="{link}"',
    )
    assert found.name == "CC BY-NC 4.0"


def test_pictures_of_others_do_not_narrow_the_text():
    found = permitted(
        "<license-p>This article lies in the public domain. It may contain photographs "
        "copyrighted by other organizations that may not be used without obtaining "
        "approval from the holder of the copyright.</license-p>"
    )
    assert found.name == "public domain"


def test_all_rights_reserved_beside_a_free_licence_is_a_contradiction():
    found = licence(
        "<permissions><copyright-statement>© 2019 The Society. All rights reserved."
        f'</copyright-statement><license xlink:href="{BY}"/></permissions>'
    )
    assert found.name == "unknown"
    assert "all rights reserved" in found.evidence


@pytest.mark.parametrize("kind", ["non-commercial", "creativeCommonsByNcNd", "CCBYNC"])
def test_a_kind_of_licence_that_forbids_outweighs_the_link(kind):
    found = permitted("", f'license-type="{kind}" xlink:href="{BY}"')
    assert found.name == "unknown"


def reference(start: str, today: date = date(2026, 6, 1)) -> Licence:
    meta = etree.fromstring(
        f"<article-meta {SPACES}><permissions>"
        '<ali:license_ref start_date="2014-01-01" specific-use="vor">'
        "http://own.example.org/tdm</ali:license_ref>"
        f'<ali:license_ref start_date="{start}">{BY}</ali:license_ref>'
        "</permissions></article-meta>"
    )
    return licence_of(meta, today)


@pytest.mark.parametrize(
    "start",
    ["2026-06-02", "2026-06-02T00:00:00Z", "2099", "2026-07", "soon", "2026-13"],
)
def test_a_licence_that_is_not_in_force_yet_is_none(start):
    found = reference(start)
    assert found.name == "restricted"
    assert f"CC BY 4.0 from {start} on" in found.evidence
    assert reference(start, date(2100, 1, 1)).name == (
        "restricted" if start in ("soon", "2026-13") else "CC BY 4.0"
    )


@pytest.mark.parametrize("start", ["2026-06-01", "2026-06", "2019", ""])
def test_a_licence_in_force_counts(start):
    assert reference(start).name == "CC BY 4.0"


def test_a_free_licence_to_come_does_not_agree_with_the_link():
    found = permitted(
        f'<ali:license_ref start_date="2999-01-01">{BY}</ali:license_ref>',
        f'xlink:href="{BY}"',
    )
    assert found.name == "unknown"
    assert "from 2999-01-01 on" in found.evidence


@pytest.mark.skipif(not REAL.is_dir(), reason="the data folder is not here")
@pytest.mark.parametrize(
    ("folder", "articles", "least"),
    [
        ("plos-starter-corpus-jats", 121, 121),
        ("europepmc-clinical-jats", 216, 214),
        ("europepmc-nutrition-pharma-jats", 373, 371),
    ],
)
def test_real_articles_are_still_free(folder, articles, least):
    """The four that are not say in their copyright line that all is reserved."""
    (archive,) = (REAL / folder).glob("*.tar.xz")
    found: list[Licence] = []
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isfile() and (content := opened.extractfile(member)):
                found += [each.licence for each in read_articles(content.read())]
    out = [each for each in found if each.name == "unknown"]
    assert (len(found), len(found) - len(out)) == (articles, least)
    assert all("all rights reserved" in each.evidence for each in out)
