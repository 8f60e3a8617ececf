"""Licences recognised in addresses and in sentences.

Publishers write the same licence in dozens of ways. What is looked for is the licence
itself, and separately every word that forbids something, since there are articles
whose link says CC BY and whose sentence says no derivatives.
"""

from __future__ import annotations

import re

UNKNOWN = "unknown"
PUBLIC_DOMAIN = "public domain"
CC0 = "CC0"
GOVERNMENT = "US government work"
OPEN_GOVERNMENT = "OGL"
VERBATIM = "verbatim copies only"
MINING = "TDM"

_URL = re.compile(
    r"creativecommons\.org/?/(?:licen[sc]es?/(?P<code>by(?:-(?:nc|nd|sa))*)"
    r"|publicdomain/(?P<public>zero|mark))(?:/(?P<version>\d\.\d))?",
    re.IGNORECASE,
)
_OPEN_GOVERNMENT_URL = re.compile(
    r"nationalarchives\.gov\.uk/doc/open-government-licen[cs]e(?:/version/(\d))?"
)
_HYPHENS = re.compile(r"[\u2010-\u2015\u2212_-]+")
_SHORT = re.compile(
    r"\bcc[\s-]*by(?P<more>(?:[\s-]*(?:nc|nd|sa)\b)*)"
    r"(?:[\s-]*(?:v(?:ersion)?\.?\s*)?(?P<version>[1-4]\.[05]))?",
)
_RESTRICTION = (
    r"non[\s-]*commercial(?:ly)?|no[\s-]*deriv\w*(?:[\s-]*works?)?|share[\s-]*alike"
)
_LONG = re.compile(
    r"creative[\s-]*commons?(?:\s*\(cc\))?[\s,:-]*(?:public\s+)?(?:licen[sc]e\s+)?"
    rf"(?:by\s+)?attributions?(?P<more>(?:[\s,/&-]*(?:and\s+)?(?:{_RESTRICTION}))*)"
    r"(?:[\s,-]*(?:licen[sc]e)?[\s,(]*(?:v(?:ersion)?\.?\s*)?(?P<version>[1-4]\.[05]))?"
)
_FORBIDS_COMMERCE = re.compile(
    r"non[\s-]*commercial|not (?:be )?(?:used )?for commercial"
)
_FORBIDS_CHANGES = re.compile(r"no[\s-]*deriv|no modifications or adaptations")
_CC0_WORDS = re.compile(
    r"\bcc[\s-]*0\b|creative commons (?:cc ?)?zero|"
    r"creative commons[^.]{0,40}public domain|public domain dedication"
)
_DATA_WAIVER = re.compile(
    r"(?:waiver|dedication|cc[\s-]*0).{0,200}?appl\w+ (?:only )?to (?:the )?data"
)
_GOVERNMENT_WORDS = re.compile(
    r"(?:u\.?\s?s\.?|united states|federal) government(?!al)|government employee"
)
_VERBATIM_WORDS = re.compile(r"verbatim copying")
_MINING_WORDS = re.compile(r"text and data mining|\btdm\b")


def from_address(address: str) -> str | None:
    """The licence that an address names: `CC BY 4.0`, `CC0 1.0`; none for others."""
    if found := _URL.search(address):
        version = f" {found['version']}" if found["version"] else ""
        match (found["public"] or "").lower():
            case "zero":
                return f"{CC0}{version}"
            case "mark":
                return PUBLIC_DOMAIN
            case _:
                return f"CC {_ordered(found['code'])}{version}"
    if found := _OPEN_GOVERNMENT_URL.search(address):
        return f"{OPEN_GOVERNMENT} {found[1]}.0" if found[1] else OPEN_GOVERNMENT
    return None


def from_sentence(text: str) -> list[str]:
    """All the licences that a statement names, the addresses in it included.

    Several that differ are a contradiction, which is for the caller to see.
    """
    found: list[str] = []
    found += [name for match in _URL.finditer(text) if (name := from_address(match[0]))]
    words = _HYPHENS.sub("-", " ".join(text.lower().split()))
    words = re.sub(r"https?://\S+", " ", words)
    for pattern in (_SHORT, _LONG):
        for match in pattern.finditer(words):
            version = f" {match['version']}" if match["version"] else ""
            found.append(f"CC {_ordered('by ' + match['more'])}{version}")
    if _CC0_WORDS.search(words):
        found.append(CC0)
    elif "public domain" in words or "free of all copyright" in words:
        government = _GOVERNMENT_WORDS.search(words)
        found.append(GOVERNMENT if government else PUBLIC_DOMAIN)
    elif _GOVERNMENT_WORDS.search(words) and "copyright" in words:
        found.append(GOVERNMENT)
    if "open government licen" in words:
        found.append(OPEN_GOVERNMENT)
    if _VERBATIM_WORDS.search(words):
        found.append(VERBATIM)
    if _MINING_WORDS.search(words) and not found:
        found.append(MINING)
    if waives_data_alone(text) and len({family(name) for name in found}) > 1:
        found = [name for name in found if family(name) != CC0]
    return found + _forbidden(words, found)


def waives_data_alone(text: str) -> bool:
    """Whether a statement puts the data in an article, not its text, under CC0.

    So do BMC's and others' articles, whose text is under CC BY.
    """
    return _DATA_WAIVER.search(" ".join(text.lower().split())) is not None


def family(name: str) -> str:
    """`CC BY-NC 4.0` without its version."""
    return re.sub(r" \d\.\d$", "", name)


def _forbidden(words: str, found: list[str]) -> list[str]:
    """The licence that forbidding words speak of, where none that was found does."""
    commerce = _FORBIDS_COMMERCE.search(words) is not None
    changes = _FORBIDS_CHANGES.search(words) is not None
    families = [family(name) for name in found]
    if commerce and not any("NC" in name for name in families):
        return ["CC BY-NC-ND" if changes else "CC BY-NC"] if found else ["NC"]
    if changes and not any("ND" in name for name in families):
        return ["CC BY-NC-ND" if commerce else "CC BY-ND"] if found else ["ND"]
    return []


def _ordered(code: str) -> str:
    """The parts of a code in the order of Creative Commons: BY, NC, then SA or ND."""
    code = code.lower()
    commerce = "nc" in re.findall(r"\bnc\b", code) or "commerc" in code
    changes = bool(re.search(r"\bnd\b|deriv", code))
    alike = bool(re.search(r"\bsa\b|share", code))
    return "-".join(
        ["BY", *["NC"] * commerce, *(["ND"] if changes else ["SA"] * alike)]
    )
