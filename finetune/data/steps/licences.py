"""Whether a record may be used: its licence against the list of what is allowed.

A licence is known by its family: `CC BY 4.0`, `CC-BY` and `Creative Commons
Attribution 3.0` are all CC BY. What restricts more than the family says (NC, ND) is
another family. Where a name has several parts, each must be allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from finetune.data.sources.contract import RETRACTED
from finetune.data.steps.verdict import AnyRecord, Dropped, Kept, Verdict

UNKNOWN = "unknown"
_BETWEEN = re.compile(r"[\s_\-\u2010\u2011\u2013/,.]+")
_PARTS = re.compile(r"\s*(?:;|\+|&|\band\b)\s*", re.IGNORECASE)
_BRACKETS = re.compile(r"\([^()]*\)")
_ATTRIBUTION = re.compile(
    r"\b(?:cc ?by|creative commons(?: license| licence)? attribution|"
    r"creativecommons org licenses by)\b"
)
_ZERO = re.compile(r"\bcc ?0\b|\bcc ?zero\b|publicdomain zero")
_DOMAIN = re.compile(r"\bpublic ?domain\b|^pd$")
_NONCOMMERCIAL = re.compile(r"\bnc\b|non ?commercial")
_NO_CHANGES = re.compile(r"\bnd\b|no ?deriv")
_SHARE = re.compile(r"\bsa\b|share ?alike")


@dataclass(frozen=True)
class Decision:
    """Whether a licence is allowed, and in what words."""

    family: str
    used: bool
    why: str


@lru_cache(maxsize=4096)
def family(name: str) -> tuple[str, ...]:
    """The families of a licence's name: mostly one, none of them doubled."""
    if name.casefold().lstrip().startswith("conflict"):
        return (UNKNOWN,)
    parts = _PARTS.split(_BRACKETS.sub(" ", name))
    found = [_family(part) for part in parts if part.strip()]
    return tuple(dict.fromkeys(found)) or (UNKNOWN,)


def _family(name: str) -> str:
    folded = _BETWEEN.sub(" ", name.casefold()).strip()
    restricted = "".join(
        suffix
        for suffix, pattern in (
            ("-NC", _NONCOMMERCIAL),
            ("-SA", _SHARE),
            ("-ND", _NO_CHANGES),
        )
        if pattern.search(folded)
    )
    if _ATTRIBUTION.search(folded):
        return f"CC BY{restricted}"
    if restricted and restricted != "-SA":
        return f"CC BY{restricted}" if folded.startswith("cc") else folded
    if _ZERO.search(folded):
        return "CC0"
    if _DOMAIN.search(folded):
        return "public domain"
    for pattern, known in ((r"\bmit\b", "MIT"), (r"\bapache\b", "Apache")):
        if re.search(pattern, folded):
            return known
    return "TDM" if folded == "tdm" else folded


class LicenceStep:
    """Takes out what is not allowed, retracted articles included."""

    name = "licence"

    def __init__(self, allowed: Iterable[str]) -> None:
        names = tuple(allowed)
        self._allowed = {each for name in names for each in family(name)}
        self._retracted = any(name.casefold() == RETRACTED for name in names)

    def decide(self, record: AnyRecord) -> Decision:
        """What becomes of `record`, and why; counted for the manifest."""
        if RETRACTED in record.meta and not self._retracted:
            return Decision(RETRACTED, False, "the article was retracted")
        families = family(record.licence.name)
        shown = " and ".join(families)
        refused = [each for each in families if each not in self._allowed]
        if refused:
            return Decision(shown, False, f"{refused[0]} is not on the list of allowed")
        return Decision(shown, True, f"{shown} is on the list of allowed")

    def __call__(self, record: AnyRecord) -> Verdict:
        decision = self.decide(record)
        if decision.used:
            return Kept(record)
        return Dropped(decision.family, f"{record.licence.evidence}: {decision.why}")
