"""Citations: what an answer names as its source, and that it names none."""

from __future__ import annotations

import pytest

from medassist.safety.citations import find_citations
from medassist.safety.review import sources
from tests.growth import IN_PROPORTION, growth


def test_an_answer_that_cites_nothing_says_so() -> None:
    said = sources("Give oxygen and call for help. Sats 92.")
    assert said == "No source: this answer cites nothing."


@pytest.mark.parametrize(
    ("text", "kind", "cited"),
    [
        ("see doi:10.1056/NEJMoa2034577.", "doi", "10.1056/NEJMoa2034577"),
        ("(PMID: 33301246)", "pmid", "PMID: 33301246"),
        ("trial NCT04368728 showed", "trial", "NCT04368728"),
        (
            "read https://www.example.org/a?b=1, please",
            "url",
            "https://www.example.org/a?b=1",
        ),
        ("the NICE guideline says", "guideline", "NICE guideline"),
        ("as in NG143, treat", "guideline", "NG143"),
        ("the 2023 paper, Smith et al. 2019, found", "reference", "Smith et al. 2019"),
        ("PMC7265598 has a table", "pmcid", "PMC7265598"),
    ],
)
def test_citations_are_found_where_they_stand(text: str, kind: str, cited: str) -> None:
    (citation,) = find_citations(text)
    assert (citation.kind, citation.text) == (kind, cited)
    assert text[slice(*citation.span)] == cited


def test_works_are_cited_by_their_name_alone() -> None:
    found = find_citations("See NICE NG237 and the BNF, or UpToDate; BNF guidance.")
    assert [one.text for one in found] == [
        "NICE NG237",
        "BNF",
        "UpToDate",
        "BNF guidance",
    ]


def test_nothing_is_called_verified_on_a_computer_without_a_network() -> None:
    text = "NICE guideline NG143 (https://example.org/ng143), PMID 12345678"
    assert len(find_citations(text)) == 4
    assert not any(citation.verified for citation in find_citations(text))
    assert sources(text).startswith("Unverified on this computer: ")


@pytest.mark.parametrize(
    "piece", ["10.1/", "NICE ", "A et al", "http://", "PMID 12345678 "]
)
def test_hostile_text_takes_time_in_proportion(piece: str) -> None:
    assert growth(find_citations, piece * (100_000 // len(piece))) < IN_PROPORTION
