"""Finds the licence of an article in all the places where publishers put it.

`article-meta` alone counts: figures, tables and review letters have permissions of
their own. Where two places contradict each other, or one forbids what the other grants,
the licence is unknown and the evidence begins with `conflict:`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from lxml import etree

from finetune.data.prepared_records import Licence
from medassist.text.licences.named_licences import (
    CC0,
    MINING,
    PUBLIC_DOMAIN,
    RESTRICTED,
    UNKNOWN,
    from_address,
    from_sentence,
    waives_data_alone,
    without_version,
)
from medassist.text.licences.restrictions import Place

CONFLICT = "conflict"
QUOTED = 160  # characters of a statement that go into the evidence
_LINK = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = "{http://www.niso.org/schemas/ali/1.0/}license_ref"
_DATE = re.compile(r"(\d{4})(?:-(\d\d?))?(?:-(\d\d?))?(?:T.*)?")


@dataclass(frozen=True)
class Claim:
    """A statement on the licence, from one place."""

    name: str
    where: str
    said: str = ""
    restricts: str = ""
    """The words that forbid something, where the name does not tell them."""

    def __str__(self) -> str:
        return f"{self.where}: {self.said or self.name}"

    @property
    def told(self) -> str:
        """The claim in a contradiction."""
        if not self.restricts:
            return f"{self.where} says {self.name}"
        words = f'"{_quoted(self.restricts)}"'
        return f"{self.where} says {words}" + (
            "" if self.name == RESTRICTED else f" ({self.name})"
        )


def licence_of(meta: etree._Element, today: date | None = None) -> Licence:
    """The licence that an `article-meta` states, with what says so.

    Args:
        meta: the article's own.
        today: on which a licence must be in force; UTC's by default.
    """
    claims = list(_claims(meta, today or datetime.now(UTC).date()))
    if claims:
        return agree(claims)
    said = "; ".join(_statements(meta))
    if said:
        return Licence(name=UNKNOWN, evidence=f"no known licence in: {_quoted(said)}")
    return Licence(name=UNKNOWN, evidence="no licence in article-meta")


def agree(claims: list[Claim]) -> Licence:
    """Combine several claims into one licence, or `unknown` with the contradiction."""
    families = dict.fromkeys(without_version(claim.name) for claim in claims)
    if CC0 in families:
        families.pop(PUBLIC_DOMAIN, None)
    for limit in ("NC", "ND"):
        # A sentence that names no licence agrees with one that has its limit.
        if any(limit in each.split("-") for each in families if each != limit):
            families.pop(limit, None)
    if len(families) > 1:
        told = "; ".join(claim.told for claim in _first_of_each(claims))
        return Licence(name=UNKNOWN, evidence=f"{CONFLICT}: {told}")
    (name,) = families
    versions = [
        claim.name for claim in claims if without_version(claim.name) != claim.name
    ]
    return Licence(
        name=next((each for each in versions if without_version(each) == name), name),
        evidence="; ".join(str(claim) for claim in _first_of_each(claims)),
    )


def _first_of_each(claims: list[Claim]) -> list[Claim]:
    """The first of the claims from one place that name one licence."""
    first: dict[tuple[str, str], Claim] = {}
    for claim in claims:
        first.setdefault((claim.where, without_version(claim.name)), claim)
    return list(first.values())


def _claims(meta: etree._Element, today: date) -> Iterator[Claim]:
    for licence in _scopes(meta, "license"):
        yield from _of_attributes(licence)
        text = " ".join("".join(licence.itertext()).split())
        data_alone = waives_data_alone(text)
        for link in licence.iter("ext-link", "uri"):
            address = link.get(_LINK) or "".join(link.itertext())
            name = from_address(address)
            if name and not (data_alone and without_version(name) == CC0):
                yield Claim(name, f"license//{link.tag}", address)
        yield from _of_words("license-p", text)
    for reference in _scopes(meta, _REFERENCE):
        yield from _of_reference(reference, today)
    for custom in meta.iterfind("custom-meta-group/custom-meta"):
        title = "".join(custom.findtext("meta-name") or "").lower()
        value = custom.findtext("meta-value") or ""
        if "license" in title or "licence" in title:
            yield from _of_words(f"custom-meta {title}", value)
    # Old NLM articles have it in the copyright statement, permissions or not.
    for statement in _scopes(meta, "copyright-statement"):
        text = " ".join("".join(statement.itertext()).split())
        yield from _of_words("copyright-statement", text, "copyright")


def _of_words(where: str, text: str, place: Place = "statement") -> Iterator[Claim]:
    for said in from_sentence(text, place):
        yield Claim(said.name, where, f"{said.name} ({_quoted(text)})", said.words)


def _of_attributes(licence: etree._Element) -> Iterator[Claim]:
    if name := from_address(licence.get(_LINK, "")):
        yield Claim(name, "license/@xlink:href", licence.get(_LINK, ""))
    for attribute in ("license-type", "specific-use"):
        value = licence.get(attribute, "")
        for said in from_sentence(value, "label"):
            yield Claim(said.name, f"license/@{attribute}", value, said.words)


def _of_reference(reference: etree._Element, today: date) -> Iterator[Claim]:
    """Licence in a `license_ref`, which holds from its start date on."""
    address = "".join(reference.itertext()).strip()
    name = from_address(address)
    if name is None and reference.get("specific-use") == "tdm":
        yield Claim(MINING, "ali:license_ref[@specific-use='tdm']", address)
    if name is None:
        return
    start = (reference.get("start_date") or reference.get("start-date") or "").strip()
    if start and not _in_force(start, today):
        words = f"{name} from {start} on"
        yield Claim(RESTRICTED, "ali:license_ref", f"{words}: {address}", words)
    else:
        yield Claim(name, "ali:license_ref", address)


def _in_force(start: str, today: date) -> bool:
    """Whether a start date has come; one that cannot be read has not."""
    found = _DATE.fullmatch(start)
    if found is None:
        return False
    year, month, day = (int(part) if part else 1 for part in found.groups())
    try:
        return date(year, month, day) <= today
    except ValueError:
        return False


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
