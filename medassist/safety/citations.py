"""Citations of an answer. Nothing is looked up: on this computer none resolves."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["doi", "pmid", "pmcid", "trial", "url", "guideline", "reference"]

_BODIES: Final = (
    "NICE|SIGN|WHO|ESC|AHA|ACC|ADA|EASD|KDIGO|GOLD|GINA|BTS|RCOG|ACOG|RCP|RCPCH|AAP"
    "|IDSA|ESMO|ASCO|NCCN|USPSTF|CDC|ACR|EULAR|BSR|BSG|ESPEN|EASL|AASLD|ERS|ATS|ESO"
    "|BOAST|NASCET|FIGO|CHEST|Surviving Sepsis Campaign|Resuscitation Council|BNF"
    "|Cochrane|UpToDate|BMJ Best Practice|DailyMed|EMA|FDA"
)
# Works that one looks up, and cites by their name alone.
_WORKS: Final = (
    "BNFC?|UpToDate|BMJ Best Practice|DynaMed|DailyMed|Martindale|Micromedex|Lexicomp"
    "|Fachinfo|Rote Liste|Vidal"
)
# Every part is bounded, so that no text can make the search slow. A letter that nothing
# begins with is passed over before anything else is asked of it.
_PATTERNS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("doi", re.compile(r"(?=1)\b10\.\d{4,9}/[^\s\"<>]{1,120}")),
    ("pmcid", re.compile(r"(?=P)\bPMC\d{5,9}\b")),
    (
        "pmid",
        re.compile(r"(?=p)\b(?:PMID|PubMed(?:\s?ID)?)\s?:?\s?\d{5,9}\b", re.IGNORECASE),
    ),
    (
        "trial",
        re.compile(
            r"(?=[NIE])\b(?:NCT\d{8}|ISRCTN\d{8}|EudraCT\s?\d{4}-\d{6}-\d{2})\b"
        ),
    ),
    (
        "url",
        re.compile(r"(?=[hw])\b(?:https?://|www\.)[^\s<>\"')\]]{3,300}", re.IGNORECASE),
    ),
    (
        "guideline",
        re.compile(
            rf"(?=[A-Z])(?:\b(?:{_BODIES})(?:/(?:{_BODIES})){{0,3}}(?:\s[\w-]{{1,20}}){{0,4}}?"
            r"\s(?:guidelines?|guidance|recommendations?|statement|consensus|NG\d{1,3}"
            r"|CG\d{1,3}|TA\d{1,4}|QS\d{1,3}|review|report|criteria|label)\b"
            rf"|\b(?:NG|CG|TA|QS)\d{{1,4}}\b|\b(?:{_BODIES})\s\(?(?:19|20)\d\d\b"
            rf"|\b(?:{_WORKS})\b)"
        ),
    ),
    (
        "reference",
        re.compile(
            r"(?=[A-Z])(?:\b[A-Z][\w'-]{1,30}\set al\.?,?\s?"
            r"\(?(?:[A-Z][\w. ]{1,40},?\s)?(?:19|20)\d\d\b"
            r"|\b(?:N Engl J Med|NEJM|Lancet|BMJ|JAMA|Ann Intern Med|Circulation"
            r"|Cochrane Database)[^.\n]{0,60}?(?:19|20)\d\d\b)"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Citation:
    """A source that an answer names.

    Attributes:
        kind: What it looks like.
        text: As written.
        span: Its characters.
        verified: Whether it is known to exist; nothing is, without a network.
    """

    kind: Kind
    text: str
    span: tuple[int, int]
    verified: bool = False


def find_citations(text: str) -> tuple[Citation, ...]:
    """Citations in `text`, in order; empty means "no source". Never raises."""
    found: list[Citation] = []
    taken: list[tuple[int, int]] = []  # in order, none over another
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            start, end = match.span()
            while end > start and text[end - 1] in ".,;:)]":
                end -= 1
            at = bisect_left(taken, (start, end))
            if (at and taken[at - 1][1] > start) or (
                at < len(taken) and taken[at][0] < end
            ):
                continue
            taken.insert(at, (start, end))
            found.append(Citation(kind, text[start:end], (start, end)))
    return tuple(sorted(found, key=lambda citation: citation.span))
