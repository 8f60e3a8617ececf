"""The licence of an article, from all the places where publishers put it.

`article-meta` alone counts: figures, tables and review letters have permissions of
their own. Where two places contradict each other, the licence is unknown and the
evidence begins with `conflict:`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from finetune.data.jats.licence_words import (
    CC0,
    MINING,
    PUBLIC_DOMAIN,
    UNKNOWN,
    family,
    from_address,
    from_sentence,
    waives_data_alone,
)
from finetune.data.records import Licence

CONFLICT = "conflict"
QUOTED = 160  # characters of a statement that go into the evidence
_LINK = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = "{http://www.niso.org/schemas/ali/1.0/}license_ref"


@dataclass(frozen=True)
class Claim:
    """One place that says something of the licence."""

    name: str
    where: str
    said: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.said or self.name}"


def licence_of(meta: etree._Element) -> Licence:
    """The licence that an `article-meta` states, with what says so."""
    claims = list(_claims(meta))
    if claims:
        return agree(claims)
    said = "; ".join(_statements(meta))
    if said:
        return Licence(name=UNKNOWN, evidence=f"no known licence in: {_quoted(said)}")
    return Licence(name=UNKNOWN, evidence="no licence in article-meta")


def agree(claims: list[Claim]) -> Licence:
    """One licence of several claims, or `unknown` with the contradiction."""
    families = dict.fromkeys(family(claim.name) for claim in claims)
    if CC0 in families:
        families.pop(PUBLIC_DOMAIN, None)
    if len(families) > 1:
        told = "; ".join(
            f"{claim.where} says {claim.name}" for claim in _first_of_each(claims)
        )
        return Licence(name=UNKNOWN, evidence=f"{CONFLICT}: {told}")
    (name,) = families
    versions = [claim.name for claim in claims if family(claim.name) != claim.name]
    return Licence(
        name=next((each for each in versions if family(each) == name), name),
        evidence="; ".join(str(claim) for claim in _first_of_each(claims)),
    )


def _first_of_each(claims: list[Claim]) -> list[Claim]:
    """Of claims from the same place of the same family, the first."""
    first: dict[tuple[str, str], Claim] = {}
    for claim in claims:
        first.setdefault((claim.where, family(claim.name)), claim)
    return list(first.values())


def _claims(meta: etree._Element) -> Iterator[Claim]:
    for licence in _scopes(meta, "license"):
        yield from _of_attributes(licence)
        text = " ".join("".join(licence.itertext()).split())
        data_alone = waives_data_alone(text)
        for link in licence.iter("ext-link", "uri"):
            address = link.get(_LINK) or "".join(link.itertext())
            name = from_address(address)
            if name and not (data_alone and family(name) == CC0):
                yield Claim(name, f"license//{link.tag}", address)
        for name in from_sentence(text):
            yield Claim(name, "license-p", f"{name} ({_quoted(text)})")
    for reference in _scopes(meta, _REFERENCE):
        address = (reference.text or "").strip()
        if name := from_address(address):
            yield Claim(name, "ali:license_ref", address)
        elif reference.get("specific-use") == "tdm":
            yield Claim(MINING, "ali:license_ref[@specific-use='tdm']", address)
    for custom in meta.iterfind("custom-meta-group/custom-meta"):
        title = "".join(custom.findtext("meta-name") or "").lower()
        value = custom.findtext("meta-value") or ""
        if "license" in title or "licence" in title:
            for name in (
                [from_address(value)] if "://" in value else from_sentence(value)
            ):
                if name:
                    yield Claim(name, f"custom-meta {title}", value)
    # Old NLM articles have it in the copyright statement, permissions or not.
    for statement in _scopes(meta, "copyright-statement"):
        text = " ".join("".join(statement.itertext()).split())
        for name in from_sentence(text):
            yield Claim(name, "copyright-statement", f"{name} ({_quoted(text)})")


def _of_attributes(licence: etree._Element) -> Iterator[Claim]:
    if name := from_address(licence.get(_LINK, "")):
        yield Claim(name, "license/@xlink:href", licence.get(_LINK, ""))
    for attribute in ("license-type", "specific-use"):
        value = licence.get(attribute, "")
        # creativeCommonsBy, cc-by-nc, CC BY: as sentences of few words.
        words = value.replace("creativeCommons", "CC ").replace("_", "-")
        words = words.replace("By", "BY ").strip()
        for name in from_sentence(words) or filter(None, [from_address(value)]):
            yield Claim(name, f"license/@{attribute}", value)


def _scopes(meta: etree._Element, tag: str) -> Iterator[etree._Element]:
    """Elements of the article's own permissions, or of article-meta where old."""
    for permissions in meta.iterfind("permissions"):
        yield from permissions.iter(tag)
    yield from meta.iterfind(tag)


def _statements(meta: etree._Element) -> Iterator[str]:
    for tag in ("license", "copyright-statement"):
        for element in _scopes(meta, tag):
            if text := " ".join("".join(element.itertext()).split()):
                yield text


def _quoted(text: str) -> str:
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}..."
