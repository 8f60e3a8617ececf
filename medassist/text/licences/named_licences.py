"""Recognises licences in URLs, sentences and short names.

Publishers write the same licence in dozens of ways. What is looked for is the licence
itself, and separately (restrictions.py) every word that forbids or narrows something,
since there are articles whose link says CC BY and whose sentence says no derivatives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from medassist.text.licences.folded_text import fold
from medassist.text.licences.restrictions import Place, is_beside, limits_of

UNKNOWN = "unknown"
RESTRICTED = "restricted"
PUBLIC_DOMAIN = "public domain"
CC0 = "CC0"
GOVERNMENT = "US government work"
OPEN_GOVERNMENT = "OGL"
VERBATIM = "verbatim copies only"
MINING = "TDM"

_URL = re.compile(
    r"creativecommons\.org/?/(?:licen[sc]es?/(?P<code>[a-z%_+-][a-z0-9%_+-]*)"
    r"|publicdomain/(?P<public>zero|mark))(?:/(?P<version>\d\.\d))?",
    re.IGNORECASE,
)
_CODE = re.compile(r"by(?:-?(?:nc|nd|sa))*")
_OPEN_GOVERNMENT_URL = re.compile(
    r"nationalarchives\.gov\.uk/doc/open-government-licen[cs]e(?:/version/(\d))?"
)
_VERSION = r"(?: ?(?:v(?:ersion)?\.? ?)?(?P<version>[1-5]\.[05]))?"
_PARTS = r"(?:[ .,:+&()]*(?:nc|nd|sa)+(?![a-z]))*"
_SHORT = re.compile(
    rf"\b(?:cc|creative ?commons)[ .,:+&(]*by(?P<stuck>[a-z]*)(?P<more>{_PARTS})"
    rf"{_VERSION}(?P<after>{_PARTS})"
)
# What may be written on to `by` without a blank; all else is not understood.
_STUCK = re.compile(
    r"(?P<more>(?:nc|nd|sa)*)(?:licen[sc]e|international|unported|igo|v)?"
)
_RESTRICTION = r"non ?commercial(?:ly)?|no ?deriv\w*(?: works?)?|share ?alike"
_LONG = re.compile(
    r"creative ?commons?(?: \(?cc\)?)?[ ,:]*(?:public )?(?:licen[sc]e )?[ (]*"
    rf"(?:by )?attributions?(?P<more>(?:[ ,&()+]*(?:and )?(?:{_RESTRICTION}))*)"
    rf"(?:[ ,]*(?:licen[sc]e)?[ ,(]*{_VERSION})?"
)
_CC0_WORDS = re.compile(
    r"\bcc ?0\b|\b(?:cc|creative commons)(?: cc)? ?zero\b|publicdomain zero|"
    r"creative commons[^.]{0,40}public domain|public domain dedication"
)
_DOMAIN_WORDS = re.compile(r"\bpublic ?domain\b|free of all copyright|^pd$")
_DATA_WAIVER = re.compile(
    r"(?:waiver|dedication|cc[\s-]*0).{0,200}?appl\w+ (?:only )?to (?:the )?data"
)
_GOVERNMENT_WORDS = re.compile(
    r"(?:\bu\.? ?s\.?|united states|federal) government(?!al)|government employee"
)
_OPEN_GOVERNMENT_WORDS = re.compile(r"open government licen[sc]e|\bogl\b")
_VERBATIM_WORDS = re.compile(r"verbatim (?:copying|copies only)")
_MINING_WORDS = re.compile(r"text and data mining|\btdm\b")
# Names that are an institution's in a sentence, and a licence's where they stand alone.
_ALONE = (
    (GOVERNMENT, re.compile(r"\bu\.?s\.? government works?\b")),
    ("MIT", re.compile(r"\bmit\b")),
    ("Apache", re.compile(r"\bapache\b(?: software foundation)?(?: v?\d(?:\.\d)?)?")),
)
_SUFFIXES = re.compile(rf"\b(?:nc|nd|sa)\b|\b(?:{_RESTRICTION})")
_SIGNS = re.compile(r"[\w\s.,;:()/+&'#\u00a9\u00ae\u2122\u2010-\u2015-]*")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class NamedLicence:
    """A licence that a text names or amounts to.

    Attributes:
        name: of the licence, with its version; `restricted` for what is none.
        words: of the restriction, where the name does not tell it.
    """

    name: str
    words: str = ""


def from_address(address: str) -> str | None:
    """The licence that a URL names: `CC BY 4.0`, `CC0 1.0`; `None` for others."""
    if found := _URL.search(address):
        version = f" {found['version']}" if found["version"] else ""
        match (found["public"] or "").lower():
            case "zero":
                return f"{CC0}{version}"
            case "mark":
                return PUBLIC_DOMAIN
            case _:
                code = re.sub(r"[_+ -]+", "-", unquote(found["code"]).lower())
                if not _CODE.fullmatch(code.strip("-")):
                    return RESTRICTED
                return f"CC {_ordered(code.strip('-')[2:])}{version}"
    if found := _OPEN_GOVERNMENT_URL.search(address):
        return f"{OPEN_GOVERNMENT} {found[1]}.0" if found[1] else OPEN_GOVERNMENT
    return None


@lru_cache(maxsize=1024)
def from_sentence(text: str, place: Place = "statement") -> tuple[NamedLicence, ...]:
    """All the licences that a statement names, and what it forbids beside them.

    Several that differ are a contradiction, which is for the caller to see.

    Args:
        text: the statement, the addresses in it included.
        place: where it stands, for what single words in it mean.
    """
    found, _ = _named(text)
    if waives_data_alone(text) and len({without_version(name) for name in found}) > 1:
        found = [name for name in found if without_version(name) != CC0]
    return (*(NamedLicence(name) for name in found), *_forbidden(text, found, place))


def from_name(text: str) -> tuple[str, ...]:
    """The licences in a short name, as from a table cell or metadata.

    None unless all of it is understood: what stands beside the names may narrow them in
    more ways than can be listed.
    """
    if not _SIGNS.fullmatch(text):
        return ()
    named, rest = _named(text)
    found = [name for name, pattern in _ALONE if pattern.search(rest)] + named
    for _, pattern in _ALONE:
        rest = pattern.sub(" ", rest)
    suffixes = _SUFFIXES.findall(rest)
    rest = _SUFFIXES.sub(" ", rest)
    if not found or not all(is_beside(word) for word in _WORD.findall(rest)):
        return ()
    if suffixes:
        found.append(f"CC {_ordered('by ' + ' '.join(suffixes))}")
    return tuple(dict.fromkeys(found))


def waives_data_alone(text: str) -> bool:
    """Whether a statement puts the data in an article, not its text, under CC0.

    So do BMC's and others' articles, whose text is under CC BY.
    """
    return _DATA_WAIVER.search(" ".join(text.lower().split())) is not None


def without_version(name: str) -> str:
    """A licence's name without its version: `CC BY-NC 4.0` -> `CC BY-NC`."""
    return re.sub(r" \d\.\d$", "", name)


def _named(text: str) -> tuple[list[str], str]:
    """The names in a text, and the folded text without them and without addresses."""
    found = [name for match in _URL.finditer(text) if (name := from_address(match[0]))]
    found += [
        name
        for match in _OPEN_GOVERNMENT_URL.finditer(text)
        if (name := from_address(match[0]))
    ]
    rest = _OPEN_GOVERNMENT_URL.sub(" ", _URL.sub(" ", text))
    words = fold(re.sub(r"https?://\S*", " ", rest))
    for pattern in (_SHORT, _LONG):
        for match in pattern.finditer(words):
            found.append(_of_creative_commons(match))
    words = _LONG.sub(" ", _SHORT.sub(" ", words))
    zero = _CC0_WORDS.search(fold(rest))
    domain = _DOMAIN_WORDS.search(words)
    government = _GOVERNMENT_WORDS.search(words)
    if zero:
        found.append(CC0)
    elif domain:
        found.append(GOVERNMENT if government else PUBLIC_DOMAIN)
    elif government and "copyright" in words:
        found.append(GOVERNMENT)
    if _OPEN_GOVERNMENT_WORDS.search(words):
        found.append(OPEN_GOVERNMENT)
    if _VERBATIM_WORDS.search(words):
        found.append(VERBATIM)
    if _MINING_WORDS.search(words) and not found:
        found.append(MINING)
    for pattern in (
        *(_CC0_WORDS, _DOMAIN_WORDS, _OPEN_GOVERNMENT_WORDS),
        *(_VERBATIM_WORDS, _MINING_WORDS),
        *([_GOVERNMENT_WORDS] if GOVERNMENT in found else []),
    ):
        words = pattern.sub(" ", words)
    if zero:
        words = re.sub(r"\bpd\b", " ", words)
    return found, words


def _of_creative_commons(match: re.Match[str]) -> str:
    groups = match.groupdict()
    code = groups["more"] + " " + (groups.get("after") or "")
    if stuck := groups.get("stuck"):
        known = _STUCK.fullmatch(stuck)
        if known is None:
            return RESTRICTED
        code += " " + known["more"]
    version = f" {match['version']}" if match["version"] else ""
    return f"CC {_ordered('by ' + code)}{version}"


def _forbidden(text: str, found: list[str], place: Place) -> list[NamedLicence]:
    """Uses that the words of a statement forbid, where none of its licences says so."""
    limits = limits_of(text, place)
    codes = [without_version(name) for name in found]
    named = {part for code in codes for part in code.split("-")[1:]}
    said: list[NamedLicence] = []
    if (limits.commerce and "NC" not in named) or (
        limits.changes and "ND" not in named
    ):
        code = "-".join(
            part
            for part, given in (("NC", limits.commerce), ("ND", limits.changes))
            if given or part in named
        )
        words = limits.commerce or limits.changes
        said.append(NamedLicence(f"CC BY-{code}" if found else code, words))
    if limits.other:
        said.append(NamedLicence(RESTRICTED, limits.other))
    elif limits.doubt and not (said or named & {"NC", "ND"} or VERBATIM in codes):
        said.append(NamedLicence(RESTRICTED, limits.doubt))
    return said


def _ordered(code: str) -> str:
    """The parts of a code in the order of Creative Commons: BY, NC, then SA or ND."""
    parts = {
        part
        for word in re.findall(r"[a-z]+", code.lower())
        if re.fullmatch(r"(?:nc|nd|sa)+", word)
        for part in re.findall(r"nc|nd|sa", word)
    }
    commerce = "nc" in parts or "commerc" in code
    changes = "nd" in parts or "deriv" in code
    alike = "sa" in parts or "share" in code
    return "-".join(
        ["BY", *["NC"] * commerce, *(["ND"] if changes else ["SA"] * alike)]
    )
